"""Speed, memory and quality beside the peers: `python -m benchmarks`, or `make bench`.

Each module measures one thing and gives back rows; `store` keeps every row with the machine it was measured on, so that
a run that was interrupted goes on where it stopped; `tables` writes them to `benchmarks/results` and into the docs.
"""
