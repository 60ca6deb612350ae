"""Owns the faults that a picture may show: grids, noise, specks, halos, dead areas, seams, and enlarged paintings."""

from impasto.artifacts.finding import Artifact, enlarged_painting, find
from impasto.artifacts.measures import dead_area, grid, halo, luma, noise, not_finite, seam, specks

__all__ = [
    "Artifact",
    "dead_area",
    "enlarged_painting",
    "find",
    "grid",
    "halo",
    "luma",
    "noise",
    "not_finite",
    "seam",
    "specks",
]
