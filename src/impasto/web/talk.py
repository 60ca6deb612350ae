"""Owns the talk between the studio and a painting process: lines of JSON, one way and the other.

| the studio says | meaning |
|---|---|
| `paint` | begin an order, from its checkpoint if there is one |
| `change` | other values of some settings from the next iteration on |
| `guide` | other masks: begin anew from the picture as it is |
| `stop` | keep what is there |
| `cancel` | throw it away |
| `rest` | write a checkpoint, and let go of the job |
| `leave` | `rest`, and end |

| the worker says | meaning |
|---|---|
| `progress` | where it is, the losses since it last spoke, and whether there is a new preview |
| `checkpoint` | how far the checkpoint reaches |
| `rebased` | from now on it paints from another picture |
| `painted`, `rested`, `dropped` | how it ended |
| `failed` | that it cannot be painted, and why |
"""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Iterator
from typing import Any, TextIO


class Orders:
    """What the studio says, as it comes.

    Args:
        source: where it is read from, in a thread of its own.
    """

    def __init__(self, source: TextIO) -> None:
        self._said: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._listen, args=(source,), daemon=True).start()

    def _listen(self, source: TextIO) -> None:
        for line in source:
            self._said.put(json.loads(line))
        # The studio is gone, and whoever comes after it begins this job again from its checkpoint.
        os._exit(0)

    def next(self) -> dict[str, Any]:
        """The next thing said; waits for it."""
        return self._said.get()

    def now(self, lease: str) -> Iterator[dict[str, Any]]:
        """What has been said by now to whoever has this lease, or to all."""
        while not self._said.empty():
            said = self._said.get()
            # What was said of the job before came too late.
            if said.get("lease", lease) == lease:
                yield said


def say(out: TextIO, what: str, **more: Any) -> None:
    """A line for the studio."""
    out.write(json.dumps({"say": what, **more}) + "\n")
    out.flush()
