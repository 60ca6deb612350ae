"""Owns work on untrusted files, done in short-lived processes with limits on memory and time.

| module | owns |
|---|---|
| `sandbox` | starting the processes, and their limits |
| `operations` | what can be done in one |
| `messages` | what goes in and comes out |
| `jpeg` | limits on the structure of JPEG files |
| `tiling` | the levels and tiles of deep zoom |
"""
