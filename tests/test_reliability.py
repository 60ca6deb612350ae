"""The page of promises: each is held by a test, and the page is what the program writes."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).parent.parent / "tools"


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(TOOLS))
    yield importlib.import_module("make_reliability")
    sys.modules.pop("make_reliability", None)


def test_every_promise_has_a_test_and_every_named_promise_exists(tool: ModuleType) -> None:
    assert tool.problems(tool.promises(), tool.holders()) == []


def test_the_page_is_up_to_date(tool: ModuleType) -> None:
    page = tool.page(tool.promises(), tool.holders())
    assert tool.PAGE.read_text(encoding="utf-8") == page, "run python tools/make_reliability.py"


def test_names_of_promises_are_unique_and_texts_fit_a_table(tool: ModuleType) -> None:
    promises = tool.promises()
    assert len({promise.name for promise in promises}) == len(promises) > 40
    assert not any("|" in promise.fault + promise.holds for promise in promises)


def test_marks_are_found_wherever_pytest_takes_them(tool: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "test_a.py").write_text(
        textwrap.dedent(
            """
            pytestmark = [pytest.mark.promise("all"), pytest.mark.skipif(True, reason="")]

            @pytest.mark.slow
            @pytest.mark.promise("one", "two")
            def test_first(): ...

            def test_second(): ...

            TestThird = pytest.mark.promise("two")(Machine.TestCase)

            @pytest.mark.promise("none")
            def no_test(): ...
            """
        )
    )
    first, second, third = (
        tool.Test("web/test_a.py", name, slow)
        for name, slow in (("test_first", True), ("test_second", False), ("TestThird", False))
    )
    assert tool.holders(tmp_path) == {"all": [first, second, third], "one": [first], "two": [first, third]}
    one, three = tool.Promise("one", "Part", "a fault", "a promise"), tool.Promise("three", "Part", "b", "c")
    assert tool.problems([one, three], {"one": [first], "two": [third]}) == [
        "no test holds the promise three",
        "web/test_a.py: TestThird names two, which is not in promises.toml",
    ]
    assert "| a fault | a promise | web/test_a.py: `test_first` *(slow)* |" in tool.page([one], {"one": [first]})
