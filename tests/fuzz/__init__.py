"""Owns fuzzing: whatever bytes a stranger's file or request holds, the answer is a result or an error of Impasto's."""
