"""Owns a real studio and a real browser for the tests of the page: Debian's Chromium, driven by Playwright.

A test here skips where the browser, Node.js or a package is missing. With `--require-browser`, the default where the
environment variable CI is set, it fails instead.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

import impasto
from impasto.images import Image, write
from tests.conftest import painting_pixels, photo_pixels

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ROOT = Path(__file__).parents[2]
WIDTHS = {"desktop": (1280, 800), "phone": (360, 740)}
#: Small, and longer than any test waits: what is painted here is stopped.
ENDLESS = {"size": 64, "scales": 2, "coarse_iterations": 5, "iterations": 100_000, "tolerance": 0}
BRIEF = {"size": 48, "scales": 1, "iterations": 2}


def _fail_if_required(config: pytest.Config, report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.outcome == "skipped" and config.getoption("--require-browser"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{reason}\nNothing in tests/browser may skip: --require-browser or the variable CI is set."


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _fail_if_required(item.config, report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _fail_if_required(collector.config, report)
    return report


@contextlib.contextmanager
def serving(folder: Path, *, port: str = "0", **more: str) -> Iterator[str]:
    """Address of `impasto serve` on a free port or the given one, with a folder of its own."""
    environment = os.environ | {"PYTHONPATH": str(Path(impasto.__file__).parents[1]), "OMP_NUM_THREADS": "1"} | more
    command = [sys.executable, "-m", "impasto", "serve", "--port", port, "--data", str(folder / "data")]
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip().rstrip("/")
            assert address.startswith("http"), (folder / "log.txt").read_text()
            yield address
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the studio that the tests share."""
    pytest.importorskip("fastapi", reason="the studio needs impasto[web]")
    with serving(tmp_path_factory.mktemp("studio")) as address:
        yield address


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not there; install Debian's chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    playwright.expect.set_options(timeout=60_000)
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(studio: str, chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens the page at a width and in a colour scheme, with settings on its knobs; nothing may go wrong in it."""
    contexts: list[Any] = []
    mistakes: list[str] = []

    def open_page(
        width: str = "desktop", scheme: str = "light", settings: dict[str, Any] | None = None, **more: Any
    ) -> Any:
        w, h = WIDTHS[width]
        context = chromium.new_context(
            base_url=studio, viewport={"width": w, "height": h}, color_scheme=scheme, accept_downloads=True,
            has_touch=width == "phone", reduced_motion="reduce", **more,
        )  # fmt: skip
        context.set_default_timeout(30_000)
        contexts.append(context)
        draft = json.dumps(json.dumps({"settings": settings or BRIEF}))
        context.add_init_script(f"localStorage['impasto-draft'] ??= {draft}")
        page = context.new_page()
        page.on("pageerror", lambda error: mistakes.append(str(error)))
        page.goto("/")
        page.wait_for_selector("html[data-ready]", state="attached")
        return page

    yield open_page
    for context in contexts:
        with contextlib.suppress(Exception):
            context.close()
    assert not mistakes


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A photograph and a painting as files."""
    folder = tmp_path_factory.mktemp("pictures")
    paths = {"photo": folder / "hills.png", "painting": folder / "swirls.png"}
    write(Image(photo_pixels(96, 128)), paths["photo"])
    write(Image(painting_pixels(96, 96)), paths["painting"])
    return paths


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """Where screenshots are kept: IMPASTO_SCREENSHOTS, or a folder that git does not see."""
    folder = Path(os.environ.get("IMPASTO_SCREENSHOTS", ROOT / "build" / "screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def api(studio: str) -> Iterator[Any]:
    """The studio as a program sees it."""
    import httpx

    with httpx.Client(base_url=studio, timeout=60) as client:
        yield client
        # What a test left to paint, or paused, must not hold up the next.
        client.post("/api/queue", json={"paused": False})
        for job in client.get("/api/jobs", params={"limit": 100}).json()["jobs"]:
            if "cancel" in job["actions"]:
                client.post(f"/api/jobs/{job['id']}/cancel", json={})
