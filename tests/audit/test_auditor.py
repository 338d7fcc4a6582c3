"""What comes between the auditor's reads: fake workers, whose answers are timed by the test."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from gatepost import APIKeys, Outcome, Worker
from gatepost.audit.auditor import Auditor
from gatepost.audit.judgement import Judgement
from gatepost.database import Reading
from gatepost.health import Answer, WorkerAnswers


class Claiming:
    """Says that it has applied everything, and lets everybody in by an old record."""

    url = "http://claiming"

    def __init__(self) -> None:
        self.before_answer: Callable[[], Awaitable[object]] | None = None
        self.outcome = Outcome.VALID

    async def ask(self, digests: Sequence[bytes]) -> WorkerAnswers:
        if self.before_answer is not None:
            await self.before_answer()
        answers = dict.fromkeys(digests, Answer(self.outcome, 1))
        return WorkerAnswers(Worker("claiming", "claiming"), 10.0, 2**40, 10.0, answers)


@pytest.fixture
async def keys(ready_sqlite_url: str) -> AsyncIterator[APIKeys]:
    async with APIKeys(ready_sqlite_url) as keys:
        yield keys


@pytest.fixture
async def claiming(keys: APIKeys) -> tuple[Auditor, Claiming]:
    worker = Claiming()
    auditor = Auditor(keys._database, [worker])
    await auditor.begin()
    return auditor, worker


async def test_an_answer_is_judged_only_by_a_truth_that_held_before_and_after_it(
    keys: APIKeys, claiming: tuple[Auditor, Claiming]
) -> None:
    auditor, worker = claiming
    key_id = (await keys.create("x")).key.id
    await keys.deactivate(key_id)
    worker.before_answer = lambda: keys.activate(key_id)
    done = await auditor.round()
    assert (done.violations, done.answers) == ([], {})
    assert auditor.open_checks == 1
    worker.before_answer = None
    worker.outcome = Outcome.DEACTIVATED
    (violation,) = (await auditor.round()).violations
    assert (violation.kind, violation.seq) == (Judgement.REFUSED, 3)
    assert auditor.open_checks == 0


async def test_a_change_that_came_just_before_the_truth_was_read_is_judged_as_that_change(
    keys: APIKeys, claiming: tuple[Auditor, Claiming], monkeypatch: pytest.MonkeyPatch
) -> None:
    auditor, worker = claiming
    key_id = (await keys.create("x")).key.id
    read = keys._database.read_records

    async def read_late(digests: Sequence[bytes]) -> Reading:
        await keys.deactivate(key_id)
        return await read(digests)

    monkeypatch.setattr(keys._database, "read_records", read_late)
    done = await auditor.round()
    assert (done.violations, done.answers) == ([], {})
    assert auditor.seq == 2
    assert [(each.seq, each.url) for each in (await auditor.round()).violations] == [(2, worker.url)]


async def test_a_violation_is_told_once_for_a_change(keys: APIKeys, claiming: tuple[Auditor, Claiming]) -> None:
    auditor, _ = claiming
    key_id = (await keys.create("x")).key.id
    await keys.deactivate(key_id)
    assert len((await auditor.round()).violations) == 1
    assert (await auditor.round()).violations == []
    await keys.delete(key_id)
    (violation,) = (await auditor.round()).violations
    assert (violation.seq, violation.key_id) == (3, None)


async def test_nothing_is_judged_around_an_expiry(keys: APIKeys, claiming: tuple[Auditor, Claiming]) -> None:
    auditor, _ = claiming
    await keys.create("x", expires_at=datetime.now(UTC) + timedelta(seconds=1.5))
    done = await auditor.round()
    assert (done.violations, done.answers) == ([], {})
    assert auditor.open_checks == 1


async def test_a_change_log_that_went_back_or_was_replaced_begins_anew(
    keys: APIKeys, claiming: tuple[Auditor, Claiming]
) -> None:
    auditor, _ = claiming
    for number in range(3):
        await keys.create(f"key {number}")
    await auditor.round()
    for statement in ("UPDATE gatepost_counter SET seq = 1", "UPDATE gatepost_counter SET nonce = nonce + 1"):
        async with keys._database.engine.begin() as connection:
            await connection.execute(text(statement))
        done = await auditor.round()
        assert (done.restarted, done.violations) == (True, [])
        assert not (await auditor.round()).restarted


async def test_changes_from_before_the_auditor_are_asked_about_where_it_is_told_since_when(keys: APIKeys) -> None:
    worker = Claiming()
    key_id = (await keys.create("x")).key.id
    await keys.deactivate(key_id)
    auditor = Auditor(keys._database, [worker])
    assert await auditor.begin(since=0) == 0
    assert [violation.kind for violation in (await auditor.round()).violations] == [Judgement.ACCEPTED]
