"""Owns the version, read by the build and written into every picture."""

__version__ = "0.1.0"
