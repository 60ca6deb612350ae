"""What the studio refuses: each with its status, in words that help, and without harm."""

from __future__ import annotations

import io
import multiprocessing
import os
import re
import signal
import struct
import threading
import time
import zlib
from pathlib import Path

import PIL.Image
import PIL.PngImagePlugin
import pytest

from impasto.errors import SettingsError
from impasto.web import Config, create_app, problems
from impasto.web.problems import KINDS, Problem
from tests.web.studio_running import JOB, QUICK, TestClient, in_process, mask, png, submitted, uploaded

TOKEN = "a token that nobody guesses"


def check(answer, status: int, detail: str, kind: str | None = None) -> dict:
    """A problem as RFC 9457 has it, with these words in it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status and problem["title"]
    word = problem["type"].rpartition("#")[2]
    assert KINDS[word][0] == status and word == (kind or word)
    assert re.search(detail, problem["detail"]), problem["detail"]
    return problem


def upload(client: TestClient, content: bytes, name: str = "x.png"):
    return client.post("/api/pictures", files={"file": (name, content)})


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb() -> bytes:
    """A PNG that says it has 20,000 × 20,000 pixels, in 400 kilobytes."""
    header = struct.pack(">IIBBBBB", 20000, 20000, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(20001 * 1000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "status", "detail"),
    [
        (b"", 415, "empty|not a picture"),
        (b"hello, this is text", 415, "not a picture that Impasto reads; allowed are PNG"),
        (b"%!PS-Adobe-3.0", 415, "EPS or PostScript"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', 415, "an SVG drawing"),
        (b"\x80\x04\x95", 415, "not a picture"),
        (png()[:60], 422, "damaged or cut short"),
        (bomb(), 413, "400.0 megapixels; allowed are 50.0"),
    ],
    ids=["empty", "text", "postscript", "svg", "pickle", "truncated", "bomb"],
)
def test_what_is_no_picture_is_refused_and_not_kept(client, content, status, detail):
    before = sorted((client.app.state.studio.config.data / "pictures").rglob("file"))
    check(upload(client, content), status, detail)
    assert sorted((client.app.state.studio.config.data / "pictures").rglob("file")) == before
    assert list((client.app.state.studio.config.data / "impasto-tmp").iterdir()) == []


@pytest.mark.promise("no-fetching", "traversal")
@pytest.mark.parametrize(
    ("change", "detail", "setting"),
    [
        ({"settings": {"strength": 7}}, "strength: got 7; it must be 0 to 1", "strength"),
        ({"settings": {"strenght": 0.5}}, "there is no such setting; did you mean strength", "strenght"),
        ({"settings": {"size": "large"}}, "size: got 'large'", "size"),
        ({"settings": {"init": "/etc/passwd"}}, "init: it must be content, noise, style", "init"),
        ({"settings": {"device": "cuda:9"}}, "cuda:9", None),
        ({"settings": {"content_layers": {"relu9_9": 1}}}, "relu9_9", None),
        ({"settings": {"blend": [1, 2, 3]}}, "blend", "blend"),
        ({"settings": {"size": 32768}}, "at most 50.0 megapixels; choose a smaller size", "size"),
        ({"preset": "/tmp/x.toml"}, "there is none called '/tmp/x.toml'; there are default", "preset"),
        ({"content": "picture:" + "0" * 64}, "content: there is no such picture", None),
        ({"content": "http://169.254.169.254/latest"}, "URLs are not fetched", None),
        ({"content": "sample:../../etc/passwd"}, "there is no sample", None),
        ({"styles": []}, "styles", None),
        ({"styles": ["job:nope"]}, "there is no such job", None),
        ({"styles": ["sample:coffee"] * 9}, "styles", None),
        ({"masks": ["sample:coffee", "sample:coffee"], "style_masks": ["sample:coffee"]}, "mask", None),
        ({"surprise": 1}, "surprise", None),
    ],
)
def test_an_order_that_cannot_be_painted_is_refused_by_name(client, change, detail, setting):
    answer = client.post("/api/jobs", json={**JOB, **change})
    problem = check(answer, answer.status_code, detail)
    assert answer.status_code in (413, 422)
    if setting is not None:
        assert problem["setting"] == setting


@pytest.fixture(scope="module")
def square(client):
    """A mask of no picture's shape."""
    return uploaded(client, mask(40, 40))


@pytest.mark.parametrize("path", ["/api/estimate", "/api/jobs"])
@pytest.mark.parametrize(
    ("change", "setting", "detail"),
    [
        ({"masks": ["square"]}, "mask", "40 × 40 px, which is not the shape of the photograph"),
        ({"content_map": "square"}, "content_map", "not the shape of the photograph"),
        ({"masks": ["fits"], "style_masks": ["square"]}, "style_mask", "not the shape of the painting"),
        ({"settings": {"stroke_size": 50}}, "stroke_size", "got 50; the painting's own strokes are"),
    ],
    ids=["mask", "content map", "style mask", "strokes"],
)
def test_what_painting_would_refuse_is_refused_at_once(client, square, path, change, setting, detail):
    coffee = client.app.state.studio.pictures.sample("coffee")
    refs = {"square": square, "fits": uploaded(client, mask(coffee.width // 4, coffee.height // 4))}

    def named(value):
        return [refs[one] for one in value] if isinstance(value, list) else refs.get(value, value)

    order = JOB | {name: value if name == "settings" else named(value) for name, value in change.items()}
    assert check(client.post(path, json=order), 422, detail, "bad-setting")["setting"] == setting


def test_every_cell_of_a_sweep_is_looked_at_before_it_is_taken_in(data):
    with in_process(data, paints=False) as client:
        order = {**JOB, "axes": [{"setting": "size", "values": [32, 32768, 64]}]}
        check(client.post("/api/sweeps", json=order), 413, "choose a smaller size")
        order["settings"] = {"history": 1000, "iterations": 1000, "coarse_iterations": 1000}
        order["axes"] = [{"setting": "size", "values": [32, 7000, 64]}]
        check(client.post("/api/sweeps", json=order), 422, "GiB, and this machine has", "too-much-memory")
        assert client.get("/api/jobs").json()["jobs"] == client.get("/api/sweeps").json()["sweeps"] == []


def test_a_job_that_waits_cannot_be_made_too_large_for_the_machine(data):
    with in_process(data, paints=False) as client:
        job = submitted(client)
        settings = {"size": 7000, "history": 1000, "iterations": 1000, "coarse_iterations": 1000}
        answer = client.post(f"/api/jobs/{job}/settings", json={"settings": settings})
        check(answer, 422, "GiB, and this machine has", "too-much-memory")
        assert client.get(f"/api/jobs/{job}").json()["settings"]["size"] == QUICK["size"]


def test_a_job_of_an_older_version_is_listed_though_its_settings_are_none_now(data):
    with in_process(data, paints=False) as client:
        old, new = submitted(client), submitted(client)
        with client.app.state.studio.database.transaction() as change:
            change(
                "update jobs set wanted = json_remove(json_set(wanted, '$.size', 7, '$.gone', 1), '$.blend') "
                "where id = ?",
                (old,),
            )
        listed = client.get("/api/jobs")
        assert [one["id"] for one in listed.json()["jobs"]] == [new, old], listed.text
        assert listed.json()["jobs"][1]["changed"] == QUICK | {"size": 7, "gone": 1}


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_memory_that_is_used_up_is_told_as_such(error):
    problem = problems.from_exception(error)
    assert problem.kind == "too-much-memory" and "choose a smaller size" in problem.detail


def test_bodies_that_are_not_understood(client):
    json_type = {"Content-Type": "application/json"}
    check(client.post("/api/jobs", content=b"{", headers=json_type), 400, "not JSON", "bad-request")
    check(client.post("/api/jobs", content=b"[" * 100_000, headers=json_type), 400, "not JSON")
    check(client.post("/api/jobs", content=b"x", headers={"Content-Type": "text/csv"}), 415, "not 'text/csv'")
    check(client.post("/api/pictures", json={}), 415, "send multipart/form-data")
    check(client.post("/api/queue", content=b"{", headers=json_type), 400, "not JSON")
    check(client.post("/api/pictures", files={"other": png()}), 422, "file: send exactly one picture")
    check(client.post("/api/jobs", files={"content": png()}), 422, "styles")
    check(client.post("/api/jobs", data={"what": "1"}, files={"content": png()}), 422, "'what' is not a field of a job")
    check(
        client.post("/api/jobs", files={"content": (None, "sample:coffee"), "settings": (None, "[]")}),
        422,
        "JSON object",
    )
    check(client.post("/api/jobs", json=JOB, headers={"Idempotency-Key": "a b"}), 422, "Idempotency-Key")


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"style": "/etc/passwd"}, "style: there is no sample"),
        ({"content": "../photo.png"}, "content: write sample:NAME"),
        ({"strength": "2"}, "strength: it must be a number, 0 to 1"),
        ({"weight": "nan"}, "weight: it must be a number"),
        ({"size": "huge"}, "size: it must be a number"),
        ({"model": "mine"}, "model: there are any"),
        ({"format": "gif"}, "format: it must be one of png, jpeg"),
        ({"colour": "red"}, "'colour': fields are content"),
    ],
)
def test_what_cannot_be_painted_at_once_is_refused_by_name(client, change, detail):
    fields = {"content": "sample:coffee", "style": "sample:the_scream", **change}
    check(client.post("/api/fast", files=[(name, (None, value)) for name, value in fields.items()]), 422, detail)


def test_a_crowd_that_wants_a_picture_at_once_is_told_when_to_come_back(client):
    fast = client.app.state.studio.fast
    held = [fast._slots.acquire(blocking=False) for _ in range(4)]
    try:
        assert all(held)
        parts = [("content", (None, "sample:coffee")), ("style", (None, "sample:the_scream"))]
        answer = client.post("/api/fast", files=parts)
        check(answer, 429, "try again in a moment", "too-many-requests")
        assert answer.headers["retry-after"] == "1"
    finally:
        for _ in held:
            fast._slots.release()


@pytest.mark.promise("many-parts")
def test_a_flood_of_parts_is_refused(client):
    many_files = [("style", ("x.png", b"x"))] * 9
    check(client.post("/api/jobs", files=many_files), 400, "Too many files")
    many_fields = [("style", (None, "sample:coffee"))] * 5000
    check(client.post("/api/jobs", files=many_fields), 400, "Too many fields")


def test_what_is_not_there(client):
    for path in (
        "/api/nothing",
        "/api/jobs/0123456789abcdef",
        "/api/sweeps/0123456789abcdef",
        f"/api/pictures/{'0' * 64}",
    ):
        check(client.get(path), 404, "there is no")
    check(client.put("/api/jobs"), 405, "does not take that method")
    check(client.get("/api/jobs/NOPE"), 422, "id")


@pytest.mark.promise("traversal")
@pytest.mark.parametrize(
    "path",
    [
        "/static/../../web/app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static/%00",
        "/static/..\\app.py",
        "/api/pictures/../../../etc/passwd",
        "/api/pictures/%2e%2e%2f%2e%2e%2fstudio.sqlite3",
        "/api/jobs/..%2f..%2fstudio.sqlite3/preview",
        "/api/sweeps/%00/sheet",
    ],
)
def test_no_path_leads_out(client, path):
    answer = client.get(path)
    assert answer.status_code in (404, 422), answer.text
    assert b"SQLite" not in answer.content and b"create_app" not in answer.content


@pytest.mark.promise("scripts", "traversal")
def test_a_name_cannot_break_out_of_a_header_or_a_page(client):
    name = '../<script>alert(1)</script>"\r\nX-Evil: 1.png'
    picture = upload(client, png(33, 44), name).json()
    assert "\r" not in picture["name"] and "/" not in picture["name"].replace("</script", "")
    answer = client.get(picture["url"], params={"download": True})
    assert "x-evil" not in answer.headers and "<" not in answer.headers["content-disposition"].partition("filename*")[0]


@pytest.mark.promise("hostile-settings")
def test_a_strangers_recipe_follows_no_path_and_hurts_nobody(client):
    for text in (
        "{",
        "[]",
        '{"format": 1}',
        '{"format": 1, "settings": {"init": "/etc/passwd"}}',
        "x" * 200_000,
        "[" * 60_000,
    ):
        info = PIL.PngImagePlugin.PngInfo()
        info.add_text("impasto", text, zip=True)
        out = io.BytesIO()
        PIL.Image.new("RGB", (8, 8)).save(out, "PNG", pnginfo=info)
        answer = client.post("/api/recipe", files={"file": ("x.png", out.getvalue())})
        assert answer.status_code == 422, answer.text
        assert upload(client, out.getvalue()).json().get("recipe") is None


@pytest.mark.promise("scripts", "other-sites")
def test_every_answer_forbids_what_a_page_should_not_do(client):
    for path in ("/", "/api/health", "/api/jobs", "/api/nothing", "/static/nothing.js", "/metrics"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("host", ["localhost", "localhost:8765", "127.0.0.1:8765", "[::1]:8765", "LOCALHOST."])
def test_its_own_names_are_answered(client, host):
    assert client.get("/api/health", headers={"Host": host}).status_code == 200


@pytest.mark.promise("other-sites")
@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "192.168.0.7", "127.0.0.1.nip.io", "", "["])
def test_a_name_that_is_not_its_own_is_refused(client, host):
    check(client.get("/api/health", headers={"Host": host}), 403, "does not have that name")


@pytest.mark.promise("other-sites")
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ],
)
def test_another_sites_page_may_not_ask(client, headers):
    check(client.post("/api/queue", json={"paused": True}, headers=headers), 403, "another site's page")
    assert not client.get("/api/jobs").json()["queue"]["paused"]
    check(client.get("/api/jobs", headers=headers), 403, "another site's page")


def test_a_link_elsewhere_may_lead_to_the_page(client):
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get("/", headers=headers).status_code in (200, 404)


@pytest.mark.promise("open-address")
def test_without_a_token_only_this_machine_is_let_in():
    for host in ("0.0.0.0", "::", "192.168.0.7", "studio.local"):
        with pytest.raises(SettingsError, match="add --token"):
            Config(host=host)
    for host in ("127.0.0.1", "::1", "localhost", "127.8.9.1"):
        Config(host=host)
    with pytest.raises(SettingsError, match="at least 8 characters"):
        Config(token="short")


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    """A studio with a token, which has not been asked for anything yet."""
    with in_process(tmp_path_factory.mktemp("locked"), paints=False, token=TOKEN) as it:
        yield it


def test_a_token_opens_and_nothing_else_does(locked):
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Cookie": "impasto=x; y"},
    ):
        answer = locked.get("/api/jobs", headers=headers)
        check(answer, 401, "needs a token", "token-needed")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert locked.get("/metrics", headers=headers).status_code == 401
    assert locked.get("/api/health").json() | {"version": ""} == {
        "status": "ok",
        "version": "",
        "token_needed": True,
        "authorized": False,
    }
    assert locked.get("/api/jobs", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    answer = locked.post("/api/session", json={"token": TOKEN})
    cookie = answer.headers["set-cookie"]
    assert answer.status_code == 204 and TOKEN not in cookie
    assert "HttpOnly" in cookie and "samesite=strict" in cookie.lower()
    assert locked.get("/api/jobs").status_code == 200
    locked.delete("/api/session")
    locked.cookies.clear()
    assert locked.get("/api/jobs").status_code == 401


@pytest.mark.promise("tokens")
def test_guessing_a_token_is_slow(guessed):
    answers = [guessed[0].post("/api/session", json={"token": f"guess {n}"}) for n in range(12)]
    assert [one.status_code for one in answers[:10]] == [401] * 10
    assert answers[-1].status_code == 429 and answers[-1].headers["retry-after"] == "60"


def test_a_full_queue_says_when_to_come_back(data):
    with in_process(data, paints=False, max_queue=2) as client:
        client.post("/api/queue", json={"paused": True})
        submitted(client)
        kept = client.post("/api/jobs", json={**JOB, "settings": QUICK}, headers={"Idempotency-Key": "k"})
        answer = client.post("/api/jobs", json=JOB)
        check(answer, 429, "try again when a job has ended", "queue-full")
        assert int(answer.headers["retry-after"]) > 0
        # What was accepted is answered again all the same.
        again = client.post("/api/jobs", json={**JOB, "settings": QUICK}, headers={"Idempotency-Key": "k"})
        assert (again.status_code, again.json()["id"]) == (202, kept.json()["id"])


@pytest.mark.promise("disk-full")
def test_a_full_disk_is_said_and_got_over(client, monkeypatch):
    studio = client.app.state.studio
    monkeypatch.setattr(studio.space, "_min_free", 1 << 60)
    check(upload(client, png(50, 50)), 507, "no room left", "disk-full")
    check(client.post("/api/jobs", json=JOB), 507, "no room left")
    monkeypatch.undo()
    assert upload(client, png(50, 50)).status_code == 201


@pytest.mark.promise("disk-full")
@pytest.mark.skipif(os.name != "posix" or not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can mount")
def test_a_disk_that_fills_up_leaves_what_was_there(data):
    import subprocess

    data.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(data)], check=False, capture_output=True
    ).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        with in_process(data, paints=False) as client:
            kept = upload(client, png(60, 60)).json()
            rest = (data / "fill").open("wb")
            with pytest.raises(OSError), rest:
                while True:
                    rest.write(bytes(1 << 16))
                    rest.flush()
            noise = io.BytesIO()
            PIL.Image.effect_noise((700, 700), 90).save(noise, "PNG")
            check(upload(client, noise.getvalue()), 507, "no room left")
            assert client.get(kept["url"]).status_code == 200
            (data / "fill").unlink()
            assert upload(client, noise.getvalue()).status_code == 201
    finally:
        subprocess.run(["umount", "-l", str(data)], check=True)


@pytest.mark.promise("large-bodies")
def test_too_large_a_request_is_cut_off_whatever_it_says_of_itself(data):
    with in_process(data, paints=False, max_bytes=200_000) as client:
        check(upload(client, bytes(300_000)), 413, "larger than 200000 bytes")
        boundary = b"--b\r\nContent-Disposition: form-data; name=file; filename=x\r\n\r\n"
        sent = 0

        def endless():
            nonlocal sent
            yield boundary
            while sent < 50_000_000:
                sent += 50_000
                yield bytes(50_000)

        answer = client.post(
            "/api/pictures", content=endless(), headers={"Content-Type": "multipart/form-data; boundary=b"}
        )
        check(answer, 413, "larger than")


@pytest.mark.promise("isolated-decoders")
def test_a_child_that_dies_or_hangs_costs_one_answer(client):
    studio = client.app.state.studio
    with pytest.raises(Problem, match="too much time or memory"):
        studio.sandbox.run("speed", 1, seconds=0.2)

    def abort() -> None:
        while not (sandbox := multiprocessing.active_children()):
            time.sleep(0.01)
        os.kill(sandbox[0].pid, signal.SIGABRT)

    killer = threading.Thread(target=abort)
    killer.start()
    with pytest.raises(Problem, match="too much time or memory"):
        studio.sandbox.run("speed", 1)
    killer.join()
    assert client.get("/api/health").status_code == 200
    assert upload(client, png(51, 52)).status_code == 201


def test_a_second_studio_is_kept_out_of_the_folder(client):
    with pytest.raises(Problem, match="another studio uses the folder"):
        create_app(client.app.state.studio.config)


@pytest.mark.promise("tokens", "log-injection")
def test_secrets_and_paths_stay_out_of_the_log(locked, caplog):
    with caplog.at_level("DEBUG", logger="impasto.web"):
        locked.post("/api/session", json={"token": TOKEN})
        locked.get("/api/jobs?secret=1%0d%0ainjected", headers={"Authorization": f"Bearer {TOKEN}"})
        locked.get("/etc/passwd")
    told = " ".join(str(vars(record)) for record in caplog.records if record.name == "impasto.web")
    assert "/api/jobs" in told
    for secret in (TOKEN, "injected", "passwd", str(Path.home())):
        assert secret not in told


@pytest.fixture
def guessed(tmp_path):
    """A studio with a token, and clients of other addresses."""
    with in_process(tmp_path / "data", paints=False, token=TOKEN) as first:
        yield first, TestClient(first.app, base_url="http://localhost", client=("192.0.2.7", 1))


@pytest.mark.promise("tokens")
@pytest.mark.parametrize("way", ["session", "bearer"])
def test_guesses_are_limited_by_address_and_lock_nobody_out(guessed, way):
    def attempt(client, token: str):
        if way == "session":
            return client.post("/api/session", json={"token": token}).status_code
        return client.get("/api/jobs", headers={"Authorization": f"Bearer {token}"}).status_code

    attacker, owner = guessed
    cookie = owner.post("/api/session", json={"token": TOKEN}).headers["set-cookie"].partition(";")[0]
    owner.cookies.clear()
    assert [attempt(attacker, f"guess {n}") for n in range(10)] == [401] * 10
    begun = time.monotonic()
    assert [attempt(attacker, f"another {n}") for n in range(3)] == [429] * 3
    assert time.monotonic() - begun > 2.5
    # The right token still works from there, and at once from elsewhere; a session is not slowed down.
    assert attempt(attacker, TOKEN) in (200, 204)
    attacker.cookies.clear()
    begun = time.monotonic()
    assert attempt(owner, TOKEN) in (200, 204)
    assert attacker.get("/api/jobs", headers={"Cookie": cookie}).status_code == 200
    assert time.monotonic() - begun < 1
    answers = [attacker.get("/api/health", headers={"Authorization": f"Bearer {n}"}) for n in range(2)]
    assert all(answer.status_code in (200, 429) for answer in answers)
