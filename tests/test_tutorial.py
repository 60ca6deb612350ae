"""docs/tutorial.ipynb runs from its first cell to its last, and is stored with outputs that are complete and small."""

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib
import pytest

import impasto

ROOT = Path(__file__).parent.parent
TUTORIAL = ROOT / "docs" / "tutorial.ipynb"


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    monkeypatch.delitem(sys.modules, "notebook", raising=False)
    import notebook

    return notebook


def small(code: str) -> str:
    """The cell with its sizes and numbers of steps cut down; nothing else is changed."""
    code = re.sub(r"^SIDE = \d+", "SIDE = 64", code, flags=re.MULTILINE)
    code = re.sub(r"^STEPS = \d+", "STEPS = 2", code, flags=re.MULTILINE)
    return code.replace("size=SIDE", "size=SIDE, iterations=1, coarse_iterations=1")


def test_every_cell_runs(notebook: ModuleType) -> None:
    tutorial = notebook.read(TUTORIAL)
    for cell in notebook.code_cells(tutorial):
        cell["source"] = [small(notebook.source(cell))]
    backend = matplotlib.get_backend()
    notebook.run(tutorial)
    matplotlib.use(backend)
    said = "".join(
        "".join(output["text"])
        for cell in notebook.code_cells(tutorial)
        for output in cell["outputs"]
        if "text" in output
    )
    # What the text around the cells claims.
    for claim in ("the same as Impasto's", "halves add up", "shuffled columns, same matrix"):
        assert f"{claim}: True" in said
    assert "the photograph: 0.000" in said
    falls = re.findall(r"loss: ([\d.]+) at the start, ([\d.]+) at the end", said)
    assert len(falls) == 2
    assert all(float(end) < float(start) for start, end in falls)


def test_it_is_a_notebook_of_form_4_5_with_outputs(notebook: ModuleType) -> None:
    tutorial = notebook.read(TUTORIAL)
    assert (tutorial["nbformat"], tutorial["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in tutorial["cells"]]
    assert len(set(ids)) == len(ids)
    code = list(notebook.code_cells(tutorial))
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    for cell in tutorial["cells"]:
        assert cell.keys() == {"cell_type", "id", "metadata", "source"} | (
            {"execution_count", "outputs"} if cell in code else set()
        )
    # Figures and text: whoever reads the file on the web sees what the cells show.
    kinds = {output["output_type"] for cell in code for output in cell["outputs"]}
    assert kinds == {"stream", "display_data"}
    assert TUTORIAL.stat().st_size < 1_500_000


def test_its_names_of_impasto_are_public(notebook: ModuleType) -> None:
    text = "".join(map(notebook.source, notebook.code_cells(notebook.read(TUTORIAL))))
    used = set(re.findall(r"\bimpasto\.(\w+)\(", text))
    assert used
    assert used <= set(impasto.__all__)


def test_outputs_are_those_of_jupyter(notebook: ModuleType) -> None:
    def run(code: str) -> list:
        cells: list[dict[str, Any]] = [{"cell_type": "code", "source": [code], "outputs": [], "execution_count": None}]
        notebook.run({"cells": cells})
        return cells[0]["outputs"]

    assert run("print('a')\nprint('b')") == [{"name": "stdout", "output_type": "stream", "text": ["a\n", "b\n"]}]
    (value,) = run("1 + 1")
    assert value["data"] == {"text/plain": ["2"]}
    assert run("1 + 1;") == run("x = 1") == run("None") == []
    (picture,) = run("import impasto, torch\nimpasto.load(torch.zeros(3, 40, 40))")
    assert picture["data"].keys() == {"image/png", "text/plain"}
    with pytest.raises(ZeroDivisionError):
        run("1 / 0")
