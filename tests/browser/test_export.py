"""The page of `impasto export --web`, in a real browser, as any static server serves it: photo, camera, paintings."""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import impasto
from impasto.errors import AssetError
from impasto.fast import FastModel
from tests.browser.conftest import ARGUMENTS, CHROMIUM, WIDTHS

pytestmark = pytest.mark.slow

#: What the canvas holds, (height, width, 3).
CANVAS = """() => {
  const canvas = document.querySelector("#canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return [canvas.height, canvas.width, Array.from(data)];
}"""


@pytest.fixture(scope="module")
def folder(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page with the bundled model of any painting, and a small one of two styles."""
    if not shutil.which("npm"):
        pytest.skip("npm is not there to fetch onnxruntime-web with")
    pytest.importorskip("onnxscript", reason="exporting needs impasto[export]")
    from impasto.webpage import write

    folder = tmp_path_factory.mktemp("page")
    try:
        write([FastModel.load(exported / "small.safetensors"), FastModel.load("any")], folder)
    except AssetError as error:
        if str(error).startswith("npm "):
            pytest.skip(str(error))
        raise
    return folder


class Handler(http.server.SimpleHTTPRequestHandler):
    """Python's own static server; `extra` headers are sent with every file."""

    extra: dict[str, str] = {}  # noqa: RUF012

    def end_headers(self) -> None:
        for name, value in self.extra.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


def serve(folder: Path, handler: type[Handler]) -> http.server.ThreadingHTTPServer:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(folder)))
    # A browser that closes a page breaks its connections off.
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photograph, 256 × 192, and beside it the film of it that the camera sees."""
    path = tmp_path_factory.mktemp("still") / "still.png"
    picture = impasto.load("sample:coffee").resized((192, 256))
    picture.save(path)
    jpeg = path.with_suffix(".jpg")
    picture.save(jpeg)
    path.with_suffix(".mjpeg").write_bytes(3 * jpeg.read_bytes())
    return path


@pytest.fixture(scope="module")
def browser(chromium: Any, still: Path) -> Iterator[Any]:
    arguments = [
        *ARGUMENTS,
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={still.with_suffix('.mjpeg')}",
    ]
    browser = chromium.browser_type.launch(executable_path=str(CHROMIUM), args=arguments)
    yield browser
    browser.close()


@pytest.fixture
def visit(browser: Any, folder: Path) -> Iterator[Callable[..., Any]]:
    """Opens the page and waits for its first picture; it may fetch nothing from elsewhere, and nothing may go wrong."""
    wrong: list[str] = []
    closing: list[Callable[[], None]] = []

    def open_page(
        width: str = "desktop", scheme: str = "light", headers: dict[str, str] | None = None, **more: Any
    ) -> Any:
        server = serve(folder, type("WithHeaders", (Handler,), {"extra": headers or {}}))
        base = f"http://127.0.0.1:{server.server_port}/"
        w, h = WIDTHS[width]
        context = browser.new_context(
            base_url=base, viewport={"width": w, "height": h}, color_scheme=scheme, reduced_motion="reduce", **more
        )
        context.set_default_timeout(60_000)
        closing.extend((context.close, server.shutdown, server.server_close))
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
        page.on("request", lambda request: request.url.startswith((base, "blob:")) or wrong.append(request.url))
        page.goto("/")
        painted(page, "512")
        return page

    yield open_page
    for close in closing:
        close()
    assert not wrong


def painted(page: Any, width: str) -> None:
    """Waits until the picture is painted."""
    page.locator("#status", has_text=f"Painted {width} ×").wait_for()


def eventually(page: Any, true: Callable[[], bool]) -> None:
    """Waits for what follows a deed."""
    for _ in range(100):
        if true():
            return
        page.wait_for_timeout(200)
    raise AssertionError("it did not come about")


def canvas(page: Any) -> np.ndarray:
    height, width, values = page.evaluate(CANVAS)
    return np.array(values, np.float32).reshape(height, width, 4)[..., :3]


def levels(image: impasto.Image) -> np.ndarray:
    return image.pixels[0].permute(1, 2, 0).numpy() * 255


def test_a_photo_is_painted_as_torch_paints_it(visit, exported, still):
    page = visit()
    page.locator("#side").select_option("256")
    painted(page, "256")
    page.locator("#photo-file").set_input_files(still)
    page.get_by_role("img", name="still.png, in the style of night").wait_for()
    painted(page, "256")
    model = FastModel.load(exported / "small.safetensors")
    right = levels(model.stylize(still, "night", precision="float32"))
    found = canvas(page)
    assert found.shape == right.shape
    # A level for rounding, and a little for half precision.
    assert np.abs(found - right).max() <= 2
    page.get_by_label("Strength").fill("0")
    faint = levels(model.stylize(still, "night", strength=0.0, precision="float32"))
    eventually(page, lambda: np.abs(canvas(page) - faint).max() <= 2)
    page.get_by_role("button", name="Show the photo").click()
    assert np.abs(canvas(page) - levels(impasto.load(still))).max() <= 1


def test_a_painting_of_ones_own(visit, still):
    page = visit()
    page.locator("#side").select_option("256")
    page.locator("#photo-file").set_input_files(still)
    page.locator("#painting-file").set_input_files(still.with_suffix(".jpg"))
    page.get_by_role("img", name="still.png, in the style of still").wait_for()
    painted(page, "256")
    right = levels(FastModel.load("any").stylize(still, still.with_suffix(".jpg"), precision="float32"))
    # The browser and we make the painting smaller in different ways.
    assert np.abs(canvas(page) - right).mean() < 4
    with page.expect_download() as download:
        page.get_by_role("button", name="Save").click()
    saved = impasto.load(download.value.path())
    assert (download.value.suggested_filename, saved.size) == ("impasto.png", (192, 256))
    assert np.abs(levels(saved) - canvas(page)).max() <= 1


def test_the_camera(visit, artefacts, still):
    page = visit("phone", "dark")
    page.get_by_role("button", name="Camera").click()
    page.locator("#pace", has_text="pictures a second").wait_for()
    assert page.locator("#status").inner_text() == "The camera is on"
    assert canvas(page).shape == (192, 256, 3)
    page.screenshot(path=artefacts / "export-camera.png", full_page=True)
    page.get_by_role("button", name="Show the photo").click()
    # What the camera sees is the still, but for the coding of films.
    eventually(page, lambda: np.abs(canvas(page) - levels(impasto.load(still))).mean() < 12)
    page.get_by_role("button", name="Camera").click()
    painted(page, "512")


def test_keys_are_enough(visit):
    page = visit()
    page.get_by_role("radio", name="night", exact=True).focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("img", name="in the style of noon").wait_for()
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "A painting of your own"
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")
    assert page.locator("#strength-said").inner_text() == "95 %"


def test_what_is_no_picture(visit, tmp_path):
    page = visit()
    (tmp_path / "notes.txt").write_text("no picture")
    page.locator("#photo-file").set_input_files(tmp_path / "notes.txt")
    page.get_by_text("Notes.txt is not a picture that this browser reads; try a JPEG, PNG or WebP.").wait_for()


def test_threads_where_the_page_is_served_in_isolation(visit):
    isolation = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
    page = visit(headers=isolation)
    assert page.evaluate("self.crossOriginIsolated")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_and_everyone_can_use_it(visit, artefacts, width, scheme):
    pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    from axe_playwright_python.sync_playwright import Axe

    # axe is put into the page by the driver, which the page's own policy would refuse.
    page = visit(width, scheme, bypass_csp=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width][0]
    report = Axe().run(page)
    assert report.violations_count == 0, report.generate_report()
    page.screenshot(path=artefacts / f"export-{width}-{scheme}.png", full_page=True)


def test_the_folder_is_whole(folder):
    catalogue = json.loads((folder / "catalogue.json").read_text())
    assert [model["name"] for model in catalogue["models"]] == ["small", "any"]
    titles = [style["title"] for style in catalogue["styles"]]
    assert titles[:2] == ["night", "noon"]
    assert "The Starry Night, 1889" in titles
    named = [catalogue["photo"]["picture"], *(style["picture"] for style in catalogue["styles"] if "picture" in style)]
    named += [model["file"] for model in catalogue["models"]] + ["models/any-style.onnx", "onnxruntime/ort.wasm"]
    assert all((folder / name).is_file() for name in named)
    licences = (folder / "licences.txt").read_text()
    for words in ("ONNX Runtime Web", "CC BY 4.0", "Simonyan", "red_panda.webp", "Permission is hereby granted"):
        assert words in licences
    assert "script-src 'self' 'wasm-unsafe-eval';" in (folder / "index.html").read_text()
