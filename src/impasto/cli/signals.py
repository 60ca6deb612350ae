"""Owns what Ctrl-C and `kill` do to a command: it stops, but what was painted is kept.

It is among the first things that are imported, and imports little itself: what comes before it cannot be stopped so.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

#: What is said of a command that was stopped: of one that paints while there is nothing to keep, and of any other.
BEFORE_PAINTING, INTERRUPTED = "interrupted before anything was painted", "interrupted"

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interruption(BaseException):
    """Someone wants the command to stop. Not an Exception, so that nothing on the way handles it as an error.

    Attributes:
        code: exit code, 128 and the signal's number, as shells have it.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.code = 128 + number


class Signals:
    """Raises an Interruption where the command is when a signal comes, but for the first that comes while it saves.

    So one Ctrl-C while painting stops the painting and one while saving lets the saving end; a second one always stops.

    While a module is imported and there is nothing to keep, the process ends at once: C code that is being loaded may
    swallow an exception, or die of it.

    Args:
        words: said if the process ends so.
    """

    def __init__(self, words: str = BEFORE_PAINTING) -> None:
        self._words = words
        self._came: list[int] = []
        self._held = False
        self._keeps = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._came.append(number)
        if self._held and len(self._came) == 1:
            return
        if not self._keeps and _importing(frame):
            _end(number, self._words)
        raise Interruption(number)

    def keep(self) -> None:
        """Never end at once from now on: there is something to keep."""
        self._keeps = True

    def hold(self) -> None:
        """Let the first signal wait, from now on."""
        self._held = True

    def release(self) -> None:
        """Let no signal wait any longer.

        Raises:
            Interruption: one has waited.
        """
        self._held = False
        if self._came:
            raise Interruption(self._came[0])

    @classmethod
    @contextmanager
    def caught(cls, words: str = BEFORE_PAINTING) -> Iterator[Signals]:
        """Handles signals; those that are ignored (by nohup, or in the background) stay so."""
        signals = cls(words)
        before = {}
        # Only the main thread can, and there is nothing to catch in others.
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if (handler := signal.getsignal(number)) is not signal.SIG_IGN:
                    before[number] = handler
                    signal.signal(number, signals._handle)
        try:
            yield signals
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported where the signal came."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _end(number: int, words: str) -> NoReturn:
    with suppress(Exception):
        print(f"impasto: {words}", file=sys.stderr, flush=True)
    os._exit(128 + number)
