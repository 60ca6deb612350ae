"""The documentation site: its checks find what is wrong, and its pages are complete. `make docs` builds it."""

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import impasto
from impasto.settings import OPTIONS

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    for name in ("check_site", "make_site", "notebook"):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.fixture
def make_site() -> ModuleType:
    pytest.importorskip("latex2mathml", reason="make docs installs what builds the site")
    import make_site

    return make_site


def site(folder: Path, body: str) -> Path:
    (folder / "index.html").write_text(f"<html><body>{body}</body></html>")
    (folder / "other.html").write_text("<html><body><h1 id='there'>Other</h1></body></html>")
    return folder


@pytest.mark.parametrize(
    "body",
    [
        '<a href="other.html#there">other</a>',
        '<h2 id="here">here</h2><a href="#here">here</a>',
        '<a href="https://example.org/">elsewhere</a>',
        '<link rel="canonical" href="https://example.org/">',
        '<img src="data:image/png;base64,AAAA">',
    ],
)
def test_what_is_right_passes(tmp_path: Path, body: str) -> None:
    import check_site

    assert check_site.problems(site(tmp_path, body)) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('<a href="gone.html">gone</a>', "index.html links to gone.html: no such file"),
        ('<a href="other.html#gone">gone</a>', "index.html links to other.html#gone: no such anchor"),
        ('<a href="#gone">gone</a>', "index.html links to #gone: no such anchor"),
        ('<img src="gone.png">', "index.html loads gone.png: no such file"),
        (
            '<script src="https://cdn.example/x.js"></script>',
            "index.html loads https://cdn.example/x.js from the network",
        ),
        (
            '<link rel="stylesheet" href="//fonts.example/x.css">',
            "index.html loads //fonts.example/x.css from the network",
        ),
    ],
)
def test_what_is_wrong_is_found(tmp_path: Path, body: str, problem: str) -> None:
    import check_site

    assert check_site.problems(site(tmp_path, body)) == [problem]


def test_style_sheets_and_empty_sites_are_found(tmp_path: Path) -> None:
    import check_site

    assert check_site.problems(tmp_path) == [f"{tmp_path} holds no page"]
    site(tmp_path, "")
    (tmp_path / "x.css").write_text("@font-face { src: url('https://fonts.example/x.woff2') }")
    assert check_site.problems(tmp_path) == ["x.css loads https://fonts.example/x.woff2 from the network"]


def test_links_and_formulas_are_rewritten_for_the_site(make_site: ModuleType) -> None:
    wanted: set[str] = set()
    text = (
        "[a](method.md#strength) [b](../CONTRIBUTING.md) [c](../src/impasto/method.py) [d](https://x.org) "
        "![e](figures/scales.png)\n"
        "$x_1$ costs 5 $ and `$y$`\n```sh\necho $A $B [x](y.md)\n```\n$$z$$\n"
    )
    page = make_site._page(text, "docs/python.md", wanted)
    assert "[a](method.md#strength) [b](contributing.md) [c](source/src/impasto/method.py.md)" in page
    assert "[d](https://x.org) ![e](figures/scales.png)" in page
    assert page.count("<math") == 2
    assert "costs 5 $ and `$y$`" in page
    assert "echo $A $B [x](y.md)" in page
    assert wanted == {"CONTRIBUTING.md", "src/impasto/method.py"}
    with pytest.raises(SystemExit, match=r"links to gone\.md"):
        make_site._page("[a](gone.md)", "docs/python.md", set())


def test_every_setting_is_in_the_table(make_site: ModuleType) -> None:
    page = make_site.settings_page()
    assert re.findall(r"^\| `(\w+)`", page, re.MULTILINE) == list(OPTIONS)
    assert "| `strength` *live* | `0.5` | 0 to 1 |" in page


def test_every_public_name_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "impasto.md").read_text(encoding="utf-8")
    shown = re.findall(r"^::: impasto\.(\w+)$", page, re.MULTILINE)
    assert len(shown) == len(set(shown))
    assert set(shown) == set(impasto.__all__) - {"__version__"}


def test_every_module_of_the_reference_exists() -> None:
    for page in (ROOT / "docs" / "reference").glob("*.md"):
        for name in re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
            module = ROOT / "src" / name.replace(".", "/")
            known = module.is_dir() or module.with_suffix(".py").is_file() or name.split(".")[1] in impasto.__all__
            assert known, f"{page.name}: {name}"


def test_every_page_is_in_the_navigation() -> None:
    def pages(part: Any) -> list[str]:
        if isinstance(part, str):
            return [part]
        return [page for value in (part.values() if isinstance(part, dict) else part) for page in pages(value)]

    shown = pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    assert len(shown) == len(set(shown))
    docs = ROOT / "docs"
    written = {
        path.relative_to(docs).with_suffix(".md").as_posix()
        for kind in ("md", "ipynb")
        for path in docs.rglob(f"*.{kind}")
    }
    made = {
        "index.md",
        "contributing.md",
        "changelog.md",
        "security.md",
        "notice.md",
        "license.md",
        "reference/settings.md",
    }
    assert set(shown) == written | made


def test_the_decisions_are_in_their_table() -> None:
    folder = ROOT / "docs" / "decisions"
    linked = re.findall(r"^\| \[.+?\]\((.+?)\)", (folder / "index.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(linked) == sorted(path.name for path in folder.glob("*.md") if path.name != "index.md")
