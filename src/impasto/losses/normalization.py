"""Owns how losses are divided."""

from typing import Literal

#: As in the paper, or by the size of the target.
Normalization = Literal["relative", "paper"]

#: Keeps a relative loss finite when its target vanishes, as the features of a black picture may.
TINY = 1e-12
