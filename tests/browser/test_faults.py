"""What went wrong in the page once, as kinds.

Choices land where they are aimed, errors stand beside what they are about, invalid input paints nothing, what is asked
for is not lost, and names are those that people gave.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from tests.browser.conftest import BRIEF, ENDLESS, serving
from tests.browser.files import drop, paste

pytest.importorskip("playwright", reason="playwright is not installed")
from playwright.sync_api import expect

Visit = Callable[..., Any]
LONG = 60_000


def submitted(api: Any, *styles: str, **more: Any) -> dict[str, Any]:
    """A job of a sample, queued by a program."""
    wish = {"content": "sample:red_panda", "styles": [f"sample:{one}" for one in styles or ("the_scream",)]}
    answer = api.post("/api/jobs", json=wish | {"settings": BRIEF} | more)
    answer.raise_for_status()
    return dict(answer.json())


def finished(api: Any, job: dict[str, Any], seconds: float = 60) -> dict[str, Any]:
    """The job, once it has ended."""
    deadline = time.monotonic() + seconds
    while not (now := api.get(f"/api/jobs/{job['id']}").json())["finished"]:
        assert time.monotonic() < deadline, now
        time.sleep(0.1)
    return dict(now)


def test_drops_and_pastes_land_where_they_are_aimed(visit: Visit, pictures: dict[str, Path], tmp_path: Path) -> None:
    page = visit()
    photo, painting = page.locator("photo-well"), page.locator("painting-list li")
    # B1: a drop onto an open picker. The picker closes, and its own role gets the file.
    page.get_by_role("button", name="Painting 1").click()
    drop(page, "painting", pictures["painting"])
    expect(painting).to_contain_text("swirls.png")
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(painting).to_have_count(1)
    # B2: a paste into the picker of paintings.
    page.get_by_role("button", name="Add a painting").click()
    paste(page, pictures["photo"])
    expect(painting).to_have_count(2)
    expect(painting.last).to_contain_text("hills.png")
    expect(photo).to_contain_text("A red panda")
    # Another dialog takes a drop as well, and makes way for what it does.
    page.keyboard.press("?")
    drop(page, "photo", pictures["photo"])
    expect(photo).to_contain_text("hills.png")
    expect(page.locator("dialog[open]")).to_have_count(0)
    # B13: the same file under another name is called by that.
    renamed = tmp_path / "meadow.png"
    renamed.write_bytes(pictures["photo"].read_bytes())
    drop(page, "photo", renamed)
    expect(photo).to_contain_text("meadow.png")


def test_what_the_file_dialog_offers_is_what_the_studio_reads(visit: Visit, api: Any) -> None:
    page = visit()
    page.get_by_role("button", name="Photo").click()
    offered = page.locator("picture-picker input[type=file]").get_attribute("accept")
    # B18: HEIC is offered where it is read, and nowhere else.
    formats = api.get("/api/system").json()["limits"]["formats"]
    assert "*" not in offered
    assert (".heic" in offered) == ("HEIC" in formats)
    assert ".tiff" in offered
    page.route("**/api/system", lambda route: route.fulfill(json=_without(api, "HEIC")))
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    page.get_by_role("button", name="Photo").click()
    assert "hei" not in page.locator("picture-picker input[type=file]").get_attribute("accept")


def _without(api: Any, name: str) -> dict[str, Any]:
    system = dict(api.get("/api/system").json())
    system["limits"]["formats"].remove(name)
    return system


def test_invalid_input_paints_nothing_and_is_pointed_at(visit: Visit, api: Any) -> None:
    before = len(api.get("/api/jobs").json()["jobs"])
    page = visit()
    page.locator(".more > summary").click()
    seed = page.get_by_label("Seed", exact=True)
    # B5: the shortcut comes before the field is left.
    seed.fill("-99")
    seed.press("Control+Enter")
    expect(page.locator("paint-bar [role=alert]")).to_contain_text("Seed cannot be used")
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(seed).to_be_focused()
    expect(seed).to_have_value("-99")
    # B11: in the dialog too; and what it cannot read is not dropped in silence.
    page.get_by_role("button", name="Seed: reset").click()
    expect(page.locator("paint-bar [role=alert]")).to_have_count(0)
    expect(seed).to_have_attribute("aria-invalid", "false")
    page.get_by_role("button", name="Vary").click()
    values = page.get_by_label("Values").first
    for text, problem in (("0.3, much, 0.5", "much"), ("0.3, 7", "7"), ("0.3, 0.3", "twice"), ("", "at least one")):
        values.fill(text)
        expect(page.locator(".axis-problem").first).to_contain_text(problem)
        expect(page.get_by_role("button", name="Paint them")).to_be_disabled()
    values.fill("0.3, 0.5")
    expect(page.locator(".axis-problem").first).to_be_empty()
    page.route("**/api/sweeps", lambda route: route.fulfill(status=429, json=_FULL))
    page.get_by_role("button", name="Paint them").click()
    # Its errors stand in the dialog, not under it.
    expect(page.locator("dialog[open] [role=alert]").filter(has_text="full")).to_be_visible()
    assert len(api.get("/api/jobs").json()["jobs"]) == before


_FULL = {"type": "about:blank#queue-full", "title": "The queue is full", "status": 429, "detail": "wait `a while`"}


def test_errors_stand_beside_their_cause_cover_nothing_and_go_away(
    visit: Visit, pictures: dict[str, Path], tmp_path: Path
) -> None:
    page = visit()
    letter = tmp_path / "letter.png"
    letter.write_text("no picture")
    drop(page, "photo", letter)
    expect(page.locator("photo-well [role=alert]")).to_be_visible()
    drop(page, "photo", pictures["photo"])
    expect(page.get_by_role("alert").filter(visible=True)).to_have_count(0)
    # B4: a refusal to paint stands over the button, has no backticks, and goes when something is changed.
    page.route("**/api/jobs", lambda route: route.fulfill(status=429, json=_FULL))
    page.get_by_role("button", name="Paint", exact=True).click()
    alert = page.locator("paint-bar [role=alert]")
    expect(alert).to_contain_text("wait a while")
    expect(alert.locator("code")).to_have_text("a while")
    _nothing_is_covered(page)
    page.get_by_role("slider", name="Strength").fill("0.4")
    expect(alert).to_have_count(0)
    # What is about nothing on the page pushes it down.
    page.goto("/#/job/no-such-job")
    expect(page.get_by_role("alert").filter(has_text="not found")).to_be_visible()
    _nothing_is_covered(page)
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_role("alert").filter(visible=True)).to_have_count(0)
    assert page.evaluate("document.activeElement !== document.body")


def _nothing_is_covered(page: Any) -> None:
    """Every control that lies in the window is what a click in its middle meets."""
    covered = page.evaluate(
        """() => [...document.querySelectorAll("button, a[href], summary")].filter((one) => {
            const box = one.getBoundingClientRect();
            const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
            if (!box.width || x < 0 || y < 0 || x > innerWidth || y > innerHeight || one.disabled) return false;
            if (one.matches(".skip") || one.closest(".rail-scroll")) return false;
            const met = document.elementFromPoint(x, y);
            return !(one.contains(met) || met?.contains(one));
        }).map((one) => one.textContent)"""
    )
    assert covered == []


def test_what_is_asked_for_while_the_server_is_away_is_sent_when_it_is_back(tmp_path: Path, chromium: Any) -> None:
    import httpx

    with serving(tmp_path) as address:
        port = address.rsplit(":", 1)[1]
        context = chromium.new_context(base_url=address)
        page = context.new_page()
        page.goto("/")
        page.evaluate("s => localStorage.setItem('impasto-draft', JSON.stringify({settings: s}))", ENDLESS)
        page.reload()
        page.wait_for_selector("html[data-ready]", state="attached")
        page.get_by_role("button", name="Paint", exact=True).click()
        expect(page.locator("picture-pane.after[data-shown*=preview]")).to_be_attached(timeout=LONG)
        job = page.url.rsplit("#/job/", 1)[1]
    # B3: the server is gone, the strength is changed, the server comes back.
    expect(page.locator("#offline")).to_be_visible(timeout=LONG)
    # B7: the banner takes room, and the button is whole.
    box = page.get_by_role("button", name="Paint", exact=True).bounding_box()
    assert box["y"] + box["height"] <= page.viewport_size["height"]
    page.get_by_role("slider", name="Strength").fill("0.2")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("alert").filter(has_text="does not answer")).to_be_visible()
    with serving(tmp_path, port=port) as address, httpx.Client(base_url=address) as api:
        expect(page.locator("#offline")).to_be_hidden(timeout=LONG)
        expect(page.get_by_role("alert").filter(visible=True)).to_have_count(0)
        deadline = time.monotonic() + 60
        while api.get(f"/api/jobs/{job}").json()["settings"]["strength"] != 0.2:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        api.post(f"/api/jobs/{job}/cancel", json={})
        context.close()


def test_a_switch_does_what_it_shows(visit: Visit) -> None:
    page = visit()
    draft = "JSON.parse(localStorage.getItem('impasto-draft')).settings.background"
    for keep in (True, False):
        page.get_by_role("button", name="Regions").click()
        page.locator(".brush-canvas").focus()
        page.keyboard.press(" ")
        rest = page.get_by_role("switch", name="Leave the rest")
        # B6: the first region leaves the rest, and says so.
        expect(rest).to_be_checked()
        if not keep:
            rest.uncheck()
        page.get_by_role("button", name="Use this region").click()
        expect(page.locator("dialog[open]")).to_have_count(0)
        assert page.evaluate(draft) == ("keep" if keep else None)


@pytest.mark.parametrize("size", [(720, 450), (740, 360), (360, 740), (640, 400)], ids=str)
def test_the_button_and_the_picture_are_whole_and_in_sight(visit: Visit, size: tuple[int, int]) -> None:
    page = visit()
    page.set_viewport_size({"width": size[0], "height": size[1]})
    expect(page.locator(".forecast")).to_contain_text("px")
    box = page.get_by_role("button", name="Paint", exact=True).bounding_box()
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= size[1]
    # The strength is moved with the picture in sight.
    strength = page.get_by_role("slider", name="Strength")
    strength.scroll_into_view_if_needed()
    slider, picture = strength.bounding_box(), page.locator("compare-view").bounding_box()
    assert slider["y"] + slider["height"] <= box["y"] + 1
    assert picture["y"] >= 0
    assert picture["y"] + picture["height"] <= size[1]
    overlap = picture["x"] + picture["width"] > slider["x"] and picture["y"] + picture["height"] > slider["y"]
    assert not overlap
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_names_are_those_that_people_know(visit: Visit, api: Any, pictures: dict[str, Path], tmp_path: Path) -> None:
    wish = {
        "content": "sample:red_panda",
        "styles": ["sample:cafe_terrace"],
        "settings": BRIEF | {"learning_rate": 0.3},
    }
    axes = [{"setting": "style_scale", "values": [1.0, 2.0]}]
    sweep = api.post("/api/sweeps", json=wish | {"axes": axes}).json()
    jobs = [finished(api, job) for job in sweep["jobs"][0]]
    page = visit()
    page.goto(f"/#/job/{jobs[0]['id']}")
    page.locator(".recipe-box > summary").click()
    recipe = page.locator(".recipe")
    # B10
    for name in ("Standard", "A red panda", "Café Terrace", "Learning rate has no effect"):
        expect(recipe).to_contain_text(name)
    page.get_by_role("button", name="Use as photo").click()
    expect(page.locator("photo-well")).to_contain_text("A red panda in the style of Café Terrace at Night")
    page.get_by_role("link", name="Gallery").click()
    # B12: variations differ in their names.
    expect(page.locator(".card-name").nth(1)).to_be_visible(timeout=LONG)
    names = page.locator(".card-name").all_inner_texts()[:2]
    assert len(set(names)) == 2
    assert all("stroke size" in name for name in names)
    # Long names keep both ends.
    page.get_by_role("link", name="Paint", exact=True).click()
    for number in (1, 2):
        path = tmp_path / f"IMG {'holiday at the sea ' * 6}{number}.png"
        path.write_bytes(pictures["photo"].read_bytes())
        drop(page, "photo", path)
        expect(page.locator("photo-well strong")).to_have_text(re.compile(rf"^IMG holiday.*…?.*{number}\.png$"))
        assert len(page.locator("photo-well strong").inner_text()) < 50
    shown = page.locator("body").inner_text()
    assert not re.search(r"red_panda|cafe_terrace|style_scale|learning_rate", shown)


def test_the_help_says_where_the_pictures_are(visit: Visit, studio: str) -> None:
    page = visit()
    page.keyboard.press("?")
    # B8
    expect(page.locator(".help")).to_contain_text(re.compile(r"Impasto \d+\.\d+"))
    expect(page.locator(".help")).to_contain_text("Everything stays on this computer")


def test_a_dropped_draft_is_a_draft_again(visit: Visit, api: Any, tmp_path: Path) -> None:
    job = finished(api, submitted(api, preset="quick", settings={"size": 48}))
    path = tmp_path / "result.png"
    path.write_bytes(api.get(f"/api/jobs/{job['id']}/result").content)
    page = visit()
    drop(page, "photo", path)
    # B14
    expect(page.get_by_role("radio", name="Draft")).to_be_checked()
    assert page.evaluate("JSON.parse(localStorage.getItem('impasto-draft')).settings") == {"size": 48}


def test_forced_colors_show_tracks_and_choices(visit: Visit) -> None:
    page = visit(forced_colors="active")
    # B15
    page.get_by_role("radio", name="Standard").check()
    chosen, other = (
        page.locator(".choices label", has_text=name).evaluate("one => getComputedStyle(one).backgroundColor")
        for name in ("Standard", "Fine")
    )
    assert chosen != other
    page.get_by_role("slider", name="Strength").fill("0.75")
    track = PIL.Image.open(io.BytesIO(page.get_by_role("slider", name="Strength").screenshot())).convert("L")
    levels = np.asarray(track, dtype=int)
    middle, ground = levels[track.height // 2, 4:-4], levels[2, 2]
    assert (abs(middle - ground) > 40).sum() > 0.6 * len(middle)


def test_the_focus_stays_where_something_was_removed(visit: Visit, api: Any) -> None:
    for style in ("the_scream", "harvest"):
        finished(api, submitted(api, style))
    page = visit()
    page.get_by_role("link", name="Gallery").click()
    page.get_by_role("button", name="Delete").first.press("Enter")
    expect(page.locator("notice-stack")).to_contain_text("Deleted")
    # B16: in the gallery, in the queue, and on the picture's own page.
    expect(page.locator(".card :focus")).to_have_count(1)
    page.locator(".card-picture").first.click()
    page.get_by_role("button", name="Delete").press("Enter")
    expect(page.locator("job-panel")).to_be_hidden()
    assert page.evaluate("document.activeElement !== document.body")
    api.post("/api/queue", json={"paused": True})
    for style in ("the_scream", "harvest"):
        submitted(api, style)
    page.keyboard.press("q")
    expect(page.locator(".queue li")).to_have_count(2)
    page.get_by_role("button", name="Cancel").first.press("Enter")
    expect(page.locator(".queue li")).to_have_count(1)
    expect(page.locator(".queue :focus")).to_have_count(1)


def test_the_picture_obeys_the_keys_wherever_the_focus_is(visit: Visit, api: Any) -> None:
    page = visit()
    percent = page.locator(".percent")
    page.get_by_role("slider", name="Strength").focus()
    # B17
    fits = percent.inner_text()
    page.keyboard.press("+")
    expect(percent).not_to_have_text(fits)
    page.keyboard.press("-")
    expect(percent).to_have_text(fits)
    page.keyboard.press("1")
    expect(percent).to_have_text("100 %")
    page.keyboard.press("0")
    expect(percent).to_have_text(fits)
    # A small picture is not blown up to fill the window, and has an actual size.
    job = finished(api, submitted(api))
    page.goto(f"/#/job/{job['id']}")
    expect(percent).to_have_text("200 %")
    page.keyboard.press("1")
    expect(percent).to_have_text("100 %")


def test_the_first_load_asks_for_nothing_twice(visit: Visit, api: Any) -> None:
    job = finished(api, submitted(api))
    page = visit()
    page.wait_for_load_state("domcontentloaded")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.partition("/api/")[2]))
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    page.wait_for_timeout(500)
    # B19
    lists = [one for one in asked if one.startswith("jobs?")]
    assert len(lists) == len(set(lists))
    assert not any("succeeded" in one for one in lists)
    assert not any("thumbnail" in one and job["result"]["id"] in one for one in asked)
    page.get_by_role("link", name="Gallery").click()
    expect(page.locator(f"[data-job='{job['id']}']")).to_be_visible()


def test_size_offers_what_the_limit_allows(visit: Visit, api: Any) -> None:
    page = visit()
    size = page.get_by_role("slider", name="Size", exact=True)
    size.press("End")
    # B20
    limit = api.get("/api/system").json()["limits"]["max_pixels"]
    side = page.evaluate("JSON.parse(localStorage.getItem('impasto-draft')).settings.size")
    assert side * round(side * 576 / 1024) <= limit
    page.route("**/api/system", lambda route: route.fulfill(json=_limited(api, 500_000)))
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    size.press("Home")
    size.press("End")
    assert page.evaluate("JSON.parse(localStorage.getItem('impasto-draft')).settings.size") == 768


def _limited(api: Any, pixels: int) -> dict[str, Any]:
    system = dict(api.get("/api/system").json())
    system["limits"]["max_pixels"] = pixels
    return system


def test_a_draft_stays_until_the_painting_is_as_sharp(visit: Visit, api: Any) -> None:
    page = visit(settings={"size": 192, "scales": 3, "coarse_iterations": 100_000, "tolerance": 0})
    page.keyboard.press("i")
    draft = page.locator("picture-pane.after[data-shown^=blob]")
    expect(draft).to_be_attached(timeout=LONG)
    page.get_by_role("button", name="Paint", exact=True).click()
    # It is painted, far from its final size: the draft says so, and the painting is seen beside it.
    expect(page.locator(".draft-tag")).to_contain_text("of 192 px", timeout=LONG)
    expect(draft).to_be_attached()
    expect(page.locator(".inset")).to_have_attribute("src", re.compile("preview"))
    # Zoom is said of the final size.
    expect(page.locator(".percent")).to_have_text("200 %")
    # What is opened is in sight, and so is the picture.
    page.locator(".curves > summary").click()
    expect(page.get_by_role("img", name="Loss over")).to_be_in_viewport(ratio=0.95)
    expect(page.locator("compare-view")).to_be_in_viewport(ratio=0.9)
