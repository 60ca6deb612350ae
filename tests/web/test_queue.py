"""The queue: which change of state is allowed, that each is whole, and that nobody gets a job twice."""

from __future__ import annotations

import itertools
import multiprocessing
import tempfile
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from impasto.errors import SettingsError
from impasto.settings import Settings
from impasto.web.queue.claims import Claims
from impasto.web.queue.job import FINAL, ConflictError, Job, KeyReusedError, QueueFullError
from impasto.web.queue.jobs import Jobs
from impasto.web.storage.database import FILE, Database, DatabaseError
from impasto.web.storage.erasures import Erasures

SETTINGS = Settings().to_mapping()
SPEC: Any = {
    "name": "photo-painting",
    "preset": "default",
    "content": {"id": "0" * 64, "name": "photo"},
    "styles": [{"id": "1" * 64, "name": "painting"}],
    "masks": [],
    "style_masks": [],
    "content_map": None,
    "init": None,
}
ERROR = {"type": "about:blank#internal", "title": "", "status": 500, "detail": "it died"}
START = {"id": "3" * 64, "name": "start.png"}
PROGRESS = {"step": 1, "size": [32, 32]}
ACTIONS = ("cancel", "stop", "pause", "resume", "retry", "delete", "undelete")


def queue(folder: Path, *, max_queue: int = 100) -> tuple[Jobs, Claims]:
    database = Database(folder / FILE)
    return Jobs(database, max_queue=max_queue), Claims(database, attempts=3)


@pytest.fixture
def both(tmp_path: Path) -> tuple[Jobs, Claims]:
    return queue(tmp_path)


@pytest.fixture
def jobs(both: tuple[Jobs, Claims]) -> Jobs:
    return both[0]


@pytest.fixture
def claims(both: tuple[Jobs, Claims]) -> Claims:
    return both[1]


def added(jobs: Jobs) -> Job:
    return jobs.add(SPEC, SETTINGS)[0]


def claimed(claims: Claims) -> Job:
    job = claims.claim()
    assert job is not None
    return job


def test_jobs_are_claimed_in_their_order(jobs, claims):
    names = [added(jobs).id for _ in range(3)]
    jobs.move(names[2], 0)
    jobs.pause(names[0])
    assert [claimed(claims).id, claimed(claims).id] == [names[2], names[1]]
    assert claims.claim() is None
    jobs.resume(names[0])
    assert claimed(claims).id == names[0]


def test_reordering_leaves_out_nobody(jobs):
    a, b, c = (added(jobs).id for _ in range(3))
    jobs.reorder([c, "unknown", c])
    assert jobs.order() == [c, a, b]


def test_a_halted_queue_hands_out_nothing(jobs, claims):
    added(jobs)
    jobs.pause_all(True)
    assert claims.claim() is None
    jobs.pause_all(False)
    assert claims.claim() is not None


@pytest.mark.promise("idempotency")
def test_one_key_is_one_job(jobs):
    first, new = jobs.add(SPEC, SETTINGS, key=("k", "f"))
    again, newer = jobs.add(SPEC, SETTINGS, key=("k", "f"))
    assert (first.id, new, newer) == (again.id, True, False)
    with pytest.raises(KeyReusedError):
        jobs.add(SPEC, SETTINGS, key=("k", "g"))


def test_the_settings_it_was_asked_for_with_outlive_every_change(jobs, claims):
    job = added(jobs)
    assert job.first_settings == SETTINGS
    other = Settings(strength=0.1).to_mapping()
    assert jobs.change(job, job.spec, other, [])
    changed = jobs.get(job.id)
    assert (changed.settings, changed.first_settings) == (other, SETTINGS)
    third = Settings(strength=0.2).to_mapping()
    assert claims.rebase(claimed(claims), START, third, other)
    rebased = jobs.get(job.id)
    assert (rebased.settings, rebased.first_settings) == (third, SETTINGS)
    # What goes on from it is asked for with settings of its own.
    assert jobs.add(rebased.spec, other, parent=job.id)[0].first_settings == other


def test_a_job_of_an_older_version_shows_the_settings_it_began_with(jobs):
    job = added(jobs)
    with jobs._database.transaction() as change:
        change("update jobs set spec = json_remove(spec, '$.first_settings') where id = ?", (job.id,))
    assert jobs.get(job.id).first_settings == SETTINGS


def test_a_change_of_a_job_that_has_changed_meanwhile_is_looked_at_again(jobs):
    job = added(jobs)
    assert jobs.change(job, job.spec, Settings(strength=0.1).to_mapping(), [])
    assert not jobs.change(job, job.spec, Settings(size=64).to_mapping(), [])
    assert jobs.get(job.id).wanted == Settings(strength=0.1).to_mapping()


def test_a_change_of_a_job_that_was_begun_meanwhile_is_refused(jobs, claims):
    job = added(jobs)
    claimed(claims)
    with pytest.raises(ConflictError, match="was queued and is running now"):
        jobs.change(job, job.spec, Settings(size=64).to_mapping(), [])
    now = jobs.get(job.id)
    assert now.settings == now.wanted == SETTINGS


def test_what_was_asked_for_while_it_began_from_another_picture_is_kept(jobs, claims):
    added(jobs)
    job = claimed(claims)
    masked = job.spec | {"masks": [{"id": "2" * 64, "name": "mask"}]}
    assert jobs.change(job, masked, SETTINGS | {"strength": 0.1}, [])
    assert claims.rebase(job, START, SETTINGS | {"coarse_size": 128}, SETTINGS)
    now = jobs.get(job.id)
    assert (now.spec["masks"], now.spec["init"]) == (masked["masks"], START)
    assert now.settings == SETTINGS | {"coarse_size": 128}
    assert now.wanted == SETTINGS | {"coarse_size": 128, "strength": 0.1}


def test_no_job_is_painted_longer_than_may_be(jobs, claims):
    added(jobs)
    job = claimed(claims)
    jobs.extend(job.id, 1_000_000 - job.wanted["iterations"])
    with pytest.raises(SettingsError, match="1 more make 1000001; at most 1000000 are allowed"):
        jobs.extend(job.id, 1)
    assert jobs.get(job.id).wanted["iterations"] == 1_000_000


def test_a_full_queue_takes_nothing_and_has_room_again(tmp_path):
    jobs, _ = queue(tmp_path, max_queue=2)
    first = added(jobs)
    added(jobs)
    with pytest.raises(QueueFullError):
        added(jobs)
    jobs.cancel(first.id)
    added(jobs)


@pytest.mark.promise("claims")
def test_who_was_given_up_for_dead_cannot_finish(jobs, claims):
    added(jobs)
    dead = claimed(claims)
    claims.worker_lost(dead, ERROR)
    alive = claimed(claims)
    assert not claims.finish(dead, {"id": "a"})
    assert not claims.record_progress(dead, progress=PROGRESS, seconds=1, reached=9)
    assert claims.finish(alive, {"id": "b"})
    assert jobs.get(alive.id).result == {"id": "b"}


@pytest.mark.promise("poison-jobs")
def test_a_job_that_gets_no_further_is_set_aside_after_three_attempts_and_others_go_on(jobs, claims):
    poison, other = added(jobs), added(jobs)
    for attempt in (1, 2, 3):
        job = claimed(claims)
        assert (job.id, job.attempts) == (poison.id, attempt)
        claims.worker_lost(job, ERROR)
    assert jobs.get(poison.id).state == "failed"
    assert jobs.get(poison.id).error == ERROR
    assert claimed(claims).id == other.id


def test_attempts_count_anew_once_it_got_further(jobs, claims):
    added(jobs)
    for reached in range(1, 9):
        job = claimed(claims)
        claims.record_progress(job, progress=PROGRESS, seconds=1, reached=reached)
        claims.worker_lost(job, ERROR)
    assert jobs.order() == [job.id]


def test_a_studio_that_died_leaves_its_jobs_to_the_next(jobs, claims):
    first, second, third = (added(jobs).id for _ in range(3))
    claimed(claims), claimed(claims)
    assert {job.id for job in claims.recover()} == {first, second}
    assert jobs.order() == [first, second, third]


@pytest.mark.promise("innocent-jobs")
def test_a_studio_that_is_killed_again_and_again_costs_its_jobs_no_attempt(jobs, claims):
    name = added(jobs).id
    for _ in range(7):
        claimed(claims)
        assert [(job.id, job.state, job.attempts) for job in claims.recover()] == [(name, "queued", 0)]


def test_what_is_deleted_can_be_had_back_until_it_is_erased(jobs, claims, tmp_path):
    job = added(jobs)
    jobs.delete(job.id)
    assert jobs.find() == [] and claims.claim() is None
    assert jobs.undelete(job.id).state == "canceled"
    jobs.delete(job.id)
    erasures = Erasures(jobs._database, "jobs", tmp_path.joinpath)
    assert jobs.purge(jobs.get(job.id).deleted + 1, erasures) == [job.id] == erasures.pending()
    assert jobs.find(deleted=True) == []


def _claim_all(folder: Path, ready: Barrier, out: multiprocessing.SimpleQueue) -> None:
    _, claims = queue(folder, max_queue=10_000)
    ready.wait(120)
    mine = []
    while (job := claims.claim()) is not None:
        mine.append(job.id)
        assert claims.finish(job, {"id": job.lease})
    out.put(mine)


@pytest.mark.promise("claims")
@pytest.mark.parametrize(
    ("processes", "number"), [(3, 60), pytest.param(8, 1000, marks=pytest.mark.slow)], ids=["3x60", "8x1000"]
)
def test_several_processes_claim_each_job_exactly_once(tmp_path, processes, number):
    jobs, _ = queue(tmp_path, max_queue=10_000)
    with jobs._database.transaction():
        expected = sorted(added(jobs).id for _ in range(processes * number))
    context = multiprocessing.get_context("spawn")
    out, ready = context.SimpleQueue(), context.Barrier(processes)
    running = [context.Process(target=_claim_all, args=(tmp_path, ready, out)) for _ in range(processes)]
    for process in running:
        process.start()
    found = [out.get() for _ in running]
    for process in running:
        process.join()
        assert process.exitcode == 0
    assert sorted(itertools.chain(*found)) == expected
    assert jobs.counts()["succeeded"] == processes * number


@pytest.mark.promise("damaged-database")
@pytest.mark.parametrize("at", [0, 20, 4096])
def test_a_damaged_database_is_refused_with_advice(tmp_path, at):
    jobs, _ = queue(tmp_path)
    for _ in range(20):
        added(jobs)
    jobs._database.close()
    file = tmp_path / FILE
    content = bytearray(file.read_bytes())
    content[at : at + 3000] = b"\xff" * 3000
    file.write_bytes(content)
    with pytest.raises(DatabaseError, match=r"damaged.*Restore a copy"):
        queue(tmp_path)


def test_a_database_of_a_later_version_is_refused(tmp_path):
    database = Database(tmp_path / FILE)
    with database.transaction() as change:
        change("pragma user_version = 99")
    database.close()
    with pytest.raises(DatabaseError, match="update impasto"):
        Database(tmp_path / FILE)


def test_a_transaction_that_fails_leaves_nothing(jobs):
    with pytest.raises(ZeroDivisionError), jobs._database.transaction() as change:
        added(jobs)
        change("update jobs set starred = 1")
        1 / 0  # noqa: B018
    assert jobs.find() == []


class Queue(RuleBasedStateMachine):
    """Whatever people and painters do, in whatever order: states are as the picture in `jobs` has them.

    Here the model is what each job's state, and whoever holds its lease, may be after each step.
    """

    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.jobs, self.claims = queue(Path(self._folder.name), max_queue=5)
        self.results: dict[str, str] = {}
        self.accepted: set[str] = set()

    def teardown(self) -> None:
        self.jobs._database.close()
        self._folder.cleanup()

    def _some(self, pick: int) -> str | None:
        names = sorted(self.accepted)
        return names[pick % len(names)] if names else None

    @rule()
    def add(self) -> None:
        waiting = len(self.jobs.order()) + len(self.jobs.running())
        try:
            self.accepted.add(added(self.jobs).id)
            assert waiting < 5
        except QueueFullError:
            assert waiting >= 5

    @rule(target=held)
    def claim(self):
        order = [one for one in self.jobs.order() if not self.jobs.get(one).paused]
        job = self.claims.claim()
        assert (job is None) == (not order)
        if job is None:
            return multiple()
        assert job.id == order[0] and job.state == "running" and job.lease
        return job

    @rule(job=held, reached=st.integers(0, 5))
    def note(self, job: Job, reached: int) -> None:
        before = self.jobs.get(job.id)
        assert self.claims.record_progress(job, progress=PROGRESS, seconds=1.0, reached=reached) == (
            before.lease == job.lease
        )

    @rule(job=consumes(held), how=st.sampled_from(["finish", "fail", "release", "worker_lost"]))
    def end(self, job: Job, how: str) -> None:
        before = self.jobs.get(job.id)
        holds = before.state == "running" and before.lease == job.lease
        argument = {"finish": ({"id": job.lease},), "fail": (ERROR,), "worker_lost": (ERROR,), "release": ()}[how]
        assert getattr(self.claims, how)(job, *argument) == holds
        now = self.jobs.get(job.id)
        if not holds:
            assert now == before
        elif how == "finish":
            assert now.state == "succeeded"
            self.results[job.id] = str(job.lease)
        elif how == "worker_lost":
            assert now.state == ("failed" if before.attempts >= 3 else "queued")
        else:
            assert now.state == {"fail": "failed", "release": "queued"}[how]

    @rule(pick=st.integers(0, 50), action=st.sampled_from(ACTIONS))
    def act(self, pick: int, action: str) -> None:
        name = self._some(pick)
        if name is None:
            return
        before = self.jobs.get(name)
        try:
            getattr(self.jobs, action)(name)
        except ConflictError:
            assert action not in before.actions and self.jobs.get(name) == before
            return
        except QueueFullError:
            assert action == "retry" and self.jobs.get(name) == before
            return
        assert action in before.actions
        now = self.jobs.get(name)
        match action:
            case "cancel":
                assert now.state == "canceled" and now.lease is None
            case "stop":
                assert now.stopping and now.state == before.state
            case "pause" | "resume":
                assert now.paused == (action == "pause") and now.state == before.state
            case "retry":
                assert now.state == "queued" and now.error is None
            case "delete":
                assert now.deleted is not None and now.final
            case "undelete":
                assert now.deleted is None and now.state == before.state

    @rule(pick=st.integers(0, 50), to=st.integers(0, 9))
    def move(self, pick: int, to: int) -> None:
        name = self._some(pick)
        if name is not None and "move" in self.jobs.get(name).actions:
            others = [one for one in self.jobs.order() if one != name]
            self.jobs.move(name, to)
            assert self.jobs.order() == [*others[:to], name, *others[to:]]

    @rule()
    def die_and_recover(self) -> None:
        running = set(self.jobs.running())
        assert {job.id for job in self.claims.recover()} == running
        assert self.jobs.running() == []

    @invariant()
    def nothing_is_lost_and_nothing_is_done_twice(self) -> None:
        known = {job.id: job for job in [*self.jobs.find(limit=-1), *self.jobs.find(deleted=True, limit=-1)]}
        assert known.keys() == self.accepted
        for job in known.values():
            assert (job.lease is not None) == (job.state == "running")
            assert (job.finished is not None) == (job.state in FINAL)
            assert (job.result is not None) == (job.state == "succeeded")
            assert job.attempts <= 3
            if job.id in self.results:
                assert job.result == {"id": self.results[job.id]}
        assert set(self.jobs.order()) == {job.id for job in known.values() if job.state == "queued"}


TestQueue = pytest.mark.promise("cancel-races")(Queue.TestCase)
TestQueue.settings = hypothesis_settings(max_examples=25, stateful_step_count=40)
