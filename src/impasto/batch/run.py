"""Owns the run of a batch: items in, outcomes out. Each output is claimed, painted, and written whole or not at all."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

from impasto.batch.claims import claimed
from impasto.batch.executors import Executor
from impasto.batch.items import Item, check
from impasto.batch.orders import FileFormat, Order, Result
from impasto.errors import ImpastoError
from impasto.files import label, whole, why_not_written

Kind = Literal["painted", "kept", "failed"]


@dataclass(frozen=True)
class Outcome:
    """What became of an item.

    Attributes:
        item: the item.
        kind: `painted`; `kept`, if its output was there already; `failed`.
        seconds: that painting took.
        notes: warnings, and the faults that the picture shows.
        error: why it failed; empty otherwise.
    """

    item: Item
    kind: Kind
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    error: str = ""


def run(
    items: Sequence[Item],
    executor: Executor,
    *,
    file_format: FileFormat = FileFormat(),  # noqa: B008  (frozen)
    overwrite: bool = False,
) -> Generator[Outcome, None, None]:
    """Paint a batch; outcomes come in the order in which they are known. Stop iterating to stop painting.

    An output that this batch would paint again, from the same pictures with the same settings, is kept. So the same
    call goes on where an earlier one stopped, and two at the same time share the work.

    Args:
        items: what to paint.
        executor: who paints.
        file_format: how the outputs are encoded.
        overwrite: whether files may be replaced that exist and are other pictures.

    Raises:
        ImpastoError: see `items.check`; raised before anything is painted.
    """
    check(items)
    return _Run(items, executor, file_format, overwrite=overwrite).outcomes()


class _Run:
    """One run: the claims that it holds, and the outcomes that are known without painting."""

    def __init__(self, items: Sequence[Item], executor: Executor, file_format: FileFormat, *, overwrite: bool) -> None:
        self._items, self._executor, self._file_format = items, executor, file_format
        self._overwrite = overwrite
        self._claims: dict[int, ExitStack] = {}
        self._known: deque[Outcome] = deque()

    def outcomes(self) -> Generator[Outcome, None, None]:
        try:
            for result in self._executor.run(self._orders()):
                while self._known:
                    yield self._known.popleft()
                yield self._written(result)
            yield from self._known
        finally:
            for claim in self._claims.values():
                claim.close()

    def _orders(self) -> Iterator[Order]:
        elsewhere: list[int] = []
        for number in range(len(self._items)):
            if self._claim(number):
                yield from self._ordered(number)
            else:
                elsewhere.append(number)
        # What another run was painting is there by now, unless that run was stopped.
        for number in elsewhere:
            self._claim(number, wait=True)
            yield from self._ordered(number)

    def _claim(self, number: int, *, wait: bool = False) -> bool:
        claim = ExitStack()
        mine = claim.enter_context(claimed(self._items[number].output, wait=wait))
        if mine:
            self._claims[number] = claim
        return mine

    def _ordered(self, number: int) -> Iterator[Order]:
        """The order for an item that is claimed, unless its output is there or it cannot be painted."""
        item = self._items[number]
        try:
            known = self._there_already(item)
            if known is None:
                yield Order.of(number, item, self._file_format)
                return
        except ImpastoError as error:
            known = Outcome(item, "failed", error=str(error))
        self._known.append(known)
        self._claims.pop(number).close()

    def _there_already(self, item: Item) -> Outcome | None:
        if not item.output.exists():
            return None
        if not self._file_format.with_recipe:
            return None if self._overwrite else Outcome(item, "kept")
        if item.is_painted():
            return Outcome(item, "kept")
        if self._overwrite:
            return None
        return Outcome(
            item,
            "failed",
            error=f"{label(item.output)} exists, and was painted from other pictures or with other settings; replace "
            "it with --force, or choose another folder",
        )

    def _written(self, result: Result) -> Outcome:
        item = self._items[result.number]
        with self._claims.pop(result.number):
            if result.data is None:
                return Outcome(item, "failed", result.seconds, result.notes, result.error)
            try:
                with whole(item.output) as beside:
                    beside.write_bytes(result.data)
            except OSError as error:
                return Outcome(item, "failed", result.seconds, result.notes, why_not_written(error, item.output))
            return Outcome(item, "painted", result.seconds, result.notes)
