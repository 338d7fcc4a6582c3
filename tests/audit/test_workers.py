"""What the auditor makes of workers that are right, broken or down."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from gatepost import APIKeys
from gatepost.audit.auditor import Auditor, Violation
from gatepost.audit.judgement import Bound, Judgement
from tests.audit.conftest import StartWorker
from tests.audit.serving import Serving

PATIENCE_SECONDS = 120.0


class Seen:
    """What rounds have brought."""

    def __init__(self) -> None:
        self.answers: Counter[tuple[str, Judgement]] = Counter()
        self.violations: list[Violation] = []
        self.unanswered: dict[str, str] = {}

    async def look(self, auditor: Auditor) -> None:
        done = await auditor.round()
        self.answers.update(done.answers)
        self.violations += done.violations
        self.unanswered |= done.unanswered
        assert len(done.unanswered) < 2, done.unanswered

    async def look_to_the_end(self, auditor: Auditor) -> None:
        """Until every change has been asked about to the end."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.look(auditor)
            while auditor.open_checks:
                await asyncio.sleep(0.1)
                await self.look(auditor)


async def let_in(worker: Serving, secret: str) -> int:
    return (await asyncio.to_thread(worker.get, "/me", secret)).status_code


async def test_workers_that_follow_the_rule_never_break_it_under_a_stream_of_changes(
    keys: APIKeys, start: StartWorker, audit: Any
) -> None:
    workers = [start() for _ in range(3)]
    issued = [await keys.create(f"key {number}", ["FILE_UPLOAD"]) for number in range(3)]
    auditor = await audit(*workers)
    seen = Seen()

    async def change() -> None:
        for number in range(24):
            key_id = issued[number % 3].key.id
            await asyncio.gather(*(let_in(worker, issued[number % 3].secret) for worker in workers))
            turn = number // 3 % 4
            if turn == 0:
                await keys.deactivate(key_id, wait="commit")
            elif turn == 1:
                await keys.activate(key_id)
            elif turn == 2:
                await keys.update(key_id, permissions=["OBJECTS_LIST"] if number % 2 else [], wait="commit")
            else:
                await keys.rotate(key_id, grace=0, wait="commit")
            await asyncio.sleep(0.02)
        await keys.delete([each.key.id for each in issued], wait="commit")

    changes = asyncio.create_task(change())
    while not changes.done():
        await seen.look(auditor)
    await changes
    await seen.look_to_the_end(auditor)
    assert seen.violations == []
    assert seen.unanswered == {}
    assert auditor.unheard == []
    for worker in workers:
        assert seen.answers[worker.url, Judgement.RIGHT] >= 6


@pytest.mark.parametrize(
    ("first", "then", "kind"),
    [
        ("activate", "deactivate", Judgement.ACCEPTED),
        ("activate", "delete", Judgement.ACCEPTED),
        ("deactivate", "activate", Judgement.REFUSED),
    ],
)
async def test_a_worker_that_does_not_forget_what_changed_is_caught_and_named(
    keys: APIKeys, start: StartWorker, audit: Any, *, first: str, then: str, kind: Judgement
) -> None:
    right, wrong = start(), start("drop")
    issued = await keys.create("x")
    await getattr(keys, first)(issued.key.id)
    auditor = await audit(right, wrong)
    statuses = {await let_in(worker, issued.secret) for worker in (right, wrong)}
    assert statuses == ({200} if first == "activate" else {401})

    await getattr(keys, then)(issued.key.id)
    seen = Seen()
    await seen.look_to_the_end(auditor)
    (violation,) = seen.violations
    assert (violation.url, violation.kind) == (wrong.url, kind)
    assert violation.bound in {Bound.APPLIED, Bound.ACKNOWLEDGED}
    assert violation.worker is not None
    assert violation.worker.name.endswith(f":{wrong.process.pid}")
    assert violation.key_id == (None if then == "delete" else issued.key.id)


async def test_a_worker_that_goes_by_old_permissions_is_caught(keys: APIKeys, start: StartWorker, audit: Any) -> None:
    wrong = start("drop")
    issued = await keys.create("x", ["FILE_UPLOAD"])
    auditor = await audit(wrong)
    assert await let_in(wrong, issued.secret) == 200
    await keys.update(issued.key.id, permissions=[])
    seen = Seen()
    await seen.look_to_the_end(auditor)
    assert [violation.kind for violation in seen.violations] == [Judgement.OUTDATED]


async def test_a_worker_that_keeps_its_lease_without_polling_is_caught_once_its_time_is_over(
    keys: APIKeys, start: StartWorker, audit: Any
) -> None:
    right, wrong = start(), start("lease")
    issued = await keys.create("x")
    auditor = await audit(right, wrong)
    assert await let_in(wrong, issued.secret) == 200
    assert (await asyncio.to_thread(wrong.get, "/freeze")).text == "frozen"

    await keys.deactivate(issued.key.id, wait="commit")
    seen = Seen()
    await seen.look(auditor)
    assert seen.violations == []
    assert seen.answers[wrong.url, Judgement.OLD] == 1, "it may still be old"
    await seen.look_to_the_end(auditor)
    (violation,) = seen.violations
    assert (violation.url, violation.kind) == (wrong.url, Judgement.ACCEPTED)
    assert violation.bound in {Bound.LATE, Bound.GONE}
    assert violation.age >= 1.0 or violation.bound is Bound.GONE


async def test_a_worker_that_is_down_is_told_of_and_is_no_violation(
    keys: APIKeys, start: StartWorker, audit: Any
) -> None:
    right, down = start(), start()
    auditor = await audit(right, down)
    issued = await keys.create("x")
    down.process.kill()
    await keys.deactivate(issued.key.id, wait="commit")
    seen = Seen()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not seen.answers[right.url, Judgement.RIGHT]:
            await seen.look(auditor)
    assert seen.violations == []
    assert list(seen.unanswered) == [down.url]
    assert "Connect" in seen.unanswered[down.url]


async def test_a_live_worker_that_nobody_asked_is_named(keys: APIKeys, start: StartWorker, audit: Any) -> None:
    asked, other = start(), start()
    auditor = await audit(asked)
    await auditor.round()
    assert [worker.name.rpartition(":")[2] for worker in auditor.unheard] == [str(other.process.pid)]
