"""The tests mirror the package: each room has `test_ROOM.py`, files `test_ROOM_*.py`, or a folder of its name."""

from pathlib import Path

import pytest

import impasto

HERE = Path(__file__).parent
PACKAGE = Path(impasto.__file__).parent
#: Rooms without a file of their name, and the one that tests them.
ELSEWHERE = {
    "explanations": "test_explain.py",
    "initialization": "test_method.py",
    "loading": "test_api.py",
    "progress": "test_method.py",
    "recipes": "test_pastiche.py",
    "sweeps": "test_sweep.py",
    "webpage": "browser/test_export.py",
    "weighting": "test_backbones.py",
}


def rooms() -> list[str]:
    return sorted(
        path.stem
        for path in PACKAGE.iterdir()
        if not path.name.startswith("_") and (path.suffix == ".py" or (path / "__init__.py").exists())
    )


def files_of(room: str) -> list[Path]:
    folder = HERE / room
    files = [*HERE.glob(f"test_{room}.py"), *HERE.glob(f"test_{room}_*.py"), *folder.glob("test_*.py")]
    return [*files, *(path for path in [HERE / ELSEWHERE[room]] if path.exists())] if room in ELSEWHERE else files


@pytest.mark.parametrize("room", rooms())
def test_each_room_has_its_tests(room):
    assert files_of(room), f"write tests/test_{room}.py"


def test_the_rooms_are_found():
    assert {"api", "images", "losses", "method", "settings"} <= set(rooms())
