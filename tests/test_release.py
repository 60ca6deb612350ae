"""A release agrees with itself: version, changelog and citation; hooks, templates and citation are well formed."""

import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import impasto

ROOT = Path(__file__).parent.parent


@pytest.fixture
def check_release(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    monkeypatch.delitem(sys.modules, "check_release", raising=False)
    import check_release

    return check_release


def project(folder: Path, *, version: str = "1.2.0", cited: str = "1.2.0", changelog: str) -> Path:
    (folder / "src" / "impasto").mkdir(parents=True)
    (folder / "src" / "impasto" / "_version.py").write_text(f'__version__ = "{version}"\n')
    (folder / "CITATION.cff").write_text(f"cff-version: 1.2.0\nversion: {cited}\n")
    (folder / "CHANGELOG.md").write_text(changelog)
    return folder


def test_this_repository_agrees(check_release: ModuleType) -> None:
    assert check_release.version() == impasto.__version__
    assert check_release.problems() == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"version": "1.2", "cited": "1.2"}, "'1.2' is no version X.Y.Z"),
        ({"cited": "1.1.0"}, "CITATION.cff has version 1.1.0, _version.py 1.2.0"),
        ({"changelog": "## 1.2.0 - 2026-01-01\n"}, "its first section must be '## Unreleased'"),
        ({"changelog": "## Unreleased\n\n## 1.2.0\n"}, "'## 1.2.0' needs a date"),
    ],
)
def test_what_disagrees_is_found(check_release: ModuleType, tmp_path: Path, changes: dict, problem: str) -> None:
    (found,) = check_release.problems(project(tmp_path, **{"changelog": "## Unreleased\n", **changes}))
    assert problem in found


def test_a_release_demands_its_section(
    check_release: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_release, "_git", lambda *_: "")
    for folder, changelog, problem in (
        ("none", "## Unreleased\n", "there is no section '## 1.2.0 - YYYY-MM-DD'"),
        ("old", "## Unreleased\n\n## 1.1.0 - 2026-01-01\n", "its latest release is 1.1.0, _version.py has 1.2.0"),
    ):
        root = project(tmp_path / folder, changelog=changelog)
        assert check_release.problems(root) == []
        (found,) = check_release.problems(root, release=True)
        assert problem in found
    right = project(tmp_path / "right", changelog="## Unreleased\n\n## 1.2.0 - 2026-02-01\n\n## 1.1.0 - 2026-01-01\n")
    assert check_release.problems(right, release=True) == []
    monkeypatch.setattr(check_release, "_git", lambda *_: " M README.md")
    (found,) = check_release.problems(right, release=True)
    assert "changes that are not committed" in found


def test_the_citation_names_the_paper() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == impasto.__version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert citation["license"] == project["license"]
    paper = citation["references"][0]
    assert [author["family-names"] for author in paper["authors"]] == ["Gatys", "Ecker", "Bethge"]
    assert (paper["year"], paper["doi"]) == (2016, "10.1109/CVPR.2016.265")


def test_hooks_use_the_programs_of_the_environment() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repository["repo"] for repository in hooks["repos"]] == ["local"]
    for hook in hooks["repos"][0]["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].startswith(".venv/bin/")


def test_issue_forms_are_well_formed() -> None:
    forms = [path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config"]
    assert len(forms) >= 3
    for path in forms:
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert {"name", "description", "body"} <= form.keys(), path.name
        ids = [field["id"] for field in form["body"] if field["type"] != "markdown"]
        assert len(ids) == len(set(ids))
