"""Scripts in names, settings and answers: the page shows them as text and runs nothing but its own."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import PIL.Image
import PIL.PngImagePlugin
import pytest

pytest.importorskip("playwright", reason="playwright is not installed")
from playwright.sync_api import expect

from impasto.recipes import METADATA_KEY
from tests.browser.conftest import BRIEF
from tests.browser.test_page import until
from tests.test_pastiche import record

#: A name may not be a path, so nothing here has a slash.
MARKUP = '<img src=x onerror=window.owned=1><svg onload=window.owned=1>"\' onfocus=window.owned=1 autofocus x="'


def _hostile(seed: int) -> bytes:
    """A picture whose own settings and names are markup."""
    text = record(
        content={"name": MARKUP, "sha256": "0" * 64},
        styles=[{"name": MARKUP, "sha256": "1" * 64}],
        versions={MARKUP: MARKUP},
    )
    info = PIL.PngImagePlugin.PngInfo()
    info.add_itxt(METADATA_KEY, json.dumps(text), zip=True)
    out = io.BytesIO()
    PIL.Image.new("RGB", (96, 64), (seed, 120, 40)).save(out, "PNG", pnginfo=info)
    return out.getvalue()


@pytest.mark.promise("scripts")
def test_markup_in_names_settings_and_answers_is_shown_and_never_run(
    visit: Callable[..., Any], api: Any, tmp_path: Path
) -> None:
    refs = [
        api.post("/api/pictures", files={"file": (f"{MARKUP}.png", _hostile(seed))}).json()["ref"] for seed in (10, 20)
    ]
    answer = api.post("/api/jobs", json={"content": refs[0], "styles": [refs[1]], "settings": BRIEF})
    assert answer.status_code == 202, answer.text
    job = until(api, answer.json()["id"], lambda now: now["state"] == "succeeded", seconds=240)
    assert "<img" in job["name"] and "<img" in job["content"]["name"]
    page = visit()
    violations: list[str] = []
    page.on("dialog", lambda dialog: violations.append(dialog.message))
    page.on("console", lambda message: violations.append(message.text) if "Content Security" in message.text else None)
    # The list of pictures, the finished job with its settings, and the photograph chosen anew with its recipe.
    page.wait_for_timeout(1000)
    page.goto(f"/#/job/{job['id']}")
    page.wait_for_timeout(1000)
    expect(page.locator("body")).to_contain_text("<img src=x")
    path = tmp_path / "photo.png"
    path.write_bytes(_hostile(30))
    page.goto("/#/")
    page.locator("input[type=file]").first.set_input_files(
        {"name": f"{MARKUP}.png", "mimeType": "image/png", "buffer": path.read_bytes()}
    )
    page.wait_for_timeout(1500)
    assert page.evaluate("window.owned") is None
    assert page.locator("img[src$='x'], svg[onload], [onerror], [onfocus]").count() == 0
    assert violations == []
    # The check can fail: the same markup as markup is stopped by the policy alone, and noticed.
    page.evaluate("markup => document.body.insertAdjacentHTML('beforeend', markup)", MARKUP)
    page.wait_for_timeout(300)
    assert page.evaluate("window.owned") is None
    assert page.locator("[onerror]").count() == 1 and violations
