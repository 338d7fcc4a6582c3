"""A key that is limited, and manages others, makes nothing that may be used more than itself."""

from dataclasses import replace

import pytest
from cryptography.fernet import Fernet

from gatepost import AccessDeniedError, Actor, APIKeys, ImportedKey, Quota, Rate, Receipt, Slots
from gatepost.base import Limit

MANAGE = ["ACCESS_MANAGE"]
OWN: list[Limit] = [Rate(60, per=60, burst=20, name="minute"), Quota(1_000, per="month", name="plan")]
STRICTER: list[Limit] = [Rate(1, per=1, name="a"), Quota(1_000, per="month", name="b"), Slots(1)]


async def state(keys: APIKeys) -> object:
    return sorted((key.id, key.version) for key in (await keys.list()).items)


async def test_a_key_lets_none_be_used_more_than_it_may_be_itself(ready_url: str) -> None:
    async with APIKeys(ready_url, vault_keys=[Fernet.generate_key()], foreign_secrets=True) as keys:
        own = await keys.create("manager", MANAGE, limits=OWN)
        actor = Actor.of(own.key)
        inside = await keys.create("inside", limits=STRICTER)
        free = await keys.create("free")
        off = await keys.create("off", active=False)
        before = await state(keys)
        for attempt in (
            keys.create("twin", MANAGE, actor=actor),
            keys.create("twin", MANAGE, limits=OWN[:1], actor=actor),
            keys.update(inside.key.id, limits=[], actor=actor),
            keys.update(inside.key.id, limits=STRICTER[1:], actor=actor),
            keys.update(free.key.id, permissions=MANAGE, actor=actor),
            keys.rotate(free.key.id, grace=0, actor=actor),
            keys.reveal(free.key.id, actor=actor),
            keys.activate(off.key.id, actor=actor),
            keys.import_digests([ImportedKey(digest=b"1" * 32, description="x")], actor=actor),
        ):
            with pytest.raises(AccessDeniedError, match=r"limited \(minute=60/60s:20, plan=1000/month\)"):
                await attempt
        assert await state(keys) == before
        made = await keys.create("x", MANAGE, limits=OWN, actor=actor)
        assert (await keys.update(made.key.id, limits=STRICTER, actor=actor)).limits == tuple(STRICTER)
        assert (await keys.update(made.key.id, limits=OWN, actor=actor)).limits == tuple(OWN)
        assert (await keys.update(free.key.id, limits=STRICTER, actor=actor)).limits == tuple(STRICTER)
        await keys.rotate(free.key.id, grace=0, actor=actor)
        await keys.reset_limits(made.key.id, actor=actor)
        await keys.deactivate([free.key.id, own.key.id], force=True, actor=actor)


async def test_letting_a_stronger_key_be_used_more_needs_all_that_it_may_do(here: APIKeys) -> None:
    actor = Actor.of((await here.create("manager", MANAGE)).key)
    strong = await here.create("strong", ["FILE_DELETE"], limits=OWN)
    with pytest.raises(AccessDeniedError, match="FILE_DELETE"):
        await here.update(strong.key.id, limits=[], actor=actor)
    with pytest.raises(AccessDeniedError, match="FILE_DELETE"):
        await here.reset_limits(strong.key.id, actor=actor)
    stricter: list[Limit] = [OWN[0], Rate(1, per=1, name="a"), Quota(999, per="month", name="plan"), Slots(1)]
    assert (await here.update(strong.key.id, limits=stricter, actor=actor)).limits == tuple(stricter)


async def test_a_limit_that_would_begin_anew_needs_all_that_the_key_may_do(here: APIKeys) -> None:
    """A count begins anew by another name, and for another rate: what `reset_limits` refuses, no edit does."""
    minute, day, month, slots = OWN[0], Quota(5, per="day", name="a"), Quota(90, per="month", name="b"), Slots(3)
    held: list[Limit] = [minute, day, month, slots]
    actor = Actor.of((await here.create("manager", MANAGE)).key)
    strong = await here.create("strong", ["FILE_DELETE"], limits=held)
    before = await state(here)
    others: list[list[Limit]] = [
        [replace(minute, name="other"), day, month, slots],
        [Rate(59, per=60, burst=20, name="minute"), day, month, slots],
        [Rate(120, per=120, burst=20, name="minute"), day, month, slots],
        [minute, replace(day, name="c"), month, slots],
        [minute, replace(day, name="b"), replace(month, name="a"), slots],
        [minute, day, Quota(9, per="month", name="c"), slots],
        [minute, day, month, Slots(1, name="other")],
    ]
    for other in others:
        with pytest.raises(AccessDeniedError, match="FILE_DELETE"):
            await here.update(strong.key.id, limits=other, actor=actor)
        receipt = await here.update([strong.key.id], limits=other, actor=actor)
        assert isinstance(receipt, Receipt)
        assert list(receipt.denied) == [strong.key.id]
    assert await state(here) == before
    same: list[Limit] = [
        slots,
        replace(day, units=4),
        replace(minute, on_outage="closed"),
        month,
        Rate(1, per=9, name="more"),
    ]
    assert (await here.update(strong.key.id, limits=same, actor=actor)).limits == tuple(same)


async def test_two_quotas_that_trade_names_are_counted_anew(here: APIKeys) -> None:
    actor = Actor.of((await here.create("manager", MANAGE)).key)
    few, many = Quota(5, per="day", name="few"), Quota(500, per="day", name="many")
    strong = await here.create("strong", ["FILE_DELETE"], limits=[few])
    await here.update(strong.key.id, limits=[few, many], actor=actor)
    with pytest.raises(AccessDeniedError, match="FILE_DELETE"):
        await here.update(strong.key.id, limits=[replace(few, name="many"), replace(many, name="few")], actor=actor)
