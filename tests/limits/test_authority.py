"""A key that is limited, and manages others, makes nothing that may be used more than itself."""

import pytest
from cryptography.fernet import Fernet

from gatepost import AccessDeniedError, Actor, APIKeys, ImportedKey, Quota, Rate, Slots
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
    assert (await here.update(strong.key.id, limits=STRICTER, actor=actor)).limits == tuple(STRICTER)
