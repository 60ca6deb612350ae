"""Owns the data folder: the database, the pictures by their hashes, and a folder of files for each job."""
