"""Owns figures: what went in, what came out and how the losses fell, on one page; and labelled sheets of pictures.

Figures are Matplotlib's, made without pyplot: no window, no global state, no backend chosen for anybody else.
Matplotlib is imported when the first figure is made. Lengths are inches. Colours can be told apart by the colour-blind.

| module | owns |
|---|---|
| `figures` | `figure`, `grid_figure`, `save_figure`; where the pictures stand |
| `losses` | the curves of the losses |
| `page` | measures, inks and words on a page |
| `files` | `write_figure`, `check_figure_path` |
"""

from impasto.plots.figures import figure, grid_figure, save_figure
from impasto.plots.files import FIGURE_SUFFIXES, check_figure_path, write_figure
from impasto.plots.page import DPI

__all__ = ["DPI", "FIGURE_SUFFIXES", "check_figure_path", "figure", "grid_figure", "save_figure", "write_figure"]
