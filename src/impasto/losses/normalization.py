"""Owns the normalizations of losses."""

from typing import Literal

#: `paper`: as published; `relative`: divided by the size of the target.
Normalization = Literal["relative", "paper"]

#: Added to the size of a target before dividing by it: a target may be zero, for example for a black picture.
TINY = 1e-12
