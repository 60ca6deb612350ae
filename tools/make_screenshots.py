"""Takes the screenshots of docs/: of the studio, and of the page that `impasto export --web` writes.

    python tools/make_screenshots.py [studio] [page]

Without names it takes all. It needs Debian's Chromium, `impasto[web,export]`, Playwright, and npm for the exported
page. It takes three minutes on two cores.
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import io
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import PIL.Image
from playwright.sync_api import expect, sync_playwright

from impasto import assets

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FIGURES = Path(__file__).parent.parent / "docs" / "figures"
CHROMIUM = "/usr/bin/chromium"
WIDE, PHONE = (1280, 800), (360, 740)
# Time limit in milliseconds, long enough for a picture to be painted.
_LONG = 600_000
_JPEG_QUALITY = 88


def studio(browser: Browser) -> None:
    """The studio: before and while painting, comparing, a draft, and on a phone with a dark colour scheme."""
    with _studio() as address:
        page = _open(browser, address, WIDE)
        page.get_by_role("button", name="Paint", exact=True).click()
        page.locator(".curves > summary").click()
        line = page.locator("job-panel .line")
        expect(line).to_contain_text(re.compile(r"Size (\d+) of \1,"), timeout=_LONG)
        page.wait_for_function("() => document.querySelector('job-panel progress').value > 0.8", timeout=_LONG)
        _keep(page, "studio-painting", whole=True)
        page.locator(".curves > summary").click()
        expect(line).to_contain_text("painted in", timeout=_LONG)
        page.get_by_role("button", name="Before and after").click()
        page.wait_for_timeout(1500)
        _keep(page, "studio-compare")
        job = page.url
        page = _open(browser, address, WIDE)
        _keep(page, "studio-paint")
        page = _open(browser, job, PHONE, dark=True)
        _keep(page, "studio-phone")
        page = _open(browser, address, PHONE)
        page.keyboard.press("i")
        expect(page.locator("picture-pane.after[data-shown^=blob]")).to_be_attached(timeout=_LONG)
        _keep(page, "studio-draft")


def page(browser: Browser) -> None:
    """The exported page, which runs without a server, with a photograph in a bundled style."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "impasto", "export", "any", "brushes", "--web", name, "--force"]
        subprocess.run(command, check=True)
        handler = functools.partial(_Quiet, directory=name)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            page = _open(browser, f"http://127.0.0.1:{server.server_address[1]}", (1180, 760))
            page.locator("input[type=file]").first.set_input_files(assets.sample("neuschwanstein").path)
            page.get_by_role("radio", name="The Night Café").check(force=True)
            expect(page.get_by_role("status").first).to_contain_text("Painted", timeout=_LONG)
            _keep(page, "page")
            server.shutdown()


MAKERS: Mapping[str, Callable[[Browser], None]] = {"studio": studio, "page": page}


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def _studio() -> Iterator[str]:
    """Start a studio with an empty data folder, yield its address, and stop it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "impasto", "serve", "--port", "0", "--data", folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
            assert server.stdout is not None
            try:
                yield server.stdout.readline().strip()
            finally:
                server.terminate()


def _open(browser: Browser, address: str, size: tuple[int, int], *, dark: bool = False) -> Page:
    width, height = size
    page = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    page.set_default_timeout(_LONG)
    page.goto(address)
    # Pictures load after the page.
    page.wait_for_timeout(3000)
    return page


def _keep(page: Page, name: str, *, whole: bool = False) -> None:
    """Save a screenshot of the visible part of a page, from its top, or of all of it."""
    page.evaluate("() => scrollTo(0, 0)")
    page.wait_for_timeout(200)
    picture = PIL.Image.open(io.BytesIO(page.screenshot(full_page=whole))).convert("RGB")
    picture.save(FIGURES / f"{name}.jpg", quality=_JPEG_QUALITY, optimize=True)


def main(names: list[str]) -> int:
    """Take the screenshots named `names`, or all."""
    if unknown := set(names).difference(MAKERS):
        print(f"there is nothing called {', '.join(sorted(unknown))}; there are {', '.join(MAKERS)}", file=sys.stderr)
        return 2
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name in names or MAKERS:
            print(name, flush=True)
            MAKERS[name](browser)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
