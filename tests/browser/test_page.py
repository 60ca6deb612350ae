"""The page as a person uses it, in a real browser, with a real studio behind it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from tests.browser.conftest import BRIEF, ENDLESS, WIDTHS, serving
from tests.browser.files import drop, paste

pytest.importorskip("playwright", reason="playwright is not installed")
from playwright.sync_api import expect

Visit = Callable[..., Any]
SECONDS = 1000
LONG = 60 * SECONDS


def job_of(page: Any) -> str:
    """Id of the job that the address names."""
    return str(page.url).rsplit("#/job/", 1)[1]


def until(api: Any, job: str, wanted: Callable[[dict[str, Any]], bool], seconds: float = 60) -> dict[str, Any]:
    """Waits until a job is as wanted."""
    deadline = time.monotonic() + seconds
    while not wanted(now := api.get(f"/api/jobs/{job}").json()):
        assert time.monotonic() < deadline, now
        time.sleep(0.1)
    return dict(now)


def painted_on(api: Any, job: dict[str, Any], steps: int = 3) -> None:
    """Waits until a job has been painted for some steps more."""
    until(api, job["id"], lambda now: now["progress"]["step"] >= job["progress"]["step"] + steps)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_photo_becomes_a_picture(
    visit: Visit, api: Any, pictures: dict[str, Path], artefacts: Path, tmp_path: Path, width: str
) -> None:
    page = visit(width, settings=ENDLESS)
    drop(page, "photo", pictures["photo"])
    expect(page.locator("photo-well")).to_contain_text("hills.png")

    page.get_by_role("button", name="Paint", exact=True).click()
    # It paints itself: a preview comes, and then a later one.
    preview = page.locator("picture-pane.after[data-shown*=preview]")
    expect(preview).to_be_attached(timeout=LONG)
    first = preview.get_attribute("data-shown")
    expect(preview).not_to_have_attribute("data-shown", first, timeout=LONG)
    expect(page.locator("job-panel .line")).to_contain_text("px")
    page.locator(".curves > summary").click()
    expect(page.get_by_role("img", name="Loss over")).to_be_visible()
    page.screenshot(path=artefacts / f"painting-{width}.png")

    # The strength changes while it paints.
    page.get_by_role("slider", name="Strength").fill("0.8")
    job = until(api, job_of(page), lambda now: now["settings"]["strength"] == 0.8)
    # Only what was painted after the change has it among its settings.
    painted_on(api, job)

    page.get_by_role("button", name="Stop and keep").click()
    expect(page.locator("job-panel .line")).to_contain_text("stopped after", timeout=LONG)

    # Compared, by the divider and side by side.
    page.get_by_role("button", name="Before and after").click()
    divider = page.get_by_role("slider", name="How much of the photograph is shown")
    divider.focus()
    page.keyboard.press("ArrowRight")
    expect(divider).to_have_attribute("aria-valuetext", "51 % photograph")
    page.screenshot(path=artefacts / f"compare-{width}.png")
    page.get_by_role("button", name="Side by side").click()
    expect(page.locator("picture-pane.before img")).to_be_visible()

    # Downloaded, and found again after a reload.
    page.locator(".menu > summary").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="PNG").click()
    result = tmp_path / "result.png"
    download.value.save_as(result)
    assert result.read_bytes().startswith(b"\x89PNG")
    page.reload()
    expect(page.get_by_role("heading", name="hills in the style of")).to_be_visible()
    page.get_by_role("link", name="Gallery").click()
    expect(page.locator(".card").first).to_contain_text("hills in the style of")
    page.screenshot(path=artefacts / f"gallery-{width}.png")

    # Dropped again, the picture brings its settings back.
    page.get_by_role("link", name="Paint", exact=True).click()
    page.get_by_role("slider", name="Strength").fill("0.1")
    drop(page, "photo", result)
    expect(page.locator("notice-stack")).to_contain_text("Settings restored")
    expect(page.get_by_role("slider", name="Strength")).to_have_value("0.8")
    expect(page.locator("photo-well")).to_contain_text("hills.png")


def test_a_draft_is_there_at_once_and_makes_way(visit: Visit, api: Any, artefacts: Path) -> None:
    api.post("/api/queue", json={"paused": True})
    page = visit(settings=ENDLESS)
    tag = page.locator(".draft-tag")
    expect(tag).to_be_hidden()
    page.keyboard.press("i")
    drawn = page.locator("picture-pane.after[data-shown^=blob]")
    expect(drawn).to_be_attached(timeout=LONG)
    expect(tag).to_contain_text("press Paint for the full painting")
    # It follows the knobs.
    first = drawn.get_attribute("data-shown")
    page.get_by_role("slider", name="Strength").fill("0.2")
    expect(drawn).not_to_have_attribute("data-shown", first, timeout=LONG)
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(tag).to_contain_text("the painting will replace it")
    page.screenshot(path=artefacts / "draft-desktop.png")
    api.post("/api/queue", json={"paused": False})
    expect(page.locator("picture-pane.after[data-shown*=preview]")).to_be_attached(timeout=LONG)
    expect(tag).to_be_hidden()


def test_without_a_draft_the_photo_stays_and_nothing_is_said(visit: Visit, api: Any) -> None:
    api.post("/api/queue", json={"paused": True})
    page = visit(settings=ENDLESS)
    page.route("**/api/fast", lambda route: route.fulfill(status=500, body="{}"))
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.locator("job-panel .line")).to_have_text("The queue is paused")
    expect(page.locator(".draft-tag")).to_be_hidden()
    expect(page.locator(".notice.bad")).to_have_count(0)
    expect(page.get_by_alt_text("The photo: ")).to_be_visible()


def test_everything_by_keys(visit: Visit, api: Any) -> None:
    page = visit(settings=ENDLESS)
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Help")).to_be_visible()
    page.keyboard.press("Escape")

    # The first stop leads past the bar; every stop after it can be seen.
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none" or page.evaluate(
            "document.activeElement.type === 'range'"
        )

    strength = page.get_by_role("slider", name="Strength")
    strength.focus()
    page.keyboard.press("ArrowRight")
    expect(strength).to_have_value("0.55")
    page.keyboard.press("p")
    expect(page.locator("picture-pane.after[data-shown*=preview]")).to_be_attached(timeout=LONG)
    page.keyboard.press("q")
    expect(page.get_by_role("heading", name="Queue")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    expect(page.locator("job-panel .line")).to_contain_text("stopped after", timeout=LONG)
    page.keyboard.press("c")
    expect(page.get_by_role("button", name="Before and after")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("f")
    expect(page.get_by_role("button", name="Star")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("g")
    expect(page.get_by_role("heading", name="Gallery")).to_be_visible()
    page.get_by_role("button", name="Starred").press("Enter")
    expect(page.locator(".card")).to_have_count(1)


def test_what_cannot_be_used_is_said_kindly(visit: Visit, tmp_path: Path) -> None:
    page = visit()
    letter = tmp_path / "letter.png"
    letter.write_text("Dear studio, this is no picture.")
    drop(page, "photo", letter)
    expect(page.get_by_role("alert")).to_contain_text("picture")
    # The photo from before is still there, and a number out of range stays where one sees it.
    expect(page.locator("photo-well")).to_contain_text("red panda")
    page.locator(".more > summary").click()
    seed = page.get_by_label("Seed", exact=True)
    seed.fill("-3")
    seed.press("Tab")
    expect(page.locator("[data-setting=seed] .bad")).to_contain_text("whole number")
    expect(seed).to_have_attribute("aria-invalid", "true")
    page.goto("/#/job/no-such-job")
    expect(page.get_by_role("alert").last).to_contain_text("not found")


def test_every_setting_has_a_field_with_its_meaning(visit: Visit, api: Any) -> None:
    page = visit()
    page.locator(".more > summary").click()
    settings = api.get("/api/settings").json()["settings"]
    knobs = {"strength", "style_scale", "size", "blend"}
    for setting in settings:
        if setting["name"] not in knobs:
            expect(page.locator(f"[data-setting={setting['name']}]")).to_contain_text(setting["meaning"])


def test_looking_closer_keeps_the_point_under_the_finger(visit: Visit) -> None:
    page = visit()
    before, after = page.evaluate(
        """async () => {
            const {placeOf, zoomed, FIT} = await import("/static/view.js");
            const [box, picture, at] = [{width: 800, height: 500}, {width: 6000, height: 4000}, {x: 300, y: 260}];
            const point = (view) => {
                const place = placeOf(view, box, picture);
                return [(at.x - place.left) / place.scale, (at.y - place.top) / place.scale];
            };
            const near = zoomed(FIT, box, picture, 3, at);
            return [point(near), point(zoomed(near, box, picture, 2, at))];
        }"""
    )
    assert before == pytest.approx(after, abs=1e-6)


def test_tiles_cover_what_is_seen(visit: Visit) -> None:
    page = visit()
    tiles = page.evaluate(
        """async () => {
            const {placeOf, kept, visibleTiles} = await import("/static/view.js");
            const [box, picture] = [{width: 800, height: 500}, {width: 6000, height: 4000}];
            const place = placeOf(kept({zoom: 8, x: 0.99, y: 0.5}, box, picture), box, picture);
            return visibleTiles(place, box, picture, {size: 512, levels: 4}, 1);
        }"""
    )
    assert {tile["level"] for tile in tiles} == {0}
    assert min(tile["left"] for tile in tiles) <= 0
    assert max(tile["left"] + tile["width"] for tile in tiles) == pytest.approx(800)
    assert min(tile["top"] for tile in tiles) <= 0 < 500 <= max(tile["top"] + tile["height"] for tile in tiles)


def test_a_deleted_picture_comes_back(visit: Visit, api: Any) -> None:
    page = visit(settings=BRIEF)
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.locator(".menu > summary")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("link", name="Gallery").click()
    expect(page.locator(".card").first).to_contain_text("red panda")


@pytest.mark.slow
def test_the_queue_is_put_in_another_order(visit: Visit, api: Any) -> None:
    api.post("/api/queue", json={"paused": True})
    wish = {"content": "sample:red_panda", "settings": BRIEF}
    for style in ("the_scream", "starry_night"):
        api.post("/api/jobs", json=wish | {"styles": [f"sample:{style}"]}).raise_for_status()
    page = visit()
    page.get_by_role("button", name="Queue, 2 pictures").click()
    rows = page.locator(".queue li")
    expect(rows.first).to_contain_text("The Scream")
    rows.first.get_by_role("button", name="Later").click()
    expect(rows.first).to_contain_text("Starry Night")
    page.get_by_role("button", name="Resume the queue").click()
    expect(rows.first).to_contain_text("Nothing is waiting", timeout=2 * LONG)


@pytest.mark.slow
def test_a_picture_is_dragged_to_the_front_of_the_queue(visit: Visit, api: Any) -> None:
    api.post("/api/queue", json={"paused": True})
    wish = {"content": "sample:red_panda", "settings": BRIEF}
    for style in ("the_scream", "night_cafe", "starry_night"):
        api.post("/api/jobs", json=wish | {"styles": [f"sample:{style}"]}).raise_for_status()
    page = visit()
    page.get_by_role("button", name="Queue, 3 pictures").click()
    rows = page.locator(".queue li")
    rows.last.drag_to(rows.first)
    expect(rows.first).to_contain_text("Starry Night")
    listed = api.get("/api/jobs").json()
    paintings = {job["id"]: job["styles"][0]["ref"] for job in listed["jobs"]}
    wanted = ["sample:starry_night", "sample:the_scream", "sample:night_cafe"]
    assert [paintings[job] for job in listed["queue"]["order"]] == wanted


@pytest.mark.slow
def test_one_of_several_variations_is_used(visit: Visit, artefacts: Path) -> None:
    page = visit(settings=BRIEF)
    page.keyboard.press("v")
    page.get_by_label("Values").first.fill("0.2, 0.8")
    page.get_by_role("button", name="Paint them").click()
    expect(page.locator(".cell.succeeded")).to_have_count(2, timeout=2 * LONG)
    expect(page.get_by_role("columnheader")).to_have_text(["Strength 0.2", "Strength 0.8"])
    page.screenshot(path=artefacts / "variations-desktop.png")
    page.get_by_role("button", name="Use").last.click()
    expect(page.get_by_role("slider", name="Strength")).to_have_value("0.8")


@pytest.mark.slow
def test_a_region_is_drawn(visit: Visit, api: Any, artefacts: Path) -> None:
    page = visit(settings=BRIEF)
    page.get_by_role("button", name="Regions").click()
    canvas = page.locator(".brush-canvas")
    canvas.focus()
    for key in (" ", "ArrowRight", " ", "ArrowDown", " "):
        page.keyboard.press(key)
    page.screenshot(path=artefacts / "region-desktop.png")
    page.get_by_role("button", name="Use this region").click()
    expect(page.locator("painting-list")).to_contain_text("in its region")
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.locator(".menu > summary")).to_be_visible(timeout=LONG)
    job = api.get(f"/api/jobs/{job_of(page)}").json()
    assert len(job["masks"]) == 1
    assert job["settings"]["background"] == "keep"


@pytest.mark.slow
def test_a_picture_is_pasted(visit: Visit, pictures: dict[str, Path]) -> None:
    page = visit()
    paste(page, pictures["painting"])
    expect(page.locator("photo-well")).to_contain_text("swirls.png")
    page.get_by_role("button", name="Use it as a painting").click()
    expect(page.locator("painting-list")).to_contain_text("swirls.png")
    expect(page.locator("photo-well")).to_contain_text("red panda")


@pytest.mark.slow
def test_two_fingers_zoom(visit: Visit) -> None:
    page = visit("phone")
    view = page.locator("compare-view")
    box = view.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = page.context.new_cdp_session(page)

    def fingers(kind: str, apart: float) -> None:
        points = [] if kind == "touchEnd" else [{"x": x - apart, "y": y, "id": 1}, {"x": x + apart, "y": y, "id": 2}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", 20)
    for apart in (30, 45, 60):
        fingers("touchMove", apart)
    fingers("touchEnd", 0)
    expect(view).to_have_class("zoomed")
    page.get_by_role("button", name="Fit (0)").click()
    expect(view).not_to_have_class("zoomed")


def test_what_is_drawn_waits_until_it_is_used(visit: Visit, pictures: dict[str, Path]) -> None:
    page = visit()
    drop(page, "painting", pictures["painting"])
    rows = page.locator("painting-list li")

    def draw_both() -> None:
        page.get_by_role("button", name="Regions").click()
        for place in (0, 1, 0):
            page.locator(".brush .choices button").nth(place).click()
            page.locator(".brush-canvas").focus()
            page.keyboard.press("ArrowRight" if place else "ArrowLeft")
            page.keyboard.press(" ")

    draw_both()
    page.get_by_role("button", name="Leave as it was").click()
    expect(page.locator("painting-list")).not_to_contain_text("in its region")
    draw_both()
    page.get_by_role("button", name="Use this region").click()
    for row in (rows.first, rows.last):
        expect(row).to_contain_text("in its region")
    kept = page.evaluate("JSON.parse(localStorage.getItem('impasto-draft')).styles.map((style) => style.mask.name)")
    assert kept == ["region-1.png", "region-2.png"]
    # A third painting gets what the two leave, and nothing once they have gone.
    drop(page, "painting", pictures["photo"])
    expect(rows.nth(2)).to_contain_text("in its region")
    for count in (2, 1):
        page.get_by_role("button", name="Remove").first.click()
        expect(rows).to_have_count(count)
    expect(rows.first).not_to_contain_text("in its region")


def test_a_region_that_the_studio_has_no_more_is_let_go(visit: Visit) -> None:
    page = visit()
    page.evaluate(
        """() => {
            const draft = JSON.parse(localStorage.getItem("impasto-draft"));
            draft.styles[0].mask = { ...draft.content, ref: `picture:${"0".repeat(64)}`, name: "region-1.png" };
            localStorage.setItem("impasto-draft", JSON.stringify(draft));
        }"""
    )
    page.reload()
    expect(page.locator("painting-list")).to_contain_text("Painting")
    expect(page.locator("painting-list")).not_to_contain_text("in its region")


@pytest.mark.slow
def test_settings_are_used_as_they_were_asked_for(visit: Visit, api: Any) -> None:
    api.post("/api/queue", json={"paused": True})
    wish = {"content": "sample:red_panda", "styles": ["sample:the_scream"], "settings": BRIEF | {"strength": 0.3}}
    job = api.post("/api/jobs", json=wish).json()["id"]
    api.post(f"/api/jobs/{job}/settings", json={"settings": {"strength": 0.9}}).raise_for_status()
    api.post("/api/queue", json={"paused": False})
    until(api, job, lambda now: now["state"] == "succeeded")
    page = visit()
    page.goto(f"/#/job/{job}")
    page.get_by_role("button", name="Use these settings").click()
    expect(page.get_by_role("slider", name="Strength")).to_have_value("0.3")


@pytest.mark.slow
def test_a_long_queue_hides_no_picture_and_variations_are_cancelled(visit: Visit, api: Any) -> None:
    wish = {"content": "sample:red_panda", "styles": ["sample:the_scream"], "settings": BRIEF}
    done = api.post("/api/jobs", json=wish).json()["id"]
    until(api, done, lambda now: now["state"] == "succeeded")
    api.post("/api/queue", json={"paused": True})
    values = [round(0.02 * step, 2) for step in range(1, 37)]
    sweeps = [
        api.post("/api/sweeps", json=wish | {"axes": [{"setting": name, "values": values}]}).json()
        for name in ("strength", "detail")
    ]
    page = visit()
    page.get_by_role("link", name="Gallery").click()
    expect(page.locator(f"[data-job='{done}']")).to_be_visible()
    first = sweeps[0]["jobs"][0][0]["id"]
    api.post(f"/api/jobs/{first}/cancel", json={}).raise_for_status()
    api.post(f"/api/jobs/{first}/delete", json={}).raise_for_status()
    page.goto(f"/#/job/{sweeps[0]['jobs'][0][1]['id']}")
    page.get_by_role("link", name="All variations").click()
    # The first is gone, and the second is where it was.
    cells = page.locator("table.sweep td")
    expect(cells).to_have_count(36)
    expect(cells.nth(0).locator("img")).to_have_count(0)
    expect(cells.nth(1).locator("img")).to_have_count(1)
    page.get_by_role("button", name="Cancel the rest").click()
    expect(page.locator(".cell.canceled")).to_have_count(35)
    expect(page.get_by_role("button", name="Cancel the rest")).to_have_count(0)
    assert len(api.get("/api/jobs?state=queued&limit=200").json()["jobs"]) == 36


@pytest.mark.slow
def test_regions_change_while_it_paints(visit: Visit, api: Any) -> None:
    page = visit(settings=ENDLESS)
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.locator("picture-pane.after[data-shown*=preview]")).to_be_attached(timeout=LONG)
    page.get_by_role("button", name="Regions").click()
    page.locator(".brush-canvas").focus()
    page.keyboard.press(" ")
    page.get_by_role("button", name="Use this region").click()
    job = until(api, job_of(page), lambda now: len(now["masks"]) == 1)
    painted_on(api, job)
    page.get_by_role("button", name="Stop and keep").click()
    expect(page.locator("job-panel .line")).to_contain_text("stopped after", timeout=LONG)


@pytest.mark.slow
def test_shares_of_two_paintings_change_while_it_paints(visit: Visit, api: Any, pictures: dict[str, Path]) -> None:
    page = visit(settings=ENDLESS)
    drop(page, "painting", pictures["painting"])
    share = page.get_by_role("slider", name="Share of swirls.png")
    expect(share).to_have_attribute("aria-valuetext", "50 %")
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.locator("picture-pane.after[data-shown*=preview]")).to_be_attached(timeout=LONG)
    share.fill("0.25")
    expect(share).to_have_attribute("aria-valuetext", "20 %")
    job = until(api, job_of(page), lambda now: [style["weight"] for style in now["styles"]] == [0.8, 0.2])
    painted_on(api, job)
    page.get_by_role("button", name="Stop and keep").click()
    expect(page.locator("job-panel .line")).to_contain_text("stopped after", timeout=LONG)


def test_the_focus_stays_where_a_painting_was_removed(visit: Visit, pictures: dict[str, Path]) -> None:
    page = visit()
    rows = page.locator("painting-list li")
    for count, name in ((2, "painting"), (3, "photo")):
        drop(page, "painting", pictures[name])
        expect(rows).to_have_count(count)
    page.get_by_role("button", name="Remove").first.press("Enter")
    expect(rows).to_have_count(2)
    expect(rows.first.get_by_role("button", name="Remove")).to_be_focused()


@pytest.mark.slow
def test_a_stopped_picture_is_painted_longer(visit: Visit, api: Any) -> None:
    page = visit(settings=BRIEF)
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.locator(".menu > summary")).to_be_visible(timeout=LONG)
    first = job_of(page)
    page.get_by_role("button", name="Paint longer").click()
    page.wait_for_function("first => !location.hash.endsWith(first)", arg=first)
    assert until(api, job_of(page), lambda now: now["state"] == "succeeded")["parent"] == first
    expect(page.locator("job-panel .line")).to_contain_text("painted in", timeout=LONG)


@pytest.mark.slow
def test_a_giant_is_sharp_by_its_tiles(visit: Visit, tmp_path: Path) -> None:
    page = visit()
    path = tmp_path / "giant.png"
    PIL.Image.effect_noise((2600, 1700), 60).resize((3900, 2550)).convert("RGB").save(path)
    drop(page, "photo", path)
    expect(page.locator("photo-well")).to_contain_text("giant.png", timeout=LONG)
    page.keyboard.press("1")
    tiles = page.locator("picture-pane.after .tiles img")
    expect(tiles.first).to_be_attached(timeout=LONG)
    drawn = "all => all.length > 0 && all.every((one) => one.complete && one.naturalWidth > 0)"
    deadline = time.monotonic() + 60
    while not tiles.evaluate_all(drawn):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert "/tiles/0/" in tiles.first.get_attribute("src")


@pytest.mark.slow
def test_the_token_is_asked_for_once(tmp_path: Path, chromium: Any) -> None:
    with serving(tmp_path, IMPASTO_TOKEN="a token that nobody guesses") as address:
        context = chromium.new_context(base_url=address.partition("#")[0])
        page = context.new_page()
        page.goto("/")
        field = page.get_by_role("textbox", name="Token")
        field.fill("a wrong one")
        page.get_by_role("button", name="Enter").click()
        expect(page.get_by_role("alert").filter(has_text="token")).to_be_visible()
        field.fill("a token that nobody guesses")
        page.get_by_role("button", name="Enter").click()
        expect(page.locator("photo-well")).to_contain_text("red panda", timeout=LONG)
        page.reload()
        expect(page.locator("photo-well")).to_contain_text("red panda", timeout=LONG)
        context.close()
