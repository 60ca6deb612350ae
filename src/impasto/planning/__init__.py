"""Owns the estimates of what a task will cost on this machine: arithmetic, time and memory.

Arithmetic and memory follow from the network's layers. The speed of the machine is measured, with the default objective
at a few small sizes, and extrapolated linearly to larger ones.

| module | owns |
|---|---|
| `arithmetic` | multiply-adds per pixel |
| `counting` | the costs of networks without a table of layers |
| `memory` | peak memory |
| `tiles` | the plan of a painting within a budget of memory: as a whole, or in tiles |
| `speed` | the speed of this machine |
| `estimates` | the estimate of a task |
| `forecast` | the time left of a running task |
"""

from impasto.planning.arithmetic import gram_multiply_adds, multiply_adds
from impasto.planning.estimates import Estimate, estimate, scale_seconds
from impasto.planning.memory import peak_bytes
from impasto.planning.speed import Line, MachineSpeed, measure
from impasto.planning.tiles import ScalePlan, TilePlan, checked_plan, gigabytes, parse_bytes, plan

__all__ = [
    "Estimate",
    "Line",
    "MachineSpeed",
    "ScalePlan",
    "TilePlan",
    "checked_plan",
    "estimate",
    "gigabytes",
    "gram_multiply_adds",
    "measure",
    "multiply_adds",
    "parse_bytes",
    "peak_bytes",
    "plan",
    "scale_seconds",
]
