"""Messages arrive: signed, at least once, of each key in order, whatever the receivers and the deliverers do."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from standardwebhooks import WebhookVerificationError

from gatepost import Actor, APIKeys, UnavailableError
from gatepost.database import Deliveries, Delivery
from gatepost.database.schema import deliveries
from gatepost.webhooks import LogTarget, deliverer
from gatepost.webhooks.sending import HTTPDestination
from gatepost.webhooks.targets import Sent
from tests.servers.receiver import HANG, Received, receiving
from tests.webhooks.conftest import POLL, SECRET, arrived, delivering, ids, target, verified


@pytest.fixture(autouse=True)
def _patient_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that fails is let be for a moment only."""
    monkeypatch.setattr(deliverer, "HOLD_SECONDS", (0.001, 0.01))
    monkeypatch.setattr(deliverer, "STANDBY_SECONDS", POLL)


async def test_what_happens_to_a_key_is_told_in_order_and_signed_over_each_database(ready_url: str) -> None:
    async with receiving() as receiver, APIKeys(ready_url) as keys, delivering(keys, target(receiver)) as webhooks:
        ann = Actor("ann", operator=True, address="203.0.113.7")
        issued = await keys.create("a key", ["FILE_UPLOAD"], project="acme", actor=ann)
        await keys.update(issued.key.id, description="another", actor=ann)
        await keys.rotate(issued.key.id, grace=3600, actor=ann)
        await keys.deactivate(issued.key.id, actor=ann)
        await keys.report_leak(issued.secret, actor=ann)
        await keys.delete(issued.key.id, actor=ann)
        await arrived(webhooks)
        told = [verified(each) for each in receiver.received]
    assert [each["type"] for each in told] == [
        "key.created",
        "key.changed",
        "key.rotated",
        "key.deactivated",
        "key.leaked",
        "key.changed",
        "key.deleted",
    ]
    assert {(each["data"]["key_id"], each["data"]["project"]) for each in told} == {(issued.key.id, "acme")}
    assert told[1]["data"]["detail"] == {"description": {"old": "a key", "new": "another"}}
    assert told[1]["data"]["actor"] == {"kind": "operator", "id": "ann", "name": "ann"}
    everything = b"".join(each.body for each in receiver.received)
    assert issued.secret.encode() not in everything
    assert b"203.0.113.7" not in everything
    assert len(set(ids(receiver.received))) == 7


async def test_each_secret_of_a_target_signs_and_no_other_does(keys: APIKeys) -> None:
    other, third = SECRET[:-4] + "AAA=", SECRET[:-4] + "BBA="
    async with receiving() as receiver, delivering(keys, target(receiver, secret=[SECRET, other])) as webhooks:
        await keys.create("a key")
        await arrived(webhooks)
        (received,) = receiver.received
    verified(received)
    verified(received, other)
    with pytest.raises(WebhookVerificationError):
        verified(received, third)
    with pytest.raises(WebhookVerificationError):
        verified(Received("POST", "/", received.headers, received.body + b" "))


async def test_one_change_of_many_keys_is_told_for_each_of_them(keys: APIKeys) -> None:
    many = [(await keys.create(f"key {number}")).key.id for number in range(700)]
    async with receiving() as receiver, delivering(keys, target(receiver)) as webhooks:
        await keys.deactivate(many)
        await arrived(webhooks)
        told = Counter(orjson.loads(each.body)["data"]["key_id"] for each in receiver.received)
    assert told == Counter(many)


async def test_a_message_that_fails_comes_again_and_nothing_of_its_key_passes_it(keys: APIKeys) -> None:
    failures = Counter[str]()

    def fails_thrice(request: Received) -> int:
        message = request.headers["webhook-id"]
        if orjson.loads(request.body)["type"] == "key.created":
            failures[message] += 1
            return 204 if failures[message] > 3 else (500, 302, 404)[failures[message] - 1]
        return 204

    async with receiving(fails_thrice) as receiver:
        to = target(receiver, retry_delays=[0.01] * 5)
        async with delivering(keys, to):
            pass  # from now on it is to be told of all
        issued = [await keys.create(text) for text in ("one", "two")]
        for each in issued:
            await keys.deactivate(each.key.id)
            await keys.activate(each.key.id)
        async with delivering(keys, to) as webhooks:  # all of them are due at once
            await arrived(webhooks)
        for each in issued:
            own = [request for request in receiver.received if each.key.id.encode() in request.body]
            assert [verified(request)["data"]["change"] for request in own] == [
                *["created"] * 4,
                "deactivated",
                "activated",
            ]
            assert len(set(ids(own[:4]))) == 1


async def test_a_target_that_fails_holds_up_no_other(keys: APIKeys) -> None:
    async with (
        receiving(lambda _request: HANG) as hanging,
        receiving(lambda _request: 500) as broken,
        receiving() as well,
        delivering(
            keys, target(hanging, "hanging"), target(broken, "broken", retry_delays=[600]), target(well, "well")
        ) as webhooks,
    ):
        for number in range(20):
            await keys.create(f"key {number}")
        await well.wait_for(20)
        assert len(set(ids(well.received))) == 20
        states = {each.name: each for each in await webhooks.status()}
        assert states["hanging"].waiting == 20
        assert states["broken"].waiting == 20


async def test_a_target_that_hangs_is_given_up_after_its_timeout_and_asked_again(keys: APIKeys) -> None:
    answers = iter([HANG, HANG, 204])
    async with (
        receiving(lambda _request: next(answers)) as receiver,
        delivering(keys, target(receiver, timeout=0.1, retry_delays=[0.01] * 3)) as webhooks,
    ):
        await keys.create("a key")
        await arrived(webhooks)
        assert len(receiver.received) == 3
        assert len(set(ids(receiver.received))) == 1


async def test_a_target_that_is_gone_is_sent_nothing_until_it_is_resumed(keys: APIKeys) -> None:
    gone = True
    async with (
        receiving(lambda _request: 410 if gone else 204) as receiver,
        receiving() as well,
        delivering(keys, target(receiver), target(well, "well")) as webhooks,
    ):
        await keys.create("a key")
        while not (state := (await webhooks.status())[0]).stopped and len(receiver.received) < 2:  # noqa: ASYNC110
            await asyncio.sleep(POLL)
        assert (state.stopped, state.waiting) == ("410 Gone", 1)
        await keys.create("another")
        await well.wait_for(2)
        assert len(receiver.received) == 1
        gone = False
        assert await webhooks.resume("one")
        await arrived(webhooks)
        assert len(set(ids(receiver.received))) == 2
        assert not await webhooks.resume("nobody")


async def test_what_is_given_up_is_kept_to_be_looked_at_and_sent_again(keys: APIKeys) -> None:
    status = 500
    async with (
        receiving(lambda _request: status) as receiver,
        delivering(keys, target(receiver, retry_delays=[0.0])) as webhooks,
    ):
        issued = [await keys.create(f"key {number}") for number in range(3)]
        await arrived(webhooks)
        page = await webhooks.dead(limit=2)
        rest = await webhooks.dead("one", after=page.next, limit=2)
        dead = [*page.items, *rest.items]
        assert (rest.next, len(receiver.received)) == (None, 6)
        assert [(each.key_id, each.attempts, each.error) for each in dead] == [
            (each.key.id, 2, "status 500") for each in issued
        ]
        assert (await webhooks.status())[0].dead == 3
        status = 204
        assert await webhooks.send_again("one", [dead[0].id]) == 1
        assert await webhooks.send_again("one") == 2
        await arrived(webhooks)
        assert (await webhooks.dead()).items == ()
        assert sorted(ids(receiver.received[6:])) == sorted(each.id for each in dead)


async def test_only_one_of_two_workers_delivers_and_another_takes_over_at_once_when_it_ends(
    keys: APIKeys, ready_sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Counter[str]()
    look = Deliveries.lease_left

    async def counted(self: Deliveries, holder: str) -> float:
        asked[holder] += 1
        return await look(self, holder)

    taken = Counter[str]()
    take = Deliveries.take_lease

    async def counted_take(self: Deliveries, holder: str, seconds: float) -> bool:
        taken[holder] += 1
        return await take(self, holder, seconds)

    monkeypatch.setattr(Deliveries, "lease_left", counted)
    monkeypatch.setattr(Deliveries, "take_lease", counted_take)
    async with APIKeys(ready_sqlite_url) as others, receiving(lambda _request: HANG) as receiver:  # noqa: SIM117 - in turn
        async with delivering(keys, target(receiver)) as first:
            assert first.delivers
            async with delivering(others, target(receiver)) as second:
                await keys.create("a key")
                await receiver.wait_for(1)
                begun = asked.total()
                while asked.total() < begun + 20 and len(receiver.received) == 1:  # noqa: ASYNC110 - the other asks on and on
                    await asyncio.sleep(POLL)
                assert len(receiver.received) == 1
                assert (first.delivers, second.delivers) == (True, False)
                assert len(taken) == 1  # who does not deliver only looks
                receiver.answer = lambda _request: 204
                await first.close()
                begun = asked.total()
                await arrived(second)
                assert asked.total() < begun + 50  # long before a lease would have run out
                assert second.delivers
                assert ids(receiver.received) == [ids(receiver.received)[0]] * 2


async def test_a_process_that_has_lost_its_lease_sends_and_queues_nothing(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, looks = "0" * 32, 0
    look = Deliveries.lease_left

    async def counted(self: Deliveries, holder: str) -> float:
        nonlocal looks
        looks += 1
        return await look(self, holder)

    async with receiving() as receiver, delivering(keys, target(receiver)) as webhooks:
        tables = keys.deliveries
        own = webhooks._deliverer
        assert own is not None
        monkeypatch.setattr(
            own, "_clock", lambda: max(own._held_until, 0.0)
        )  # its own clock says that the time is over
        assert not await tables.take_lease(other, 30)
        with pytest.raises(Exception, match="Another process delivers"):
            await tables.queue(other, 30, {})
        with pytest.raises(Exception, match="Another process delivers"):
            await tables.sweep(other, 30, own._wanted)
        while not await tables.take_lease(other, 3600):
            await tables.give_up_lease(own.holder)
        await keys.create("a key")
        assert await tables.queue(other, 3600, own._renders()) == 1
        monkeypatch.setattr(Deliveries, "lease_left", counted)
        while looks < 20 and not receiver.received:
            own._news["one"].set()
            await asyncio.sleep(POLL)
        assert receiver.received == []
        (state,) = await webhooks.status()
        assert (state.waiting, own.delivers) == (1, False)


async def test_who_ends_is_not_told_of_as_silent_for_longer_than_that(ready_url: str) -> None:
    async with receiving() as receiver, APIKeys(ready_url) as keys:
        async with delivering(keys, target(receiver)) as webhooks:
            assert (await webhooks.status())[0].silent_seconds == 0
        (state,) = await webhooks.status()
        assert 0 <= state.silent_seconds < 600
        assert not await keys.deliveries.lease_left("0" * 32)


async def test_a_logger_is_told_too(keys: APIKeys, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "gatepost.events"):
        async with delivering(keys, LogTarget(types=["key.deactivated"], project="acme")) as webhooks:
            for project in ("acme", "other"):
                issued = await keys.create("a key", project=project)
                await keys.deactivate(issued.key.id)
            await arrived(webhooks)
    (line,) = [record.message for record in caplog.records if record.name == "gatepost.events"]
    told: dict[str, Any] = orjson.loads(line)
    assert (told["type"], told["data"]["project"]) == ("key.deactivated", "acme")


async def test_an_outage_of_the_database_ends_nothing(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried = 0

    async def fail(*_arguments: object) -> bool:
        nonlocal tried
        tried += 1
        raise UnavailableError("down")

    async with receiving() as receiver, delivering(keys, target(receiver)) as webhooks:
        with monkeypatch.context() as broken:
            broken.setattr(Deliveries, "has_news", fail)
            await keys.create("a key")
            while tried < 5:  # noqa: ASYNC110 - a count
                await asyncio.sleep(POLL)
        await arrived(webhooks)
        assert len(receiver.received) == 1
    assert caplog.text.count("Nothing is delivered while") == 1


async def test_a_target_that_asks_to_be_left_alone_is(keys: APIKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatepost.webhooks.deliverer.random.uniform", lambda low, _high: low)

    async def tried() -> Any:
        async with keys._database._reading("a test") as connection:
            which = deliveries.c.target == "one", deliveries.c.attempts == 1
            return (await connection.execute(deliveries.select().where(*which))).one_or_none()

    async with (
        receiving(lambda _request: (429, {"retry-after": "3600"}, b"")) as receiver,
        receiving() as well,
        delivering(keys, target(receiver, retry_delays=[0.0]), target(well, "well")),
    ):
        await keys.create("a key")
        while (row := await tried()) is None:  # noqa: ASYNC110 - in the database
            await asyncio.sleep(POLL)
        assert row.due_at >= row.queued_at + 3600  # no jitter makes it less
        for number in range(20):
            await keys.create(f"key {number}")
        await well.wait_for(21)
        assert len(receiver.received) == 1  # and of no other key either


async def test_a_message_that_is_refused_each_time_holds_up_no_other_key(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliverer, "HOLD_SECONDS", (3600.0, 3600.0))

    def refuses_one(request: Received) -> int:
        return 400 if orjson.loads(request.body)["data"]["project"] == "refused" else 204

    async with receiving(refuses_one) as receiver, delivering(keys, target(receiver, retry_delays=[])) as webhooks:
        await keys.create("a key", project="refused")
        await receiver.wait_for(1)
        await arrived(webhooks)
        await keys.create("another")
        await arrived(webhooks)
        assert len(receiver.received) == 2


async def test_a_message_that_cannot_be_sent_has_none_sent_again_that_arrived(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    send = HTTPDestination.send

    async def fail_for_one(self: HTTPDestination, delivery: Delivery) -> Sent:
        if "refused" in delivery.body:
            raise UnicodeError
        return await send(self, delivery)

    monkeypatch.setattr(HTTPDestination, "send", fail_for_one)
    async with receiving() as receiver, delivering(keys, target(receiver, retry_delays=[])) as webhooks:
        for project in ("refused", "a", "b"):
            await keys.create("a key", project=project)
        await arrived(webhooks)
        assert len(receiver.received) == 2
        (dead,) = (await webhooks.dead()).items
        assert (dead.attempts, dead.error) == (1, "UnicodeError")
    assert "could not be sent" in caplog.text


async def test_a_look_for_expiries_that_fails_holds_up_no_message(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = 0

    async def fail(*_arguments: object) -> int:
        nonlocal tried
        tried += 1
        raise UnavailableError("slow")

    async with receiving() as receiver, delivering(keys, target(receiver)) as webhooks:
        own = webhooks._deliverer
        assert own is not None
        monkeypatch.setattr(Deliveries, "sweep", fail)
        monkeypatch.setattr(own, "_swept", float("-inf"))
        for count in range(1, 4):
            await keys.create("a key")
            await arrived(webhooks)
            assert len(receiver.received) == count
    assert tried == 1, "again in a minute"


async def test_an_end_that_is_cancelled_says_so_and_can_be_gone_on_with(keys: APIKeys) -> None:
    begun, over = asyncio.Event(), asyncio.Event()

    async def lingers() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            begun.set()
            await over.wait()

    async with receiving() as receiver, delivering(keys, target(receiver)) as webhooks:
        own, holder = webhooks._task, webhooks._deliverer
        assert own is not None
        assert holder is not None
        own.cancel()
        await asyncio.wait([own])
        webhooks._task = asyncio.get_running_loop().create_task(lingers())
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(webhooks.close())
        await begun.wait()
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        over.set()
        await webhooks.close()
        assert await keys.deliveries.take_lease("0" * 32, 1)  # it was given up


async def test_a_fault_of_ours_is_told_and_ends_nothing(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    read = Deliveries.read_due
    faults = iter([ValueError("a fault")])

    async def fail_once(self: Deliveries, to: str, most: int) -> Sequence[Delivery]:
        for fault in faults:
            raise fault
        return await read(self, to, most)

    async with receiving() as receiver, delivering(keys, target(receiver)) as webhooks:
        monkeypatch.setattr(Deliveries, "read_due", fail_once)
        await keys.create("a key")
        await arrived(webhooks)
        assert len(receiver.received) == 1
    assert "Delivering failed" in caplog.text
