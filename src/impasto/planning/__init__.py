"""Owns what a painting will cost on this machine: arithmetic, seconds and bytes, known before it is begun.

The arithmetic and the memory follow from the network's table of layers. The speed does not follow from anything: it is
measured, with the objective that will be minimised, at a few small sizes, and carried on in a straight line to large
ones.
"""

from impasto.planning.arithmetic import gram_multiply_adds, multiply_adds
from impasto.planning.estimates import Estimate, estimate
from impasto.planning.memory import peak_bytes
from impasto.planning.speed import Line, MachineSpeed, measure

__all__ = [
    "Estimate",
    "Line",
    "MachineSpeed",
    "estimate",
    "gram_multiply_adds",
    "measure",
    "multiply_adds",
    "peak_bytes",
]
