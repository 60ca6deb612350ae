"""Owns the table of jobs: finding them, and writing one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from impasto.web.queue.job import STATES, Job, NoSuchJobError, check_job_row, job_from_row, to_column
from impasto.web.storage.database import Database, Execute


class JobTable:
    """All jobs, for reading.

    Args:
        database: has the table.
        clock: seconds since 1970.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def set_aside_damaged(self) -> list[str]:
        """Set aside the jobs that cannot be read; their ids."""
        return self._database.set_aside("jobs", "id", check_job_row)

    def get(self, job_id: str) -> Job:
        """The job with that id.

        Raises:
            NoSuchJobError: there is none.
        """
        rows = self._database.rows("select * from jobs where id = ?", (job_id,))
        if not rows:
            raise NoSuchJobError(job_id)
        return job_from_row(rows[0])

    def exists(self, job_id: str) -> bool:
        """Whether there is a job with that id."""
        return bool(self._database.rows("select 1 from jobs where id = ?", (job_id,)))

    def find(
        self,
        *,
        states: Sequence[str] = (),
        starred: bool | None = None,
        deleted: bool = False,
        sweep: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[Job]:
        """Jobs that match every given condition, the newest first; `limit` -1 means all."""
        conditions = ["deleted is not null" if deleted else "deleted is null"]
        values: list[object] = []
        if states:
            conditions.append(f"state in ({','.join('?' * len(states))})")
            values += states
        if starred is not None:
            conditions.append("starred = ?")
            values.append(int(starred))
        if sweep is not None:
            conditions.append("sweep ->> 'id' = ?")
            values.append(sweep)
        if before is not None:
            conditions.append("number < ?")
            values.append(before)
        query = f"select * from jobs where {' and '.join(conditions)} order by number desc limit ?"
        return [job_from_row(row) for row in self._database.rows(query, (*values, limit))]

    def order(self) -> list[str]:
        """Ids of the queued jobs, the next one first."""
        rows = self._database.rows("select id from jobs where state = 'queued' and deleted is null order by place")
        return [row["id"] for row in rows]

    def running(self) -> list[str]:
        """Ids of the jobs that are being painted."""
        return [row["id"] for row in self._database.rows("select id from jobs where state = 'running' order by number")]

    def counts(self) -> dict[str, float]:
        """The number of jobs in each state, without deleted ones."""
        rows = self._database.rows("select state, count(*) as number from jobs where deleted is null group by state")
        return dict.fromkeys(STATES, 0.0) | {row["state"]: float(row["number"]) for row in rows}

    @property
    def all_paused(self) -> bool:
        """Whether the whole queue is paused."""
        return bool(self._database.rows("select 1 from facts where name = 'paused' and value = '1'"))

    @staticmethod
    def _set(change: Execute, job_id: str, **values: Any) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        change(f"update jobs set {columns} where id = ?", (*map(to_column, values.values()), job_id))
