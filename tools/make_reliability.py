"""Writes docs/reliability.md: what is promised about faults and attacks, and which tests hold it.

    python tools/make_reliability.py

Promises are in promises.toml. Tests name theirs with `@pytest.mark.promise(...)`, on a function or in `pytestmark`.
They are found by their syntax, so nothing is imported.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reliability.md"
PROMISES = Path(__file__).with_name("promises.toml")

_INTRODUCTION = """\
# Reliability

What may go wrong, by accident or by intent, and what Impasto promises for it. Each promise has tests that cause the
fault for real: they kill the process, fill the disk, damage the file, open the connections. Tests marked *slow* are
run by `make test-slow`, the others by `make test`.

This page is written by `tools/make_reliability.py` from `tools/promises.toml` and from the tests, which name their
promises. A test fails if the page is out of date, or if a promise has no test. [SECURITY.md](../SECURITY.md) says how
to report a problem, and what is not promised. Painting on several machines is not part of this page.
"""


@dataclass(frozen=True)
class Promise:
    """What is promised for a fault.

    Attributes:
        name: by which tests refer to it.
        part: heading that it belongs under.
        fault: what goes wrong.
        holds: what is promised.
    """

    name: str
    part: str
    fault: str
    holds: str


@dataclass(frozen=True, order=True)
class Test:
    """A test that holds promises.

    Attributes:
        file: its path below tests/.
        name: of the function or class.
        slow: whether only `make test-slow` runs it.
    """

    file: str
    name: str
    slow: bool


def promises(file: Path = PROMISES) -> list[Promise]:
    """All promises, in the order of the page."""
    return [Promise(**entry) for entry in tomllib.loads(file.read_text(encoding="utf-8"))["promise"]]


def holders(folder: Path = ROOT / "tests") -> dict[str, list[Test]]:
    """The tests of each promise that tests name."""
    found: defaultdict[str, list[Test]] = defaultdict(list)
    for file in sorted(folder.rglob("test_*.py")):
        module = ast.parse(file.read_text(encoding="utf-8"))
        of_module = [mark for name, value in _assignments(module) if name == "pytestmark" for mark in _marks(value)]
        for name, marks in _tests(module):
            every = [*of_module, *marks]
            test = Test(file.relative_to(folder).as_posix(), name, any(mark == ("slow", ()) for mark in every))
            for promise in dict.fromkeys(argument for mark, arguments in every for argument in arguments):
                found[promise].append(test)
    return dict(found)


def _assignments(module: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for statement in module.body:
        if isinstance(statement, ast.Assign) and isinstance(target := statement.targets[0], ast.Name):
            yield target.id, statement.value


def _tests(module: ast.Module) -> Iterator[tuple[str, list[tuple[str, tuple[str, ...]]]]]:
    """Names and marks of a module's tests."""
    for statement in module.body:
        if isinstance(statement, ast.FunctionDef) and statement.name.startswith("test"):
            yield statement.name, [mark for decorator in statement.decorator_list for mark in _marks(decorator)]
    for name, value in _assignments(module):
        # TestQueue = pytest.mark.promise("…")(Queue.TestCase)
        if name.startswith("Test") and isinstance(value, ast.Call):
            yield name, list(_marks(value.func))


def _marks(expression: ast.expr) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The marks `slow` and `promise` in an expression; of the latter also its arguments."""
    if isinstance(expression, ast.List | ast.Tuple):
        for element in expression.elts:
            yield from _marks(element)
    elif ast.unparse(expression) == "pytest.mark.slow":
        yield "slow", ()
    elif isinstance(expression, ast.Call) and ast.unparse(expression.func) == "pytest.mark.promise":
        yield "promise", tuple(str(ast.literal_eval(argument)) for argument in expression.args)


def problems(wanted: Iterable[Promise], held: Mapping[str, Sequence[Test]]) -> list[str]:
    """Promises without a test, and names in tests that are no promise."""
    names = [promise.name for promise in wanted]
    return [
        *(f"no test holds the promise {name}" for name in names if name not in held),
        *(
            f"{test.file}: {test.name} names {name}, which is not in {PROMISES.name}"
            for name, tests in held.items()
            if name not in names
            for test in tests
        ),
    ]


def page(wanted: Sequence[Promise], held: Mapping[str, Sequence[Test]]) -> str:
    """The page's text."""
    parts = [_INTRODUCTION]
    for part in dict.fromkeys(promise.part for promise in wanted):
        rows = [
            f"| {promise.fault} | {promise.holds} | {_cell(held.get(promise.name, ()))} |"
            for promise in wanted
            if promise.part == part
        ]
        parts.append("\n".join([f"## {part}", "", "| fault | promise | held by |", "|---|---|---|", *rows, ""]))
    return "\n".join(parts)


def _cell(tests: Iterable[Test]) -> str:
    by_file: defaultdict[str, list[str]] = defaultdict(list)
    for test in sorted(tests):
        by_file[test.file].append(f"`{test.name}`" + (" *(slow)*" if test.slow else ""))
    return "<br>".join(f"{file}: {', '.join(names)}" for file, names in by_file.items())


def main() -> int:
    """Write the page; 1 if a promise has no test, or a test names none."""
    wanted, held = promises(), holders()
    wrong = problems(wanted, held)
    for problem in wrong:
        print(problem, file=sys.stderr)
    PAGE.write_text(page(wanted, held), encoding="utf-8", newline="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
