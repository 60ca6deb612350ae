"""Every painting on the visitor's own photo: seen, chosen by keys, and kept while knobs turn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.files import drop

pytest.importorskip("playwright", reason="playwright is not installed")
from playwright.sync_api import expect

LONG = 180_000


def test_every_painting_is_seen_on_the_photo_and_chosen_by_keys(
    visit: Callable[..., Any], pictures: dict[str, Path]
) -> None:
    page = visit()
    drop(page, "photo", pictures["photo"])
    expect(page.locator("photo-well")).to_contain_text("hills.png")
    strip = page.get_by_role("radiogroup", name="Paintings on your photo")
    expect(strip.get_by_role("radio")).to_have_count(8)
    expect(strip.locator(".waiting")).to_have_count(0, timeout=LONG)
    seen = strip.locator("img").evaluate_all("all => all.map((one) => one.src)")
    assert len(set(seen)) == 8
    assert all(url.startswith("data:image/jpeg") for url in seen)

    strip.get_by_role("radio", checked=True).focus()
    page.keyboard.press("End")
    expect(page.locator("painting-list")).to_contain_text("The Scream")
    expect(strip.get_by_role("radio", checked=True)).to_be_focused()
    expect(page.locator("picture-pane.after[data-shown^=blob]")).to_be_attached(timeout=LONG)
    # The looks stay while a knob is turned.
    page.get_by_role("slider", name="Strength").fill("0.4")
    assert strip.locator("img").evaluate_all("all => all.map((one) => one.src)") == seen

    # A painting of one's own is there as well, after a reload too.
    drop(page, "painting", pictures["painting"])
    page.get_by_role("button", name="Remove").first.click()
    expect(strip.get_by_role("radio")).to_have_count(9)
    page.reload()
    expect(strip.get_by_role("radio", checked=True)).to_contain_text("swirls.png")
    expect(strip.locator(".waiting")).to_have_count(0, timeout=LONG)
