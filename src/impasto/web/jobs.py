"""Owns the queue: what people ask of jobs, and which change of state is allowed. The database is the truth.

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

Each method is one transaction. What those who paint do (`claim`, `finish`, `fail`, `release`, `lost`) is in `leases`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from impasto.errors import SettingsError
from impasto.settings import OPTIONS
from impasto.web.database import Database, Execute
from impasto.web.job import CANCELED, QUEUED, RUNNING, ConflictError, Job, KeyReusedError, QueueFullError, stored
from impasto.web.records import Records


class Jobs(Records):
    """All jobs, and what people do with them.

    Args:
        database: where they are.
        max_queue: how many may wait or run at once.
        clock: seconds since 1970.
    """

    def __init__(self, database: Database, *, max_queue: int, clock: Callable[[], float] = time.time) -> None:
        super().__init__(database, clock=clock)
        self._max_queue = max_queue

    # Who may come in.

    def check_room(self, jobs: int = 1) -> None:
        """Refuses jobs for which there is no room.

        Raises:
            QueueFullError: there is none.
        """
        (waiting,) = self._database.rows("select count(*) from jobs where state in ('queued', 'running')")[0]
        if waiting + jobs > self._max_queue:
            raise QueueFullError

    def check_room_unless(self, key: str | None) -> None:
        """Refuses a request before its body is read, unless it may be one that was answered before.

        Raises:
            QueueFullError: there is no room.
        """
        if key is None or not self._database.rows("select 1 from keys where key = ?", (key,)):
            self.check_room()

    def known(self, key: str, fingerprint: str) -> Job | None:
        """The job that an idempotency key made.

        Raises:
            KeyReusedError: it belongs to another request.
        """
        rows = self._database.rows("select fingerprint, job from keys where key = ?", (key,))
        if not rows:
            return None
        if rows[0]["fingerprint"] != fingerprint:
            raise KeyReusedError
        return self.get(rows[0]["job"])

    # The queue's own.

    def pause_all(self, paused: bool) -> None:
        """Begin no new job, or begin them again."""
        with self._database.transaction() as change:
            change("insert or replace into facts values ('paused', ?)", (str(int(paused)),))

    def reorder(self, order: Sequence[str]) -> None:
        """Puts the jobs that wait into this order; those not named come after, as they were."""
        with self._database.transaction() as change:
            waiting = [row["id"] for row in change("select id from jobs where state = 'queued' order by place")]
            named = [job for job in dict.fromkeys(order) if job in waiting]
            for place, job in enumerate([*named, *(job for job in waiting if job not in named)]):
                change("update jobs set place = ? where id = ?", (float(place), job))

    # What people do with a job.

    def add(
        self,
        spec: Mapping[str, Any],
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
            key: idempotency key and the fingerprint of the request that it is for.

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
            # Kept in the spec, which changes of settings leave as it is.
            spec = {**spec, "first_settings": dict(settings)}
            change(
                "insert into jobs (id, state, place, spec, settings, wanted, warnings, created, parent, sweep) "
                "values (?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    job_id,
                    self._last_place(change),
                    *(stored(dict(part)) for part in (spec, settings, settings)),
                    stored(list(warnings)),
                    now,
                    parent,
                    stored(dict(sweep)) if sweep else None,
                ),
            )
            if key is not None:
                change("insert into keys values (?, ?, ?, ?)", (*key, job_id, now))
            return self.get(job_id), True

    def cancel(self, job_id: str) -> Job:
        """Throw away what is painted."""
        return self._act(job_id, "cancel", state=CANCELED, finished=self._clock(), lease=None, stopping=0, paused=0)

    def stop(self, job_id: str) -> Job:
        """Keep what is painted so far. One that waits is let through at once: only its picture is to be finished."""
        return self._act(job_id, "stop", stopping=1, paused=0)

    def pause(self, job_id: str) -> Job:
        """Lay it aside. What a running one is doing, is for whoever paints it to end; see `release`."""
        return self._act(job_id, "pause", paused=1)

    def resume(self, job_id: str) -> Job:
        """Let it have its turn again."""
        return self._act(job_id, "resume", paused=0)

    def retry(self, job_id: str) -> Job:
        """Put one that failed or was canceled back into the queue."""
        with self._database.transaction() as change:
            self._allowed(job_id, "retry")
            self.check_room()
            place = self._last_place(change)
            self._set(change, job_id, state=QUEUED, place=place, finished=None, error=None, attempts=0, lease=None)
        return self.get(job_id)

    def move(self, job_id: str, to: int) -> Job:
        """Give it another place in the queue; 0 is the first."""
        with self._database.transaction():
            self._allowed(job_id, "move")
            others = [job for job in self.order() if job != job_id]
            self.reorder([*others[:to], job_id, *others[to:]])
        return self.get(job_id)

    def star(self, job_id: str, starred: bool) -> Job:
        """Mark it, or not."""
        return self._act(job_id, "star", starred=int(starred))

    def delete(self, job_id: str) -> Job:
        """Throw it away; one that is not done is canceled first."""
        with self._database.transaction() as change:
            job = self._allowed(job_id, "delete")
            if not job.final:
                self.cancel(job_id)
            self._set(change, job_id, deleted=self._clock())
        return self.get(job_id)

    def undelete(self, job_id: str) -> Job:
        """Take it back out of the bin."""
        return self._act(job_id, "undelete", deleted=None)

    def change(self, job: Job, spec: Mapping[str, Any], settings: Mapping[str, Any], warnings: Sequence[str]) -> bool:
        """Want other settings or masks. A job that has not begun begins with them.

        Args:
            job: as it was when the change was looked at.
            spec, settings, warnings: as they are to be.

        Returns:
            False if it has been changed since, and the change is to be looked at again.

        Raises:
            ConflictError, NoSuchJobError: its state is another by now, or allows no change.
        """
        with self._database.transaction() as change:
            now = self._allowed(job.id, "settings")
            if now.state != job.state:
                raise ConflictError(f"the job is {now.state} by now, and was {job.state}; look at it, then try again")
            if (now.spec, now.wanted) != (job.spec, job.wanted):
                return False
            begins = {"settings": dict(settings)} if job.state == QUEUED else {}
            self._set(change, job.id, spec=dict(spec), wanted=dict(settings), warnings=list(warnings), **begins)
        return True

    def extend(self, job_id: str, iterations: int) -> Job:
        """Want more iterations of one that is being painted.

        Raises:
            ConflictError, NoSuchJobError: it is not being painted.
            SettingsError: they would be more than there may be.
        """
        with self._database.transaction() as change:
            job = self._allowed(job_id, "extend")
            if job.state != RUNNING:
                raise ConflictError("it is not being painted")
            total, most = job.wanted["iterations"] + iterations, OPTIONS["iterations"][1].high
            if most is not None and total > most:
                raise SettingsError(
                    "iterations", f"{iterations} more make {total}, and there may be {most:.0f} at most"
                )
            self._set(change, job_id, wanted=job.wanted | {"iterations": total})
        return self.get(job_id)

    # What is thrown away.

    def purge(self, before: float) -> list[str]:
        """Erase what was deleted before that time, and idempotency keys as old; ids of the jobs erased."""
        with self._database.transaction() as change:
            gone = [row["id"] for row in change("select id from jobs where deleted < ?", (before,))]
            change("delete from jobs where deleted < ?", (before,))
            change(
                "delete from sweeps where id not in (select sweep ->> 'id' from jobs where sweep is not null) "
                "and created < ?",
                (before,),
            )
            change("delete from keys where created < ? or job not in (select id from jobs)", (before,))
        return gone

    # How it is done.

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
                f"the job is {state}, so it cannot be asked to {action}; it allows {', '.join(job.actions)}"
            )
        return job

    @staticmethod
    def _last_place(change: Execute) -> float:
        return float(change("select coalesce(max(place), 0) + 1 from jobs where state = 'queued'").fetchone()[0])
