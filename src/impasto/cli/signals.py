"""Owns the reaction of a command to Ctrl-C and `kill`: it stops, but the picture so far is saved.

It is imported first and imports little itself, because signals during earlier imports are not handled.
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

#: Messages for a stopped command: one that paints but has nothing to save yet, and any other.
BEFORE_PAINTING, INTERRUPTED = "interrupted before anything was painted", "interrupted"

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interruption(BaseException):
    """A signal asks the command to stop. Not an Exception, so that no code handles it as an error.

    Attributes:
        code: exit code, 128 plus the signal's number, as in shells.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.code = 128 + number


class Signals:
    """Raises an Interruption when a signal comes; while the command saves, only at the second signal.

    So one Ctrl-C stops painting, one during saving waits until the file is written, and a second always stops.

    During an import with nothing to save, the process ends at once, because C code that is being loaded may swallow an
    exception, or crash.

    Args:
        words: the message if the process ends at once.
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
        """Never end at once from now on: there is something to save."""
        self._keeps = True

    def hold(self) -> None:
        """Postpone the first signal from now on."""
        self._held = True

    def release(self) -> None:
        """Postpone signals no longer.

        Raises:
            Interruption: a signal was postponed.
        """
        self._held = False
        if self._came:
            raise Interruption(self._came[0])

    @classmethod
    @contextmanager
    def caught(cls, words: str = BEFORE_PAINTING) -> Iterator[Signals]:
        """Handles signals; those that are ignored (by nohup, or in the background) stay ignored."""
        signals = cls(words)
        before = {}
        # Only the main thread can handle signals.
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
    """Whether the signal came during an import."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _end(number: int, words: str) -> NoReturn:
    with suppress(Exception):
        print(f"impasto: {words}", file=sys.stderr, flush=True)
    os._exit(128 + number)
