"""Checks a built site: every internal link and anchor exists, and nothing is loaded from the network.

    python tools/check_site.py FOLDER

Links to other sites are allowed where a reader clicks on them; scripts, style sheets, fonts and pictures are not.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Attributes by which a browser loads something on its own; `href` counts for <link> only.
_LOADING = {"src", "srcset", "poster", "data"}
# <link> relations that load nothing.
_NAMING = {"canonical", "prev", "next", "alternate"}
_STYLE_ADDRESS = re.compile(r"(?:url\(\s*|@import\s+)[\"']?((?:https?:)?//[^\"')\s]+)")


class _Page(HTMLParser):
    """Collects what one HTML page links to, what it loads, and which anchors it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attributes if value is not None}
        self.anchors.update(given[name] for name in ("id", "name") if name in given)
        if tag == "link":
            if given.get("rel") not in _NAMING:
                self.loads.append(given.get("href", ""))
        elif "href" in given:
            self.links.append(given["href"])
        for name in _LOADING & given.keys():
            self.loads.append(given[name].split()[0] if name == "srcset" else given[name])


def problems(site: Path) -> list[str]:
    """Everything that is wrong with the site in the folder `site`, a line each; empty if nothing is."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    if not pages:
        return [f"{site} holds no page"]
    found = []
    for path, page in pages.items():
        name = path.relative_to(site)
        for address in page.loads:
            if urlsplit(address).netloc:
                found.append(f"{name} loads {address} from the network")
            elif wrong := _missing(address, path, site, pages):
                found.append(f"{name} loads {address}: {wrong}")
        found += [
            f"{name} links to {address}: {wrong}"
            for address in page.links
            if (wrong := _missing(address, path, site, pages))
        ]
    for path in sorted(site.rglob("*.css")):
        addresses = _STYLE_ADDRESS.findall(path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(site)} loads {address} from the network" for address in addresses]
    return found


def _missing(address: str, page: Path, site: Path, pages: Mapping[Path, _Page]) -> str | None:
    """What is missing at an internal address, seen from `page`; None if nothing is, or the address is elsewhere."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return None
    # The page for unknown addresses is served from any folder, so its addresses start at the root of the site.
    folder = site if parts.path.startswith("/") or page.name == "404.html" else page.parent
    target = (folder / unquote(parts.path).lstrip("/")).resolve() if parts.path else page.resolve()
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return "no such file"
    known = next((seen for path, seen in pages.items() if path.resolve() == target), None)
    if parts.fragment and known is not None and unquote(parts.fragment) not in known.anchors:
        return "no such anchor"
    return None


def main(arguments: list[str]) -> int:
    (folder,) = arguments
    found = problems(Path(folder))
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
