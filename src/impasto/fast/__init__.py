"""Owns the fast engine: a pastiche in one pass of a feed-forward network, and how such networks are trained.

| module | owns |
|---|---|
| `network` | the network, and what a condition is |
| `predictor` | the condition of any painting |
| `models` | FastModel: files, styles, one pass |
| `strips` | pictures of any size in little memory |
| `dataset` | the pictures that are trained on |
| `training` | how a model learns |
| `export` | models as ONNX |
| `runs` | a training on disk: checkpoint, losses, pictures |
"""

from impasto.fast.models import FastModel

__all__ = ["FastModel"]
