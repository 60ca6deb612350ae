"""Owns the JSON of the API: what requests may contain, and what responses do."""
