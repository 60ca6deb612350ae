"""Owns looks: one photograph, small, in the style of each of several paintings, for choosing among them."""

from __future__ import annotations

import base64
import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

from impasto.web.problems import Problem
from impasto.web.sandbox.messages import LooksInput, NamedPath
from impasto.web.sandbox.sandbox import Sandbox
from impasto.web.schema.requests import LooksRequest
from impasto.web.storage.pictures import DEFAULT_SIDE, SAMPLE_PREFIX, Picture, PictureStore
from impasto.web.studio.fast import FastPainter, models
from impasto.web.studio.validation import JobValidator

# A painting's brushwork is seen at this size as well as at its own, and is read in a tenth of the time.
_STYLE_SIDE = 640
# About 8 KB each.
_KEPT = 512
#: Ids of photograph and painting, strength and size.
_Key = tuple[str, str, float, int]


class Looks:
    """Paints looks, in turn with all that is painted while a client waits.

    Args:
        pictures, validator, sandbox: the studio's.
        painter: whose turns are taken.
        max_pixels: limit for a picture.
    """

    def __init__(
        self,
        pictures: PictureStore,
        validator: JobValidator,
        sandbox: Sandbox,
        painter: FastPainter,
        max_pixels: int,
    ) -> None:
        self._pictures, self._validator, self._sandbox = pictures, validator, sandbox
        self._painter, self._max_pixels = painter, max_pixels
        self._known: OrderedDict[_Key, str] = OrderedDict()
        self._lock = threading.Lock()

    def paint(self, request: LooksRequest) -> dict[str, Any]:
        """The looks of a request, as data URLs.

        Raises:
            Problem: a reference is wrong, there are no fast models, or too many requests are waiting.
        """
        if not models():
            raise Problem("not-available", "this studio has no fast models; submit a job instead")
        content = self._pictures.get(self._validator.resolve(request.content, "content")["id"])
        styles = [
            self._pictures.get(self._validator.resolve(ref, f"styles.{index}")["id"])
            for index, ref in enumerate(request.styles)
        ]
        keys = [(content.id, style.id, request.strength, request.size) for style in styles]
        missing = [(key, style) for key, style in zip(keys, styles, strict=True) if self._recall(key) is None]
        urls = dict(self._painted(content, missing, request)) if missing else {}
        # A key may have been forgotten since, where many are asked for at once.
        found = [urls.get(key) or self._recall(key) for key in keys]
        return {"looks": [{"style": ref, "url": url} for ref, url in zip(request.styles, found, strict=True) if url]}

    def _painted(
        self, content: Picture, missing: Sequence[tuple[_Key, Picture]], request: LooksRequest
    ) -> Iterator[tuple[_Key, str]]:
        """Paints the looks that are not known."""
        job: LooksInput = {
            # As many pixels as are needed and no more: a photograph of a camera takes seconds to read.
            "content": str(self._pictures.thumbnail(content, DEFAULT_SIDE)),
            "styles": [self._style(style) for _, style in missing],
            "strength": request.strength,
            "size": request.size,
        }
        with self._painter.turn(), contextlib.ExitStack() as scratch:
            outs = [scratch.enter_context(self._pictures.scratch()) for _ in missing]
            self._sandbox.run("looks", job, self._max_pixels, [str(out) for out in outs])
            for (key, _), out in zip(missing, outs, strict=True):
                url = f"data:image/jpeg;base64,{base64.b64encode(out.read_bytes()).decode()}"
                with self._lock:
                    self._known[key] = url
                    while len(self._known) > _KEPT:
                        self._known.popitem(last=False)
                yield key, url

    def _style(self, style: Picture) -> NamedPath:
        if style.name.startswith(SAMPLE_PREFIX):
            return {"path": str(self._pictures.file(style)), "name": style.name.removeprefix(SAMPLE_PREFIX)}
        return {"path": str(self._pictures.thumbnail(style, _STYLE_SIDE)), "name": None}

    def _recall(self, key: _Key) -> str | None:
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
            return self._known.get(key)
