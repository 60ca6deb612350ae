"""Owns executors: who paints the orders of a batch. The one here starts processes on this machine.

What the machine does to a process (killed, out of memory) is tried again in another process. What a picture or a
setting does is not: it would fail again.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import signal
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from multiprocessing.synchronize import Event

import torch

from impasto import devices, planning
from impasto.batch.items import Item
from impasto.batch.orders import Order, Result, failed, paint

# A picture is given up after this many processes have died while they painted it alone.
_MOST_DEATHS = 2


class Executor(ABC):
    """Paints orders."""

    @abstractmethod
    def run(self, orders: Iterator[Order]) -> Iterator[Result]:
        """The results of the orders, in the order in which they are finished.

        Args:
            orders: one is taken when there is somebody to paint it, and not earlier.
        """


class LocalExecutor(Executor):
    """Processes on this machine.

    Args:
        workers: processes that paint at the same time.
        threads: CPU threads of each.
    """

    def __init__(self, workers: int, threads: int) -> None:
        self.workers, self.threads = workers, threads
        self._context = multiprocessing.get_context("spawn")

    def run(self, orders: Iterator[Order]) -> Iterator[Result]:
        stop = self._context.Event()
        pool = self._pool(stop)
        painting: dict[Future[Result], Order] = {}
        # Orders during which a process died. They are painted alone, so that the one that kills its process is found.
        suspects: deque[Order] = deque()
        deaths: dict[int, int] = {}
        try:
            while True:
                while len(painting) < (1 if suspects or deaths else self.workers):
                    order = suspects.popleft() if suspects else next(orders, None)
                    if order is None:
                        break
                    painting[pool.submit(_paint, order)] = order
                if not painting:
                    return
                finished, _ = concurrent.futures.wait(painting, return_when=concurrent.futures.FIRST_COMPLETED)
                for future in finished:
                    order = painting.pop(future)
                    try:
                        result = future.result()
                    except BrokenProcessPool:
                        alone = not painting and len(finished) == 1
                        deaths[order.number] = deaths.get(order.number, 0) + alone
                        if deaths[order.number] < _MOST_DEATHS:
                            suspects.append(order)
                            continue
                        result = failed(order, "the process that painted it died twice; perhaps memory ran out")
                    deaths.pop(order.number, None)
                    yield result
                if any(isinstance(future.exception(), BrokenProcessPool) for future in finished):
                    # All others that were painting are lost, too.
                    suspects.extend(painting.values())
                    deaths.update(dict.fromkeys((order.number for order in painting.values()), 0))
                    painting.clear()
                    pool.shutdown(wait=True)
                    pool = self._pool(stop)
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def _pool(self, stop: Event) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self.workers, mp_context=self._context, initializer=_begin, initargs=(self.threads, stop)
        )


def cores() -> int:
    """Number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def workers_that_fit(items: Sequence[Item], device: torch.device, threads: int = 1) -> int:
    """How many of the items can be painted at the same time: as the CPU's cores suffice, as far as memory lasts.

    On a GPU one, which uses all of it.

    Args:
        items: at least one.
        device: that paints.
        threads: CPU threads for each.
    """
    if device.type != "cpu":
        return 1
    memory = devices.memory(device)
    # No side is longer than the setting's: the square is the most that a picture needs.
    most = max(
        planning.peak_bytes((item.settings.size, item.settings.size), item.settings, styles=len(item.styles))
        for item in items
    )
    by_memory = memory.available // most if memory else 1
    return max(1, min(len(items), cores() // threads, by_memory))


_stop: Event | None = None


def _begin(threads: int, stop: Event) -> None:
    """Prepare a process for painting."""
    global _stop
    _stop = stop
    torch.set_num_threads(threads)
    # Ctrl-C goes to the whole group of processes; the one that started this one decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the one that started it has died."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _paint(order: Order) -> Result:
    return paint(order, _stop.is_set if _stop is not None else lambda: False)
