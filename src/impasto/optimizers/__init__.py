"""Owns how pixels descend: the optimisers by name, their safeguards, and what they remember from scale to scale.

All have one interface, `Optimizer`. One iteration is one evaluation of the objective (one forward and one backward
pass), whatever the optimiser makes of it, so that iterations cost the same everywhere. Between two iterations, all that
an optimiser knows is its `state()`, from which another goes on to the same digits.

| module | owns |
|---|---|
| `optimizer` | the interface, and the safeguards that all share |
| `lbfgs` | L-BFGS and its memory of curvature |
| `adam` | Adam with averaged iterates |
| `registry` | the optimisers by the name of the setting |
"""

from impasto.optimizers.adam import Adam
from impasto.optimizers.lbfgs import GIANT_PAIRS, LBFGS, CurvatureMemory
from impasto.optimizers.optimizer import Evaluate, Optimizer, Precondition, State, Step, difference, rms
from impasto.optimizers.registry import OPTIMIZERS, OptimizerEntry, without_effect

__all__ = [
    "GIANT_PAIRS",
    "LBFGS",
    "OPTIMIZERS",
    "Adam",
    "CurvatureMemory",
    "Evaluate",
    "Optimizer",
    "OptimizerEntry",
    "Precondition",
    "State",
    "Step",
    "difference",
    "rms",
    "without_effect",
]
