"""Owns the workers' side of the queue: which job is painted next, and how each attempt ends.

Claiming a job gives it a new lease. A report about it counts only while the job still has the same lease, so a worker
that was given up cannot finish a job that another worker has claimed since. Each method is one transaction.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from impasto.web.queue.job import FAILED, QUEUED, RUNNING, SUCCEEDED, Job, NamedPicture, NoSuchJobError, job_from_row
from impasto.web.queue.table import JobTable
from impasto.web.storage.database import Database


class Claims(JobTable):
    """All jobs, and what workers may do with them.

    Args:
        database: has the table.
        attempts: how often a job may be claimed without its checkpoint reaching further.
        clock: seconds since 1970.
    """

    def __init__(self, database: Database, *, attempts: int, clock: Callable[[], float] = time.time) -> None:
        super().__init__(database, clock=clock)
        self._attempts = attempts

    def claim(self) -> Job | None:
        """Take the next job under a new lease; None if no job is ready."""
        with self._database.transaction() as change:
            if self.all_paused:
                return None
            row = change(
                "select * from jobs where state = 'queued' and not paused and deleted is null order by place limit 1"
            ).fetchone()
            if row is None:
                return None
            job = job_from_row(row)
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

    def record_progress(
        self, job: Job, *, progress: Mapping[str, Any], seconds: float, reached: int | None = None
    ) -> bool:
        """Store its position. A checkpoint that reaches further than the last one resets the count of attempts."""
        with self._database.transaction() as change:
            now = self._held(job)
            if now is None:
                return False
            further = {} if reached is None else {"reached": reached}
            if reached is not None and reached > now.reached:
                further["attempts"] = 1
            self._set(change, job.id, progress=dict(progress), seconds=seconds, **further)
        return True

    def rebase(self, job: Job, start: NamedPicture, settings: Mapping[str, Any], heard: Mapping[str, Any]) -> bool:
        """Continue from another initial picture and settings, as if the job had started with them.

        Args:
            job: as it was claimed.
            start: the picture.
            settings: the new initial settings.
            heard: the wanted settings that the worker knew of; what clients changed since then remains wanted.
        """
        with self._database.transaction() as change:
            now = self._held(job)
            if now is None:
                return False
            since = {name: value for name, value in now.wanted.items() if value != heard.get(name)}
            self._set(
                change,
                job.id,
                spec={**now.spec, "init": dict(start)},
                settings=dict(settings),
                wanted={**settings, **since},
                reached=0,
            )
        return True

    def finish(self, job: Job, result: Mapping[str, Any], *, warnings: Sequence[str] = ()) -> bool:
        """Mark it as succeeded. Returns False, and changes nothing, if the lease has ended."""
        return self._end(job, state=SUCCEEDED, result=dict(result), warnings=[*job.warnings, *warnings])

    def fail(self, job: Job, error: Mapping[str, Any]) -> bool:
        """Mark it as failed."""
        return self._end(job, state=FAILED, error=dict(error))

    def release(self, job: Job) -> bool:
        """Return it to the head of the queue without counting the attempt: it was paused, or the studio stops."""
        return self._requeue(job, attempts=max(0, job.attempts - 1))

    def worker_lost(self, job: Job, error: Mapping[str, Any]) -> bool:
        """Its worker died: return it to the head of the queue, or fail it if that happened too often."""
        with self._database.transaction():
            now = self._held(job)
            if now is None:
                return False
            return self.fail(job, error) if now.attempts >= self._attempts else self._requeue(job)

    def recover(self) -> list[Job]:
        """At start, when there is no worker yet: return every running job to the queue.

        The attempt does not count, because the job did not end the studio.

        Returns:
            Those jobs, as they are now.
        """
        # Each one goes to the head, so the last one must go first.
        lost = sorted(self.find(states=[RUNNING], limit=-1), key=lambda job: -job.number)
        for job in lost:
            self.release(job)
        return [self.get(job.id) for job in lost]

    def _held(self, job: Job) -> Job | None:
        """The job as it is now; None if the lease has ended."""
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

    def _requeue(self, job: Job, **values: Any) -> bool:
        with self._database.transaction() as change:
            if self._held(job) is None:
                return False
            first = change("select coalesce(min(place), 1) - 1 from jobs where state = 'queued'").fetchone()[0]
            self._set(change, job.id, state=QUEUED, lease=None, place=first, **values)
        return True
