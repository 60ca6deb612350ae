"""Owns the clients' side of the queue: what people ask of jobs, and which changes of state are allowed.

```
            claim            finish
  queued ─────────▶ running ────────▶ succeeded
    ▲  │               │ │ fail
    │  │     release,  │ └──────────▶ failed ──┐
    │  │ ◀─────────────┘ lost                  │
    │  │ cancel        │ cancel                │ retry
    │  └──────────▶ canceled ◀─                │
    └──────────────────┴───────────────────────┘
```

Each method is one transaction. The workers' side (`claim`, `finish`, `fail`, `release`, `lost`) is in `claims`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from impasto.errors import SettingsError
from impasto.settings import OPTIONS
from impasto.web.queue.job import (
    CANCELED,
    QUEUED,
    RUNNING,
    ConflictError,
    Job,
    JobSpec,
    KeyReusedError,
    QueueFullError,
    to_column,
)
from impasto.web.queue.table import JobTable
from impasto.web.storage.database import Database, Execute
from impasto.web.storage.erasures import Erasures


class Jobs(JobTable):
    """All jobs, and what clients may do with them.

    Args:
        database: has the table.
        max_queue: jobs that may be queued or running at once.
        clock: seconds since 1970.
    """

    def __init__(self, database: Database, *, max_queue: int, clock: Callable[[], float] = time.time) -> None:
        super().__init__(database, clock=clock)
        self._max_queue = max_queue

    # Admission.

    def check_room(self, jobs: int = 1) -> None:
        """Check that the queue has room for that many more jobs.

        Raises:
            QueueFullError: it has not.
        """
        (waiting,) = self._database.rows("select count(*) from jobs where state in ('queued', 'running')")[0]
        if waiting + jobs > self._max_queue:
            raise QueueFullError

    def check_room_unless(self, key: str | None) -> None:
        """Check for room before a request's body is read. A known idempotency key passes: its job exists already.

        Raises:
            QueueFullError: there is none.
        """
        if key is None or not self._database.rows("select 1 from keys where key = ?", (key,)):
            self.check_room()

    def known(self, key: str, fingerprint: str) -> Job | None:
        """The job that was submitted with an idempotency key, if any.

        Raises:
            KeyReusedError: the key belongs to a request with another fingerprint.
        """
        rows = self._database.rows("select fingerprint, job from keys where key = ?", (key,))
        if not rows:
            return None
        if rows[0]["fingerprint"] != fingerprint:
            raise KeyReusedError
        return self.get(rows[0]["job"])

    # The queue as a whole.

    def pause_all(self, paused: bool) -> None:
        """Pause the whole queue: no new job is started. Or resume it."""
        with self._database.transaction() as change:
            change("insert or replace into facts values ('paused', ?)", (str(int(paused)),))

    def reorder(self, order: Sequence[str]) -> None:
        """Put the queued jobs in this order; jobs not named follow in their present order."""
        with self._database.transaction() as change:
            waiting = [row["id"] for row in change("select id from jobs where state = 'queued' order by place")]
            named = [job for job in dict.fromkeys(order) if job in waiting]
            for place, job in enumerate([*named, *(job for job in waiting if job not in named)]):
                change("update jobs set place = ? where id = ?", (float(place), job))

    # One job.

    def add(
        self,
        spec: JobSpec,
        settings: Mapping[str, Any],
        *,
        warnings: Sequence[str] = (),
        parent: str | None = None,
        sweep: Mapping[str, Any] | None = None,
        key: tuple[str, str] | None = None,
    ) -> tuple[Job, bool]:
        """Put a job at the end of the queue.

        Args:
            spec, settings, warnings, parent, sweep: as in `Job`.
            key: idempotency key, and the fingerprint of the request it came with.

        Returns:
            The job, and whether it is new.

        Raises:
            QueueFullError: there is no room.
            KeyReusedError: the key belongs to another request.
        """
        with self._database.transaction() as change:
            if key is not None and (known := self.known(*key)) is not None:
                return known, False
            self.check_room()
            job_id = secrets.token_hex(8)
            now = self._clock()
            # The spec is the one place that later changes of settings do not touch.
            spec = {**spec, "first_settings": dict(settings)}
            change(
                "insert into jobs (id, state, place, spec, settings, wanted, warnings, created, parent, sweep) "
                "values (?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    job_id,
                    self._last_place(change),
                    *(to_column(dict(part)) for part in (spec, settings, settings)),
                    to_column(list(warnings)),
                    now,
                    parent,
                    to_column(dict(sweep)) if sweep else None,
                ),
            )
            if key is not None:
                change("insert into keys values (?, ?, ?, ?)", (*key, job_id, now))
            return self.get(job_id), True

    def cancel(self, job_id: str) -> Job:
        """End it without a result."""
        return self._act(job_id, "cancel", state=CANCELED, finished=self._clock(), lease=None, stopping=0, paused=0)

    def stop(self, job_id: str) -> Job:
        """Have its current picture become its result; a paused job is resumed for that."""
        return self._act(job_id, "stop", stopping=1, paused=0)

    def pause(self, job_id: str) -> Job:
        """Have workers pass over it. The caller tells the worker of a running job to release it."""
        return self._act(job_id, "pause", paused=1)

    def resume(self, job_id: str) -> Job:
        """Undo `pause`."""
        return self._act(job_id, "resume", paused=0)

    def retry(self, job_id: str) -> Job:
        """Queue a failed or canceled job again."""
        with self._database.transaction() as change:
            self._allowed(job_id, "retry")
            self.check_room()
            place = self._last_place(change)
            self._set(change, job_id, state=QUEUED, place=place, finished=None, error=None, attempts=0, lease=None)
        return self.get(job_id)

    def move(self, job_id: str, to: int) -> Job:
        """Move it to another index in the queue; 0 is the first."""
        with self._database.transaction():
            self._allowed(job_id, "move")
            others = [job for job in self.order() if job != job_id]
            self.reorder([*others[:to], job_id, *others[to:]])
        return self.get(job_id)

    def star(self, job_id: str, starred: bool) -> Job:
        """Mark it, or remove the mark."""
        return self._act(job_id, "star", starred=int(starred))

    def delete(self, job_id: str) -> Job:
        """Delete it; a queued or running job is canceled first. `purge` erases it later."""
        with self._database.transaction() as change:
            job = self._allowed(job_id, "delete")
            if not job.final:
                self.cancel(job_id)
            self._set(change, job_id, deleted=self._clock())
        return self.get(job_id)

    def undelete(self, job_id: str) -> Job:
        """Undo `delete`."""
        return self._act(job_id, "undelete", deleted=None)

    def change(self, job: Job, spec: JobSpec, settings: Mapping[str, Any], warnings: Sequence[str]) -> bool:
        """Store other wanted settings or masks. A queued job starts with them.

        Args:
            job: as it was when the change was validated.
            spec, settings, warnings: the new values.

        Returns:
            False if the job was changed since; then the change must be validated again.

        Raises:
            ConflictError, NoSuchJobError: its state is a different one now, or allows no change.
        """
        with self._database.transaction() as change:
            now = self._allowed(job.id, "settings")
            if now.state != job.state:
                raise ConflictError(f"the job was {job.state} and is {now.state} now; reload it, then try again")
            if (now.spec, now.wanted) != (job.spec, job.wanted):
                return False
            start = {"settings": dict(settings)} if job.state == QUEUED else {}
            self._set(change, job.id, spec=dict(spec), wanted=dict(settings), warnings=list(warnings), **start)
        return True

    def extend(self, job_id: str, iterations: int) -> Job:
        """Add iterations to a running job.

        Raises:
            ConflictError, NoSuchJobError: it is not running.
            SettingsError: the total would exceed the limit.
        """
        with self._database.transaction() as change:
            job = self._allowed(job_id, "extend")
            if job.state != RUNNING:
                raise ConflictError(f"the job is {job.state}, so it cannot get more iterations")
            total, most = job.wanted["iterations"] + iterations, OPTIONS["iterations"][1].high
            if most is not None and total > most:
                raise SettingsError("iterations", f"{iterations} more make {total}; at most {most:.0f} are allowed")
            self._set(change, job_id, wanted=job.wanted | {"iterations": total})
        return self.get(job_id)

    # Deleted jobs.

    def purge(self, before: float, erasures: Erasures) -> list[str]:
        """Erase jobs deleted before that time, and idempotency keys from before it; the ids of the erased jobs.

        Args:
            before: seconds since 1970.
            erasures: their folders are noted there.
        """
        with self._database.transaction() as change:
            gone = [row["id"] for row in change("select id from jobs where deleted < ?", (before,))]
            change("delete from jobs where deleted < ?", (before,))
            erasures.note(change, gone)
            change(
                "delete from sweeps where id not in (select sweep ->> 'id' from jobs where sweep is not null) "
                "and created < ?",
                (before,),
            )
            change("delete from keys where created < ? or job not in (select id from jobs)", (before,))
        return gone

    def _act(self, job_id: str, action: str, **values: Any) -> Job:
        with self._database.transaction() as change:
            self._allowed(job_id, action)
            self._set(change, job_id, **values)
        return self.get(job_id)

    def _allowed(self, job_id: str, action: str) -> Job:
        job = self.get(job_id)
        if action not in job.actions:
            state = "deleted" if job.deleted is not None else "paused" if job.paused else job.state
            raise ConflictError(
                f"the job is {state}, which does not allow {action}; it allows {', '.join(job.actions)}"
            )
        return job

    @staticmethod
    def _last_place(change: Execute) -> float:
        return float(change("select coalesce(max(place), 0) + 1 from jobs where state = 'queued'").fetchone()[0])
