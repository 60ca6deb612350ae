"""Owns recipes: what a picture was made from, and how it is made again.

| module | owns |
|---|---|
| `recipe` | the Recipe and its JSON |
| `migrations` | what recipes of earlier forms mean today |
| `finding` | the files that a recipe notes, found again |
"""

from impasto.recipes.finding import find_picture, find_weights
from impasto.recipes.recipe import METADATA_KEY, Change, Fingerprint, Recipe

__all__ = ["METADATA_KEY", "Change", "Fingerprint", "Recipe", "find_picture", "find_weights"]
