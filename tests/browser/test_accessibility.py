"""No screen of the page has a violation that axe knows of, in either width or colour scheme."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import BRIEF, WIDTHS

pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

#: Screens, and the key that opens each from the page; Escape closes it.
SHEETS = {"help": "?", "queue": "q", "variations": "v", "regions": "r"}


def check(page: Any, screen: str) -> None:
    report = Axe().run(page)
    assert report.violations_count == 0, f"{screen}: {report.generate_report()}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_no_violation(visit: Callable[..., Any], api: Any, artefacts: Path, width: str, scheme: str) -> None:
    # axe is put into the page by the driver, which the page's own policy would refuse.
    page = visit(width, scheme, BRIEF, bypass_csp=True)
    page.wait_for_load_state("networkidle")
    check(page, "paint")
    page.screenshot(path=artefacts / f"paint-{width}-{scheme}.png")
    for screen, key in SHEETS.items():
        page.keyboard.press(key)
        expect(page.locator("dialog[open]")).to_be_visible()
        check(page, screen)
        page.keyboard.press("Escape")
    page.locator("photo-well button").click()
    check(page, "picker")
    page.keyboard.press("Escape")
    page.locator(".more > summary").click()
    check(page, "more settings")

    if not api.get("/api/jobs", params={"state": "succeeded", "limit": 1}).json()["jobs"]:
        page.keyboard.press("p")
        expect(page.locator(".menu > summary")).to_be_visible(timeout=60_000)
    page.get_by_role("link", name="Gallery").click()
    check(page, "gallery")
    page.screenshot(path=artefacts / f"gallery-{width}-{scheme}.png")
    page.locator(".card-picture").first.click()
    expect(page.locator(".menu > summary")).to_be_visible()
    page.locator(".recipe-box > summary").click()
    check(page, "finished picture")
    page.screenshot(path=artefacts / f"finished-{width}-{scheme}.png")
