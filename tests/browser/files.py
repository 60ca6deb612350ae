"""Owns how the tests hand files to the page: by a drag as the browser makes it, or from the clipboard."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any


def transfer_of(page: Any, *paths: Path) -> Any:
    """What a drop or the clipboard holds: files."""
    files = [[base64.b64encode(path.read_bytes()).decode(), path.name] for path in paths]
    return page.evaluate_handle(
        """(files) => {
            const transfer = new DataTransfer();
            for (const [data, name] of files) {
                const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
                transfer.items.add(new File([bytes], name, {type: "image/png"}));
            }
            return transfer;
        }""",
        files,
    )


def drop(page: Any, role: str, *paths: Path) -> None:
    """Drags files over the page, and drops them on the half of the veil that says "photo" or "painting"."""
    drag = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}

    def move(kind: str, x: float, y: float) -> None:
        drag.send("Input.dispatchDragEvent", {"type": kind, "x": x, "y": y, "data": data})

    move("dragEnter", 30, 30)
    move("dragOver", 30, 30)
    half = page.locator(f".half[data-role={role}]")
    half.wait_for()
    box = half.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    move("dragOver", x, y)
    move("drop", x, y)


def paste(page: Any, *paths: Path) -> None:
    """Pastes files where the focus is."""
    page.evaluate(
        """(transfer) => document.activeElement.dispatchEvent(
            new ClipboardEvent("paste", {clipboardData: transfer, bubbles: true, cancelable: true}))""",
        transfer_of(page, *paths),
    )
