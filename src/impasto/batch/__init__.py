"""Owns batches: many pictures painted side by side, each output once, going on where an earlier run stopped.

| module | owns |
|---|---|
| `items` | Item: one picture to paint; whether its output is there already |
| `manifest` | lists of items in CSV and JSON lines |
| `claims` | that no two runs paint one output |
| `orders` | Order and Result: what travels to the process that paints, and back; `paint` |
| `executors` | Executor, and the one that starts processes on this machine |
| `run` | `run`: items in, outcomes out |
"""

from impasto.batch.executors import Executor, LocalExecutor, cores, workers_that_fit
from impasto.batch.items import Item
from impasto.batch.manifest import read_manifest
from impasto.batch.run import Outcome, run

__all__ = ["Executor", "Item", "LocalExecutor", "Outcome", "cores", "read_manifest", "run", "workers_that_fit"]
