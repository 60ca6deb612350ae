"""Owns what Ctrl-C and `kill` do to a command that paints: it stops, but what was painted is kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

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
    """

    def __init__(self) -> None:
        self._came: list[int] = []
        self._held = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._came.append(number)
        if not (self._held and len(self._came) == 1):
            raise Interruption(number)

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
    def caught(cls) -> Iterator[Signals]:
        """Handles signals; those that are ignored (by nohup, or in the background) stay so."""
        signals = cls()
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
