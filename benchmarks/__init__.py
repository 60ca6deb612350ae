"""Benchmarks of speed, memory and quality, compared with other programs: `python -m benchmarks`, or `make bench`.

Each module measures one thing and returns rows. `store` saves every row with the machine it was measured on, so that an
interrupted run continues where it stopped. `tables` writes the rows to `benchmarks/results` and into the docs.
"""
