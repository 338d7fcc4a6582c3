"""Ways in which other caches of keys have failed, played out step by step on the same doubles.

The weather is fair here: every message takes a millisecond, and only what a scene says goes wrong.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from gatepost.base.errors import UnavailableError
from gatepost.base.models import Outcome
from gatepost.base.secret import digest as digest_of
from gatepost.database import Position
from gatepost.freshness.freshness import BUSY_SECONDS
from gatepost.freshness.membership import certainly_over
from tests.simulation.breaks import FIRST_POLL_MISSED
from tests.simulation.network import Weather
from tests.simulation.redis import Habits
from tests.simulation.scenario import Plan, Run, SimulatedKeys, Worker

POLL_INTERVAL = 0.4


def fair() -> Plan:
    """Nothing goes wrong."""
    return Plan(
        "scene",
        poll_interval=POLL_INTERVAL,
        weather=Weather(slow=0.0, lost_before=0.0, lost_after=0.0),
        habits=Habits(forgets=0.0, resurrects=0.0, loses_writes=0.0, loses_nudges=0.0, repeats_nudges=0.0, slow=0.0),
    )


PERMISSIONS = ["FILE_UPLOAD"]


class Scene(Run):
    """A world in which only what is asked for happens."""

    def __init__(self) -> None:
        super().__init__(fair())

    def act_out(self, play: Callable[["Scene"], Coroutine[Any, Any, None]]) -> None:
        """Run the scene; nothing that was promised may be broken in it."""
        self.world.run(play(self), 600)
        assert not self.violation.done(), self.violation.result()
        assert self.world.failures == []

    async def open_worker(self, entries: int = 100) -> Worker:
        """A worker that serves."""
        process = self._process("worker")
        worker = Worker(process, SimulatedKeys(process, self.server, self.redis, self.plan, entries))
        await process.start(worker.keys.open())
        await process.start(worker.keys.serve())
        self.workers.append(worker)
        return worker

    async def open_admin(self) -> SimulatedKeys:
        """A process that only changes keys."""
        process = self._process("admin")
        keys = SimulatedKeys(process, self.server, self.redis, self.plan, 0)
        await process.start(keys.open())
        return keys

    async def ask(self, worker: Worker, secret: bytes) -> Outcome:
        """One request."""
        outcome: Outcome = await worker.process.start(self.request(worker, secret))
        return outcome

    async def verb(self, keys: SimulatedKeys, verb: str, call: Callable[[str], Awaitable[Any]]) -> Any:
        """One verb; what it promises is checked at every request after it."""
        return await keys._parts.process.start(self.change(keys, verb, call))

    async def make_key(self, keys: SimulatedKeys) -> tuple[str, bytes]:
        """A new key's id and secret."""
        issued = await self.verb(keys, "create", lambda actor: keys.create("a key", PERMISSIONS, actor=actor))
        return issued.key.id, issued.secret.encode()

    async def take_away(self, keys: SimulatedKeys, key_id: str) -> Any:
        """Deactivate."""
        return await self.verb(keys, "deactivate", lambda actor: keys.deactivate(key_id, actor=actor))


def test_a_stale_value_that_comes_back_to_redis_after_a_change_lets_nobody_in() -> None:
    async def play(scene: Scene) -> None:
        admin, worker = await scene.open_admin(), await scene.open_worker()
        key_id, secret = await scene.make_key(admin)
        assert await scene.ask(worker, secret) is Outcome.VALID
        await asyncio.sleep(0.1)
        stale = scene.redis.values[digest_of(secret)]
        await scene.take_away(admin, key_id)
        scene.redis.values[digest_of(secret)] = stale  # a write that was late, or a failover to an older copy
        newcomer = await scene.open_worker()
        for each in (worker, newcomer, worker, newcomer):
            scene.redis.values[digest_of(secret)] = stale
            assert await scene.ask(each, secret) is Outcome.DEACTIVATED

    Scene().act_out(play)


def test_a_request_under_way_during_a_change_does_not_fill_memory_with_what_it_read_before() -> None:
    async def play(scene: Scene) -> None:
        admin, worker = await scene.open_admin(), await scene.open_worker()
        key_id, secret = await scene.make_key(admin)
        scene.plan.weather.late["SELECT records"] = 0.5
        assert worker.keys.tier is not None
        worker.keys.tier.is_cut = True  # so that the read is its own, not one that it joins when Redis has said nothing
        under_way = worker.process.start(scene.request(worker, secret))
        await asyncio.sleep(0.02)
        worker.keys.tier.is_cut = False
        await scene.take_away(admin, key_id)
        assert not under_way.done()
        scene.plan.weather.late.clear()
        assert await under_way is Outcome.VALID, "it began before the change"
        assert await scene.ask(worker, secret) is Outcome.DEACTIVATED
        assert scene.world.counts["outcome key_deactivated"] == 1

    Scene().act_out(play)


def test_a_change_that_is_rolled_back_leaves_no_event_and_one_that_is_seen_has_its_event() -> None:
    async def play(scene: Scene) -> None:
        admin = await scene.open_admin()
        key_id, _ = await scene.make_key(admin)
        tables = scene.server.tables
        before = (tables.seq, len(tables.events))
        line = scene.network.line(admin._parts.process)
        line.kinds.add("COMMIT")
        with pytest.raises(UnavailableError):
            await admin._parts.process.start(admin.deactivate(key_id))
        assert (tables.seq, len(tables.events)) == before
        assert tables.keys[key_id].active
        line.kinds.clear()
        changing = admin._parts.process.start(admin.deactivate(key_id))
        while not changing.done():
            assert tables.keys[key_id].active == (len(tables.events) == before[1])
            assert tables.seq == tables.events[-1].seq
            await asyncio.sleep(0.0001)
        assert not tables.keys[key_id].active

    Scene().act_out(play)


def test_an_event_that_comes_after_its_change_is_missed_by_nobody() -> None:
    async def play(scene: Scene) -> None:
        scene.server.events_apart = True
        admin, worker = await scene.open_admin(), await scene.open_worker()
        key_id, secret = await scene.make_key(admin)
        await scene.ask(worker, secret)
        await scene.take_away(admin, key_id)
        assert await scene.ask(worker, secret) is Outcome.DEACTIVATED
        assert scene.world.counts["log: The database's change log does not continue what this worker"] > 0

    Scene().act_out(play)


def test_a_worker_whose_signs_of_life_are_lost_is_waited_for_or_believes_nothing() -> None:
    async def play(scene: Scene) -> None:
        admin, worker, other = await scene.open_admin(), await scene.open_worker(), await scene.open_worker()
        key_id, secret = await scene.make_key(admin)
        assert await scene.ask(worker, secret) is Outcome.VALID
        line = scene.network.line(worker.process)
        line.kinds.add("UPDATE workers")
        for _ in range(30):  # until the others have removed its row, and beyond
            await asyncio.sleep(0.5)
            assert await scene.ask(worker, secret) is Outcome.VALID
            assert await scene.ask(other, secret) is Outcome.VALID
        line.is_cut = True
        await scene.take_away(admin, key_id)
        assert await scene.ask(worker, secret) is Outcome.UNAVAILABLE
        assert await scene.ask(other, secret) is Outcome.DEACTIVATED

    Scene().act_out(play)


def test_a_worker_that_finds_the_events_removed_before_it_read_them_believes_nothing_of_before() -> None:
    async def play(scene: Scene) -> None:
        admin, worker = await scene.open_admin(), await scene.open_worker()
        key_id, secret = await scene.make_key(admin)
        assert await scene.ask(worker, secret) is Outcome.VALID
        await asyncio.sleep(0.1)  # no poll is under way then, which would meet the gap too
        worker.process.pause(10.0)
        await scene.take_away(admin, key_id)
        await scene.make_key(admin)
        scene.server.tables.events = scene.server.tables.events[-1:]
        assert await scene.ask(worker, secret) is Outcome.DEACTIVATED
        await asyncio.sleep(1.0)
        assert scene.world.counts["log: The database's change log does not continue what this worker"] == 1

    Scene().act_out(play)


def test_a_redis_that_passes_no_nudge_on_in_silence_only_makes_a_change_slower() -> None:
    async def play(scene: Scene) -> None:
        admin, worker = await scene.open_admin(), await scene.open_worker()
        key_id, secret = await scene.make_key(admin)
        assert await scene.ask(worker, secret) is Outcome.VALID
        scene.redis.habits.loses_nudges = 1.0
        receipt = await scene.take_away(admin, key_id)
        assert receipt.propagation.complete
        assert [each.name for each in receipt.propagation.acknowledged]
        assert receipt.propagation.seconds < 2 * POLL_INTERVAL
        assert await scene.ask(worker, secret) is Outcome.DEACTIVATED

    Scene().act_out(play)


def test_a_dead_worker_is_waited_for_until_its_lease_has_run_out_and_no_longer() -> None:
    async def play(scene: Scene) -> None:
        admin, alive, dead = await scene.open_admin(), await scene.open_worker(), await scene.open_worker()
        key_id, secret = await scene.make_key(admin)
        assert await scene.ask(alive, secret) is Outcome.VALID
        dead.process.kill()
        propagation = (await scene.take_away(admin, key_id)).propagation
        assert (len(propagation.acknowledged), len(propagation.expired)) == (1, 1)
        over = certainly_over(scene.plan.max_staleness)
        assert over <= propagation.seconds < over + 0.02  # a look takes two milliseconds
        assert await scene.ask(alive, secret) is Outcome.DEACTIVATED

    Scene().act_out(play)


def test_a_change_made_while_its_own_worker_begins_to_serve_is_acted_on_there_too() -> None:
    async def play(scene: Scene) -> None:
        admin, worker = await scene.open_admin(), await scene.open_worker()
        key_id, secret = await scene.make_key(admin)
        assert await scene.ask(worker, secret) is Outcome.VALID
        await asyncio.sleep(0.1)
        await worker.process.start(worker.keys.close())
        assert digest_of(secret) in scene.redis.values
        process = scene._process("beginner")
        beginner = Worker(process, SimulatedKeys(process, scene.server, scene.redis, scene.plan, 100))
        await process.start(beginner.keys.open())
        scene.redis.habits.loses_writes = scene.redis.habits.loses_nudges = 1.0
        scene.plan.weather.late["UPDATE workers"] = 0.2  # it has read the counter, and not yet begun to poll
        serving = process.start(beginner.keys.serve())
        async with asyncio.timeout(1):
            while not scene.server.tables.workers:  # noqa: ASYNC110 - nothing else there tells when it has joined
                await asyncio.sleep(0.0001)
        await asyncio.sleep(0.005)
        await scene.take_away(beginner.keys, key_id)
        await serving
        assert await scene.ask(beginner, secret) is Outcome.DEACTIVATED

    Scene().act_out(play)


def test_that_scene_fails_where_a_first_poll_under_way_is_not_waited_for() -> None:
    with FIRST_POLL_MISSED.applied(), pytest.raises(AssertionError, match="VALID"):
        test_a_change_made_while_its_own_worker_begins_to_serve_is_acted_on_there_too()


def test_a_value_of_a_past_that_the_database_lost_lets_nobody_in_once_it_was_invalidated() -> None:
    async def play(scene: Scene) -> None:
        admin, worker = await scene.open_admin(), await scene.open_worker()
        key_id, secret = await scene.make_key(admin)
        await scene.take_away(admin, key_id)
        copy = scene.server.tables.copy()
        await scene.verb(admin, "activate", lambda actor: admin.activate(key_id, actor=actor, wait="everywhere"))
        assert await scene.ask(worker, secret) is Outcome.VALID
        await worker.process.start(worker.keys.close())
        scene.server.restore(copy)
        await asyncio.sleep(10.0)  # any lease of before is over
        await admin._parts.process.start(admin.invalidate())
        scene.ledger.lease_over(scene.ledger.past)
        assert digest_of(secret) in scene.redis.values
        newcomer = await scene.open_worker()
        assert await scene.ask(newcomer, secret) is Outcome.DEACTIVATED

    Scene().act_out(play)


@pytest.mark.parametrize("hears", [True, False])
def test_who_hears_no_doorbell_polls_more_often_for_a_while_after_a_change(hears: bool) -> None:
    async def play(scene: Scene) -> None:
        admin, worker = await scene.open_admin(), await scene.open_worker()
        assert worker.keys.tier is not None
        worker.keys.tier.is_cut = not hears
        database, polls = worker.keys._database, []
        read_position = database.read_position

        async def counted(worker_id: str | None = None) -> Position:
            polls.append(scene.world.time())
            return await read_position(worker_id)

        database.read_position = counted  # type: ignore[method-assign]

        async def polls_in(seconds: float) -> int:
            before = len(polls)
            await asyncio.sleep(seconds)
            return len(polls) - before

        await asyncio.sleep(BUSY_SECONDS + 1)
        usual = await polls_in(BUSY_SECONDS)
        await scene.make_key(admin)
        await asyncio.sleep(POLL_INTERVAL)
        busy = await polls_in(BUSY_SECONDS - POLL_INTERVAL)
        await asyncio.sleep(1)
        after = await polls_in(BUSY_SECONDS)
        assert abs(after - usual) <= 2
        assert busy > 5 * usual if not hears else busy <= usual + 2

    Scene().act_out(play)
