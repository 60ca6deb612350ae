"""Owns figures: inputs, pastiche and loss curves on one page, and labelled sheets of pictures.

Figures are Matplotlib figures, made without pyplot, so that no window opens and no global state or backend changes.
Matplotlib is imported when the first figure is made. Lengths are in inches. Colours are safe for the colour-blind.

| module | owns |
|---|---|
| `figures` | `figure`, `grid_figure`, `save_figure`; the layout of the pictures |
| `losses` | the plot of the losses |
| `page` | dimensions, colours and text of a page |
| `files` | `write_figure`, `check_figure_path` |
"""

from impasto.plots.figures import figure, grid_figure, save_figure
from impasto.plots.files import FIGURE_SUFFIXES, check_figure_path, write_figure
from impasto.plots.page import DPI

__all__ = ["DPI", "FIGURE_SUFFIXES", "check_figure_path", "figure", "grid_figure", "save_figure", "write_figure"]
