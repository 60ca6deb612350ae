"""Owns what the studio stores.

| module | owns |
|---|---|
| `data_folder` | the folder: its marker, its lock, and its temporary files |
| `database` | the database file, and transactions |
| `space` | free space, reserved for uploads |
| `pictures` | pictures by the hashes of their files |
| `folders` | the folder of each job |
| `erasures` | folders that are to be erased |
"""
