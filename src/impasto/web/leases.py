"""Owns the leases: which job is painted next, by whom, and what becomes of it.

Whoever paints holds the lease that `claim` gave it, and what it reports counts only as long as the job still has that
lease: so a process that was given up for dead cannot finish a job a second time. Each method is one transaction.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from impasto.web.database import Database
from impasto.web.job import FAILED, QUEUED, RUNNING, SUCCEEDED, Job, NoSuchJobError, of_row
from impasto.web.records import Records


class Leases(Records):
    """All jobs, and what those who paint them do.

    Args:
        database: where they are.
        attempts: how often a job may be begun without getting further.
        clock: seconds since 1970.
    """

    def __init__(self, database: Database, *, attempts: int, clock: Callable[[], float] = time.time) -> None:
        super().__init__(database, clock=clock)
        self._attempts = attempts

    def claim(self) -> Job | None:
        """Take the next job to paint it, under a lease of its own; None if there is none.

        One that has been begun too often without getting further fails here instead.
        """
        with self._database.transaction() as change:
            if self.all_paused:
                return None
            row = change(
                "select * from jobs where state = 'queued' and not paused and deleted is null order by place limit 1"
            ).fetchone()
            if row is None:
                return None
            job = of_row(row)
            self._set(
                change,
                job.id,
                state=RUNNING,
                lease=secrets.token_hex(8),
                attempts=job.attempts + 1,
                started=job.started or self._clock(),
                place=None,
            )
        return self.get(job.id)

    def note(self, job: Job, *, progress: Mapping[str, Any], seconds: float, reached: int | None = None) -> bool:
        """Note how far it is. A checkpoint that reaches further than the last makes the attempts count anew."""
        with self._database.transaction() as change:
            now = self._held(job)
            if now is None:
                return False
            further = {} if reached is None else {"reached": reached}
            if reached is not None and reached > now.reached:
                further["attempts"] = 1
            self._set(change, job.id, progress=dict(progress), seconds=seconds, **further)
        return True

    def rebase(self, job: Job, start: Mapping[str, str], settings: Mapping[str, Any], heard: Mapping[str, Any]) -> bool:
        """It goes on from another picture with other settings, as if it had begun with them.

        Args:
            job: as it was claimed.
            start: the picture, as `{"id", "name"}`.
            settings: those it begins with.
            heard: those wanted, as far as whoever paints it knew; what has been asked for since is wanted still.
        """
        with self._database.transaction() as change:
            now = self._held(job)
            if now is None:
                return False
            since = {name: value for name, value in now.wanted.items() if value != heard.get(name)}
            self._set(
                change,
                job.id,
                spec=now.spec | {"init": dict(start)},
                settings=dict(settings),
                wanted={**settings, **since},
                reached=0,
            )
        return True

    def finish(self, job: Job, result: Mapping[str, Any], *, warnings: Sequence[str] = ()) -> bool:
        """It is painted. False if someone else has it by now: then this result is nobody's."""
        return self._end(job, state=SUCCEEDED, result=dict(result), warnings=[*job.warnings, *warnings])

    def fail(self, job: Job, error: Mapping[str, Any]) -> bool:
        """It cannot be painted."""
        return self._end(job, state=FAILED, error=dict(error))

    def release(self, job: Job) -> bool:
        """Back into the queue, at its head, through no fault of its own: the studio stops, or the job is paused."""
        return self._back(job, attempts=max(0, job.attempts - 1))

    def lost(self, job: Job, error: Mapping[str, Any]) -> bool:
        """Whoever painted it has died: back to the head of the queue, or set aside if that has happened too often."""
        with self._database.transaction():
            now = self._held(job)
            if now is None:
                return False
            return self.fail(job, error) if now.attempts >= self._attempts else self._back(job)

    def recover(self, error: Mapping[str, Any]) -> list[Job]:
        """At the start, when nobody paints: every job that is said to be running was lost with the studio.

        Returns:
            Those jobs, as they are now.
        """
        # The last one first, for each goes before those that wait.
        lost = sorted(self.find(states=[RUNNING], limit=-1), key=lambda job: -job.number)
        for job in lost:
            self.lost(job, error)
        return [self.get(job.id) for job in lost]

    def _held(self, job: Job) -> Job | None:
        """The job as it is now, if the lease is still good."""
        try:
            now = self.get(job.id)
        except NoSuchJobError:
            return None
        return now if now.state == RUNNING and now.lease == job.lease else None

    def _end(self, job: Job, **values: Any) -> bool:
        with self._database.transaction() as change:
            if self._held(job) is None:
                return False
            self._set(change, job.id, finished=self._clock(), lease=None, paused=0, stopping=0, **values)
        return True

    def _back(self, job: Job, **values: Any) -> bool:
        with self._database.transaction() as change:
            if self._held(job) is None:
                return False
            first = change("select coalesce(min(place), 1) - 1 from jobs where state = 'queued'").fetchone()[0]
            self._set(change, job.id, state=QUEUED, lease=None, place=first, **values)
        return True
