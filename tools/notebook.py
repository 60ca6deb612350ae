"""Runs docs/tutorial.ipynb and stores what its cells show; turns a notebook into Markdown for the site.

    python tools/notebook.py          run every cell and write the outputs into the file
    python tools/notebook.py --check  run every cell and write nothing

Neither needs Jupyter: a cell is executed as Python, in one namespace for the whole notebook. As in Jupyter, its outputs
are what it prints, the value of its last expression, and the open Matplotlib figures.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TUTORIAL = Path(__file__).parent.parent / "docs" / "tutorial.ipynb"
# Dots per inch of stored figures: readable on a page, and small in the repository.
_DPI = 80

Cell = dict[str, Any]


def read(path: Path) -> dict[str, Any]:
    """The notebook in a file."""
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return notebook


def write(notebook: dict[str, Any], path: Path) -> None:
    """Write the notebook as Jupyter does: one space of indentation, a line break at the end."""
    path.write_text(json.dumps(notebook, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def code_cells(notebook: dict[str, Any]) -> Iterator[Cell]:
    """The cells that are executed, in order."""
    yield from (cell for cell in notebook["cells"] if cell["cell_type"] == "code")


def markdown_cells(notebook: dict[str, Any]) -> Iterator[Cell]:
    """The cells that are read."""
    yield from (cell for cell in notebook["cells"] if cell["cell_type"] == "markdown")


def source(cell: Cell) -> str:
    """The text of a cell."""
    return "".join(cell["source"])


def run(notebook: dict[str, Any]) -> None:
    """Execute all code cells in order, and replace their outputs."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.close("all")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for count, cell in enumerate(code_cells(notebook), 1):
        cell["execution_count"] = count
        cell["outputs"] = list(_outputs(source(cell), f"cell {count}", namespace, count))


def _outputs(code: str, name: str, namespace: dict[str, Any], count: int) -> Iterator[dict[str, Any]]:
    from matplotlib import pyplot

    tree = ast.parse(code, name)
    last = tree.body[-1] if tree.body and not code.rstrip().endswith(";") else None
    shown = ast.Expression(tree.body.pop().value) if isinstance(last, ast.Expr) else None  # type: ignore[attr-defined]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, name, "exec"), namespace)
        value = eval(compile(shown, name, "eval"), namespace) if shown else None
    if printed.getvalue():
        yield {"name": "stdout", "output_type": "stream", "text": printed.getvalue().splitlines(keepends=True)}
    for number in pyplot.get_fignums():
        file = io.BytesIO()
        pyplot.figure(number).savefig(file, format="png", dpi=_DPI, bbox_inches="tight")
        yield _display("display_data", _png(file.getvalue()))
    pyplot.close("all")
    if value is not None:
        data: dict[str, Any] = {"text/plain": repr(value).splitlines(keepends=True)}
        if picture := getattr(value, "_repr_png_", None):
            data = {**_png(picture()), **data}
        yield {**_display("execute_result", data), "execution_count": count}


def _png(data: bytes) -> dict[str, Any]:
    return {"image/png": base64.b64encode(data).decode("ascii") + "\n"}


def _display(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"data": data, "metadata": {}, "output_type": kind}


def markdown(notebook: dict[str, Any], pictures: Path) -> str:
    """The notebook as Markdown; its pictures are written into the folder `pictures`, beside the page."""
    parts = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            parts.append(source(cell))
            continue
        parts.append(f"```python\n{source(cell)}\n```")
        for output in cell["outputs"]:
            if "text" in output:
                parts.append(f"```text\n{''.join(output['text']).rstrip()}\n```")
            elif "image/png" in output["data"]:
                pictures.mkdir(parents=True, exist_ok=True)
                path = pictures / f"{len(list(pictures.iterdir())) + 1}.png"
                path.write_bytes(base64.b64decode(output["data"]["image/png"]))
                parts.append(f"![What the cell shows]({pictures.name}/{path.name})")
            else:
                parts.append(f"```text\n{''.join(output['data']['text/plain'])}\n```")
    return "\n\n".join(parts) + "\n"


def main(arguments: list[str]) -> int:
    notebook = read(TUTORIAL)
    run(notebook)
    if arguments != ["--check"]:
        write(notebook, TUTORIAL)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
