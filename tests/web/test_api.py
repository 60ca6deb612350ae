"""The API, asked in process and painting for real: what a person with curl gets."""

from __future__ import annotations

import io
import json
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from impasto.recipes import Recipe
from impasto.settings import OPTIONS
from tests.web.studio_running import (
    ENDLESS,
    JOB,
    QUICK,
    begun,
    events,
    in_process,
    mask,
    png,
    submitted,
    until,
    until_final,
    uploaded,
)


@pytest.fixture(scope="module")
def done(client):
    """A finished job."""
    job = until_final(client, submitted(client))
    assert job["state"] == "succeeded", job
    return job


@pytest.fixture
def endless(client):
    """A job that is being painted, and would be for hours."""
    job = submitted(client, settings=ENDLESS)
    until(client, job, begun)
    yield job
    if client.get(f"/api/jobs/{job}").json()["state"] in ("queued", "running"):
        client.post(f"/api/jobs/{job}/cancel")


@pytest.mark.promise("retention")
def test_a_picture_that_is_named_while_old_ones_are_erased_stays(data):
    with in_process(data, paints=False) as client:
        studio = client.app.state.studio
        ref = client.post("/api/pictures", files={"file": ("a.png", png(43, 33))}).json()["id"]
        with studio.database.transaction() as change:
            change("update pictures set created = 0")

        def named_meanwhile(statement: str) -> None:
            if statement.startswith("begin"):
                studio.database._connection.set_trace_callback(None)
                with sqlite3.connect(data / "studio.sqlite3") as other:
                    other.execute("update pictures set created = ?", (time.time(),))

        studio.database._connection.set_trace_callback(named_meanwhile)
        studio.pictures.purge(set, time.time() - 60)
        assert client.get(f"/api/pictures/{ref}").status_code == 200


def test_a_job_becomes_a_picture_with_its_settings_inside(client, done, tmp_path):
    answer = client.get(done["result"]["url"])
    assert answer.headers["content-type"] == "image/png"
    (tmp_path / "out.png").write_bytes(answer.content)
    recipe = Recipe.of_file(tmp_path / "out.png")
    assert (recipe.settings.size, recipe.content.name, recipe.styles[0].name) == (
        32,
        "sample:coffee",
        "sample:starry_night",
    )
    assert PIL.Image.open(io.BytesIO(answer.content)).size == (done["result"]["width"], done["result"]["height"])
    assert (done["name"], done["progress"]["fraction"], done["actions"]) == (
        "coffee-starry_night",
        1.0,
        ["extend", "star", "delete"],
    )


@pytest.mark.parametrize("format", ["jpeg", "tiff", "png"])
def test_results_come_in_three_formats(client, done, format):
    answer = client.get(f"/api/jobs/{done['id']}/result", params={"format": format, "download": True})
    picture = PIL.Image.open(io.BytesIO(answer.content))
    assert picture.format == format.upper()
    assert f'filename="coffee-starry_night.{format}"' in answer.headers["content-disposition"]
    found = client.post("/api/recipe", files={"file": ("x", answer.content)}).json()
    assert found["changed"]["size"] == 32


def test_a_form_with_files_is_a_job_too(client):
    answer = client.post(
        "/api/jobs",
        files=[
            ("content", ("../../etc/my photo.png", png())),
            ("style", ("a.png", png(color=(10, 90, 200)))),
            ("style", (None, "sample:the_scream")),
        ],
        data={
            "preset": "quick",
            "settings": json.dumps({"blend": [0.25, 0.75], "scales": 1}),
            "size": "32",
            "iterations": "1",
        },
    )
    assert answer.status_code == 202, answer.text
    job = until_final(client, answer.headers["location"].rpartition("/")[2])
    assert job["state"] == "succeeded", job
    assert (job["content"]["name"], job["name"]) == ("my photo.png", "my photo-a+the_scream")
    assert [style["weight"] for style in job["styles"]] == [0.25, 0.75]
    assert (job["preset"], job["settings"]["size"], job["settings"]["coarse_iterations"]) == ("quick", 32, 24)


def test_weights_beside_the_styles_are_the_blend(client):
    order = {**JOB, "styles": ["sample:starry_night", {"ref": "sample:the_scream", "weight": 3}]}
    job = client.post("/api/jobs", json=order).json()
    assert job["settings"]["blend"] == [1.0, 3.0]
    client.post(f"/api/jobs/{job['id']}/cancel")


def test_uploads_are_kept_once_and_can_be_referred_to(client):
    content = png(40, 30)
    first = client.post("/api/pictures", files={"file": ("photo.png", content)})
    again = client.post("/api/pictures", files={"file": ("other.png", content)})
    assert (first.status_code, again.status_code) == (201, 200)
    picture = first.json()
    # It goes by the name that it was given last.
    assert again.json() == {**picture, "name": "other.png"}
    assert (picture["width"], picture["height"], picture["format"], picture["bytes"]) == (40, 30, "PNG", len(content))
    assert client.get(picture["url"]).content == content
    small = client.get(picture["thumbnail_url"])
    assert (small.headers["content-type"], PIL.Image.open(io.BytesIO(small.content)).size) == ("image/jpeg", (40, 30))
    job = client.post("/api/jobs", json={**JOB, "content": picture["ref"]}).json()
    assert job["content"]["id"] == picture["id"]
    client.post(f"/api/jobs/{job['id']}/cancel")


def test_tiles_make_up_the_picture(client):
    rng = np.random.default_rng(0)
    pixels = PIL.Image.fromarray(rng.integers(0, 255, (7, 9, 3), dtype=np.uint8)).resize((1300, 700))
    out = io.BytesIO()
    pixels.save(out, "PNG")
    picture = client.post("/api/pictures", files={"file": ("large.png", out.getvalue())}).json()
    tiles = picture["tiles"]
    assert (tiles["size"], tiles["levels"]) == (512, 3)

    def tile(level: int, x: int, y: int) -> PIL.Image.Image:
        answer = client.get(tiles["url"].format(level=level, x=x, y=y))
        assert answer.status_code == 200, answer.text
        return PIL.Image.open(io.BytesIO(answer.content))

    whole = PIL.Image.new("RGB", (1300, 700))
    for y in range(2):
        for x in range(3):
            whole.paste(tile(0, x, y), (512 * x, 512 * y))
    assert np.abs(np.asarray(whole, int) - np.asarray(pixels, int)).mean() < 1.5
    assert tile(2, 0, 0).size == (325, 175)
    for missing in ("3/0/0", "0/3/0", "0/0/2"):
        assert client.get(f"{picture['url']}/tiles/{missing}").status_code == 404
    with_bound = client.get(picture["thumbnail_url"], params={"side": 640})
    assert PIL.Image.open(io.BytesIO(with_bound.content)).size == (640, 345)


def test_a_result_brings_its_settings_back(client, done):
    content = client.get(done["result"]["url"]).content
    for answer in (client.post("/api/recipe", files={"file": ("x.png", content)}),):
        recipe = answer.json()
        assert recipe["changed"] == {**QUICK, **{k: v for k, v in done["changed"].items() if k not in QUICK}}
        assert recipe["content"] == {"name": "sample:coffee", "ref": "sample:coffee"}
        assert recipe["styles"] == [{"name": "sample:starry_night", "ref": "sample:starry_night"}]
    assert client.get(f"/api/pictures/{done['result']['id']}/info").json()["recipe"] == recipe


def test_the_events_of_a_job_tell_all_of_it(client):
    job = submitted(client, settings={**QUICK, "iterations": 6, "seed": 5})
    with client.stream("GET", f"/api/jobs/{job}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        told = list(events(stream.iter_lines()))
    points: list = []
    for name, data, _ in told:
        if name == "losses":
            points[data["from"] :] = data["points"]
    assert points == client.get(f"/api/jobs/{job}/losses").json()["points"]
    assert [point["step"] for point in points] == list(range(1, len(points) + 1))
    for point in points:
        assert sum(point["losses"].values()) == pytest.approx(point["loss"], rel=1e-5)
    states = [data["state"] for name, data, _ in told if name == "job"]
    assert states[-1] == "succeeded" and sorted(states, key=("queued", "running", "succeeded").index) == states
    assert any(name == "preview" for name, _, _ in told)
    last = told[-1][2]
    assert last == str(len(points))
    assert client.get(f"/api/jobs/{job}/events", headers={"Last-Event-ID": last}).status_code == 204
    with client.stream("GET", f"/api/jobs/{job}/events", headers={"Last-Event-ID": "2"}) as stream:
        again = [data for name, data, _ in events(stream.iter_lines()) if name == "losses"]
    assert [one["from"] for one in again] == [2]


def test_settings_change_while_it_paints(client, endless):
    before = client.get(f"/api/jobs/{endless}").json()
    answer = client.post(f"/api/jobs/{endless}/settings", json={"settings": {"strength": 0.9, "style_weight": 30}})
    assert answer.status_code == 200, answer.text
    assert answer.json()["settings"]["strength"] == 0.9
    assert answer.json()["recipe_settings"] == before["settings"]
    step = before["progress"]["step"]
    until(client, endless, lambda now: now["progress"]["step"] > step + 20)
    points = client.get(f"/api/jobs/{endless}/losses").json()["points"]
    assert {"strength", "style_weight"} in [set(point["changed"]) for point in points]
    client.post(f"/api/jobs/{endless}/stop")
    job = until_final(client, endless)
    recipe = client.get(f"/api/pictures/{job['result']['id']}/info").json()["recipe"]
    assert (recipe["settings"]["strength"], recipe["settings"]["style_weight"]) == (0.9, 30)


def test_a_setting_that_cannot_change_any_more_is_refused_by_name(client, endless):
    answer = client.post(f"/api/jobs/{endless}/settings", json={"settings": {"size": 64}})
    assert (answer.status_code, answer.json()["setting"]) == (422, "size")


def test_masks_change_while_it_paints(client, endless):
    half = uploaded(client, mask(48, 32))
    answer = client.post(f"/api/jobs/{endless}/settings", json={"masks": [half], "settings": {"background": "keep"}})
    assert answer.status_code == 200, answer.text
    until(client, endless, lambda now: now["init"] is not None and now["progress"]["step"] > 3)
    client.post(f"/api/jobs/{endless}/stop")
    job = until_final(client, endless)
    assert (job["state"], len(job["masks"])) == ("succeeded", 1)
    recipe = client.get(f"/api/pictures/{job['result']['id']}/info").json()["recipe"]
    assert len(recipe["masks"]) == 1 and recipe["init"] is not None


def test_stopping_keeps_what_is_there(client, endless):
    client.post(f"/api/jobs/{endless}/stop")
    job = until_final(client, endless)
    assert (job["state"], job["result"]["stopped"]) == ("succeeded", True)
    assert client.get(job["result"]["url"]).status_code == 200


def test_cancelling_throws_away_and_retrying_begins_again(client, endless):
    assert client.post(f"/api/jobs/{endless}/cancel").json()["state"] == "canceled"
    assert client.get(f"/api/jobs/{endless}/result").status_code == 409
    assert client.post(f"/api/jobs/{endless}/retry").json()["state"] in ("queued", "running")
    until(client, endless, lambda now: now["state"] == "running")
    client.post(f"/api/jobs/{endless}/stop")
    assert until_final(client, endless)["state"] == "succeeded"


def test_a_paused_job_goes_on_where_it_was(client, endless):
    until(client, endless, lambda now: now["progress"]["step"] >= 10)
    client.post(f"/api/jobs/{endless}/pause")
    paused = until(client, endless, lambda now: now["state"] == "queued")
    assert paused["paused"] and "resume" in paused["actions"]
    # Others have their turn meanwhile.
    assert until_final(client, submitted(client))["state"] == "succeeded"
    client.post(f"/api/jobs/{endless}/resume")
    until(
        client, endless, lambda now: now["state"] == "running" and now["progress"]["step"] > paused["progress"]["step"]
    )
    steps = [point["step"] for point in client.get(f"/api/jobs/{endless}/losses").json()["points"]]
    assert steps == list(range(1, len(steps) + 1))


def test_painting_longer(client, done):
    answer = client.post(f"/api/jobs/{done['id']}/extend", json={"iterations": 3})
    assert answer.status_code == 202
    longer = until_final(client, answer.headers["location"].rpartition("/")[2])
    assert (longer["state"], longer["parent"], longer["progress"]["step"]) == ("succeeded", done["id"], 3)
    assert longer["init"]["id"] == done["result"]["id"]


def test_painting_longer_while_it_paints(client):
    job = submitted(client, settings={**ENDLESS, "iterations": 500, "scales": 1})
    until(client, job, begun)
    answer = client.post(f"/api/jobs/{job}/extend", json={"iterations": 7})
    assert (answer.status_code, answer.json()["id"]) == (202, job)
    until(client, job, lambda now: now["progress"]["iterations"] == 507)
    client.post(f"/api/jobs/{job}/cancel")


def test_painting_longer_than_may_be_is_refused(client, endless):
    answer = client.post(f"/api/jobs/{endless}/extend", json={"iterations": 7})
    assert (answer.status_code, answer.json()["setting"]) == (422, "iterations"), answer.text
    assert "7 more make 1000007; at most 1000000 are allowed" in answer.json()["detail"]
    assert client.get(f"/api/jobs/{endless}").json()["settings"]["iterations"] == 1_000_000


def test_a_file_that_has_vanished_fails_the_job_in_words_and_it_can_be_retried(client):
    photo = uploaded(client, png(45, 33))
    client.post("/api/queue", json={"paused": True})
    try:
        job = submitted(client, content=photo)
        file = client.app.state.studio.pictures.path(photo.removeprefix("picture:"))
        hidden = file.rename(file.with_name("hidden"))
    finally:
        client.post("/api/queue", json={"paused": False})
    failed = until_final(client, job)
    assert (failed["state"], failed["attempts"]) == ("failed", 1)
    assert (
        "could not be read or written (No such file or directory); correct this, then retry"
        in failed["error"]["detail"]
    )
    hidden.rename(file)
    client.post(f"/api/jobs/{job}/retry")
    assert until_final(client, job)["state"] == "succeeded"


@pytest.mark.promise("out-of-memory")
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux keeps a process to its memory")
def test_memory_that_is_used_up_fails_the_job_with_advice(data):
    with in_process(data) as client:
        until_final(client, submitted(client))
        import resource

        (worker,) = client.app.state.studio.dispatcher._executor.pids
        held = int(Path(f"/proc/{worker}/statm").read_text().split()[0]) * resource.getpagesize()
        resource.prlimit(worker, resource.RLIMIT_AS, (held + (100 << 20),) * 2)
        failed = until_final(client, submitted(client, settings={"size": 1000, "scales": 1, "iterations": 1}))
        assert (failed["state"], failed["error"]["type"]) == ("failed", "about:blank#too-much-memory"), failed
        assert "choose a smaller size" in failed["error"]["detail"]
        # The process has lived on.
        assert client.app.state.studio.dispatcher._executor.pids == [worker]


def test_stars_and_the_bin(client, done):
    job = done["id"]
    assert client.post(f"/api/jobs/{job}/star", json={"starred": True}).json()["starred"]
    assert job in [one["id"] for one in client.get("/api/jobs", params={"starred": True}).json()["jobs"]]
    assert client.post(f"/api/jobs/{job}/delete").json()["deleted"]
    assert job not in [one["id"] for one in client.get("/api/jobs", params={"limit": 200}).json()["jobs"]]
    assert job in [one["id"] for one in client.get("/api/jobs", params={"deleted": True}).json()["jobs"]]
    assert not client.post(f"/api/jobs/{job}/undelete").json()["deleted"]
    assert job in [one["id"] for one in client.get("/api/jobs", params={"limit": 200}).json()["jobs"]]


def test_the_queue_is_halted_ordered_and_listed_page_by_page(client):
    client.post("/api/queue", json={"paused": True})
    try:
        jobs = [submitted(client, settings={**QUICK, "seed": seed}) for seed in range(3)]
        queue = client.post("/api/queue", json={"order": [jobs[2], jobs[0]]}).json()
        assert queue == {"paused": True, "order": [jobs[2], jobs[0], jobs[1]], "running": []}
        assert client.post(f"/api/jobs/{jobs[1]}/move", json={"to": 0}).json()["position"] == 0
        first = client.get("/api/jobs", params={"limit": 2}).json()
        second = client.get("/api/jobs", params={"limit": 1, "before": first["next"]}).json()
        assert [one["id"] for one in first["jobs"] + second["jobs"]] == jobs[::-1]
        changed = client.post(f"/api/jobs/{jobs[0]}/settings", json={"settings": {"size": 40}}).json()
        assert changed["settings"]["size"] == 40
        for job in jobs:
            client.post(f"/api/jobs/{job}/cancel")
    finally:
        client.post("/api/queue", json={"paused": False})


@pytest.mark.promise("idempotency")
def test_the_same_submission_many_times_is_one_job(client):
    found, lock = set(), threading.Lock()

    def submit() -> None:
        answer = client.post("/api/jobs", json=JOB, headers={"Idempotency-Key": "one"})
        with lock:
            found.add((answer.status_code, answer.json().get("id")))

    threads = [threading.Thread(target=submit) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1 and next(iter(found))[0] == 202
    other = client.post("/api/jobs", json={**JOB, "preset": "quick"}, headers={"Idempotency-Key": "one"})
    assert (other.status_code, other.json()["type"]) == (422, "about:blank#key-reused")


@pytest.mark.promise("idempotency")
def test_the_same_sweep_asked_for_many_times_is_one_sheet(data):
    order = {**JOB, "axes": [{"setting": "strength", "values": [0.2, 0.8]}]}
    with in_process(data, paints=False) as client, ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: client.post("/api/sweeps", json=order, headers={"Idempotency-Key": "sheet"}), range(8))
        )
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert len(client.get("/api/sweeps").json()["sweeps"]) == 1
        assert len(client.get("/api/jobs").json()["jobs"]) == 2


def test_a_sweep_ends_on_a_labelled_sheet(client):
    order: dict[str, Any] = {
        **JOB,
        "settings": {**QUICK, "scales": 1, "iterations": 1},
        "axes": [
            {"setting": "strength", "values": [0.2, 0.8]},
            {"setting": "keep_color", "values": ["none", "luminance"]},
        ],
    }
    answer = client.post("/api/sweeps", json=order)
    assert answer.status_code == 202, answer.text
    sweep = answer.json()
    assert (sweep["rows"], sweep["columns"], sweep["total"]) == (2, 2, 4)
    assert sweep["jobs"][1][0]["sweep"]["label"] == "strength 0.8, keep_color none"
    assert client.get(f"/api/sweeps/{sweep['id']}/sheet").status_code == 409
    deadline = time.monotonic() + 90
    while (now := client.get(f"/api/sweeps/{sweep['id']}").json())["done"] < 4:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    sheet = client.get(now["sheet"]["url"])
    assert PIL.Image.open(io.BytesIO(sheet.content)).format == "PNG"
    assert client.get("/api/sweeps").json()["sweeps"][0]["id"] == sweep["id"]


def test_what_there_is(client):
    settings = client.get("/api/settings").json()
    assert [one["name"] for one in settings["settings"]] == list(OPTIONS)
    by_name = {one["name"]: one for one in settings["settings"]}
    assert by_name["strength"]["type"] == "number" and by_name["strength"]["live"]
    assert by_name["style_layers"]["type"] == "layers" and by_name["blend"]["type"] == "shares"
    assert by_name["style_loss"]["choices"] and by_name["style_loss"]["type"] == "choice"
    assert not by_name["init"]["open_ended"] and by_name["size"]["type"] == "integer"
    samples = client.get("/api/samples").json()["samples"]
    assert {one["kind"] for one in samples} == {"photo", "painting"}
    for sample in samples[:2]:
        assert client.get(sample["url"]).status_code == client.get(sample["thumbnail_url"]).status_code == 200
    presets = client.get("/api/presets").json()
    assert presets["default"] in [one["name"] for one in presets["presets"]]
    assert client.get("/api/system").json()["limits"]["max_files"] == 8
    assert client.get("/api/health").json()["status"] == "ok"


def test_an_estimate_says_what_a_job_takes_and_warns_of_what_has_no_effect(client):
    order = {**JOB, "settings": {"size": 64, "learning_rate": 0.5}}
    told = client.post("/api/estimate", json=order).json()
    assert told["size"] == [43, 64] and told["memory_bytes"] > 1e8 and told["fits"]
    assert told["warnings"] == ["learning_rate has no effect: it belongs to Adam, and optimizer is lbfgs"]


def test_a_picture_at_once(client):
    fields = {"content": "sample:coffee", "style": "sample:the_scream", "size": "64"}
    parts = [(name, (None, value)) for name, value in fields.items()]
    answer = client.post("/api/fast", files=parts)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    painted = PIL.Image.open(io.BytesIO(answer.content))
    assert max(painted.size) == 64
    # A painting of one's own, half of it, as PNG.
    more = [
        ("style", ("mine.png", png(64, 64))),
        ("weight", (None, "1")),
        ("weight", (None, "1")),
        ("format", (None, "png")),
    ]
    both = client.post("/api/fast", files=[*parts, *more])
    assert both.headers["content-type"] == "image/png", both.text
    assert PIL.Image.open(io.BytesIO(both.content)).size == painted.size


def test_numbers_for_prometheus(client, done):
    text = client.get("/metrics").text
    assert 'impasto_jobs{state="succeeded"}' in text
    assert 'impasto_requests_total{method="GET",route="/api/jobs/{id}"' in text
    assert done["id"] not in text


@pytest.mark.promise("retention")
def test_what_is_erased_is_what_nothing_names(data):
    with in_process(data, keep_deleted=0.0) as client:
        studio = client.app.state.studio
        named = client.post("/api/pictures", files={"file": ("a.png", png(41, 31))}).json()
        nobodys = client.post("/api/pictures", files={"file": ("b.png", png(42, 32))}).json()
        done = until_final(client, submitted(client, content=named["ref"]))
        thrown_away = until_final(client, submitted(client, settings={**QUICK, "seed": 3}))
        client.post(f"/api/jobs/{thrown_away['id']}/delete")
        time.sleep(0.01)
        studio._purge()
        assert client.get(named["url"]).status_code == client.get(done["result"]["url"]).status_code == 200
        assert client.get(nobodys["url"]).status_code == 404
        assert client.get(f"/api/jobs/{thrown_away['id']}").status_code == 404
        assert client.get(f"/api/pictures/{thrown_away['result']['id']}").status_code == 404
        assert not (data / "jobs" / thrown_away["id"]).exists()


def test_everything_is_there_after_a_restart(data):
    with in_process(data) as client:
        done = until_final(client, submitted(client))
        client.post(f"/api/jobs/{done['id']}/star", json={"starred": True})
        client.post("/api/queue", json={"paused": True})
        waiting = submitted(client, settings={**QUICK, "seed": 1})
    with in_process(data) as client:
        again = client.get(f"/api/jobs/{done['id']}").json()
        assert again["starred"] and client.get(again["result"]["url"]).status_code == 200
        assert client.get(again["preview"]["url"]).headers["content-type"] == "image/jpeg"
        assert client.get(f"/api/jobs/{done['id']}/losses").json()["points"]
        assert client.get("/api/jobs").json()["queue"]["order"] == [waiting]
        client.post("/api/queue", json={"paused": False})
        assert until_final(client, waiting)["state"] == "succeeded"
