"""Making a key with an idempotency key: the same call makes no second one, and its secret is stored nowhere."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select, text

from gatepost import AccessDeniedError, Actor, APIKeys, BadInputError, IdempotencyError
from gatepost.base.secret import new_server_key
from gatepost.database.connecting.engine import changing
from gatepost.database.schema.tables import metadata


async def test_the_same_call_answers_the_same_and_makes_one_key(keys: APIKeys) -> None:
    once = str(uuid4())
    first = await keys.create("a key", ["FILE_UPLOAD"], idempotency_key=once, actor="ann")
    seq = (await keys._database.read_position()).seq
    again = await keys.create("a key", ["FILE_UPLOAD"], idempotency_key=once, actor="ann")
    assert (again.key, again.secret) == (first.key, first.secret)
    assert (await keys.verify(again.secret)).valid
    assert (await keys._database.read_position()).seq == seq
    assert len((await keys.list()).items) == 1


async def test_calls_at_once_make_one_key(keys: APIKeys) -> None:
    once = str(uuid4())
    made = await asyncio.gather(*(keys.create("a key", idempotency_key=once) for _ in range(8)))
    assert len({issued.secret for issued in made}) == 1
    assert len((await keys.list()).items) == 1


async def test_another_idempotency_key_or_another_actor_makes_another_key(keys: APIKeys) -> None:
    once = str(uuid4())
    made = [
        await keys.create("a key", idempotency_key=once, actor="ann"),
        await keys.create("a key", idempotency_key=once, actor="bob"),
        await keys.create("a key", idempotency_key=once, actor=Actor("ann", operator=True, address="::1")),
        await keys.create("a key", idempotency_key=str(uuid4()), actor="ann"),
    ]
    assert len({issued.secret for issued in made}) == 3, "the address does not tell actors apart"


async def test_people_of_one_name_are_told_different_secrets(keys: APIKeys) -> None:
    once = str(uuid4())
    held = frozenset({"ACCESS_MANAGE"})
    people = [
        Actor("Maria", id="17", project="acme", permissions=held),
        Actor("Maria", id="18", project="acme", permissions=held),
        Actor("Maria", project="acme", permissions=held),
        Actor("Maria", project="other", permissions=held),
        Actor("Maria", permissions=held),
        Actor("Maria", id="17", operator=True),
        Actor("Maria", operator=True),
        Actor("Maria", operator=True, at_shell=True),
        Actor.of((await keys.create("manager", held)).key),
    ]
    made = [await keys.create("a key", project="acme", idempotency_key=once, actor=each) for each in people[:3]]
    made += [await keys.create("a key", idempotency_key=once, actor=each) for each in people[3:]]
    assert len({issued.secret for issued in made}) == len(people)
    again = await keys.create("a key", project="acme", idempotency_key=once, actor=people[0])
    assert again.secret == made[0].secret


async def test_a_key_made_before_names_were_not_enough_is_not_made_a_second_time(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    once, ann = str(uuid4()), Actor("ann", id="17", permissions=frozenset({"ACCESS_MANAGE"}))
    own = Actor.of((await keys.create("manager", ["ACCESS_MANAGE"])).key)
    with monkeypatch.context() as earlier:
        earlier.setattr(
            "gatepost.keys.making._seed_label",
            lambda actor, key: f"name {actor.name}\0{key}" if actor.key_id is None else f"key {actor.key_id}\0{key}",
        )
        await keys.create("a key", idempotency_key=once, actor=ann)
        by_key = await keys.create("a key", idempotency_key=once, actor=own)
    seq = (await keys._database.read_position()).seq
    with pytest.raises(IdempotencyError, match="before gatepost was upgraded"):
        await keys.create("a key", idempotency_key=once, actor=ann)
    assert (await keys.create("a key", idempotency_key=once, actor=own)).secret == by_key.secret
    assert (await keys._database.read_position()).seq == seq


async def test_another_request_with_it_is_refused_and_changes_nothing(keys: APIKeys) -> None:
    once = str(uuid4())
    expires = datetime(2099, 1, 1, tzinfo=UTC)
    await keys.create("a key", ["FILE_UPLOAD"], project="acme", expires_at=expires, idempotency_key=once)
    seq = (await keys._database.read_position()).seq
    for other in (
        keys.create("b key", ["FILE_UPLOAD"], project="acme", expires_at=expires, idempotency_key=once),
        keys.create("a key", [], project="acme", expires_at=expires, idempotency_key=once),
        keys.create("a key", ["FILE_UPLOAD"], project="other", expires_at=expires, idempotency_key=once),
        keys.create("a key", ["FILE_UPLOAD"], project="acme", idempotency_key=once),
        keys.create("a key", ["FILE_UPLOAD"], project="acme", expires_at=expires, active=False, idempotency_key=once),
    ):
        with pytest.raises(IdempotencyError, match="another request"):
            await other
    assert (await keys._database.read_position()).seq == seq


async def test_a_key_that_was_deleted_or_rotated_since_is_not_made_again(keys: APIKeys) -> None:
    rotations = (lambda key_id: keys.rotate(key_id, grace=0), lambda key_id: keys.rotate(key_id, grace=60))
    for undo in (keys.delete, *rotations):
        once = str(uuid4())
        issued = await keys.create("a key", idempotency_key=once)
        await undo(issued.key.id)
        with pytest.raises(IdempotencyError, match="deleted or rotated since"):
            await keys.create("a key", idempotency_key=once)


async def test_after_a_day_it_is_over(keys: APIKeys) -> None:
    once = str(uuid4())
    await keys.create("a key", idempotency_key=once)
    async with changing(keys._database.engine) as connection:
        events = metadata.tables["gatepost_events"]
        await connection.execute(events.update().values(at=datetime.now(UTC) - timedelta(hours=24, seconds=5)))
        await connection.commit()
    with pytest.raises(IdempotencyError, match="24 hours"):
        await keys.create("a key", idempotency_key=once)


async def test_it_is_answered_the_same_after_the_server_key_was_rotated(ready_sqlite_url: str) -> None:
    old, new, once = new_server_key(), new_server_key(), str(uuid4())
    async with APIKeys(ready_sqlite_url, server_keys=[old]) as keys:
        first = await keys.create("a key", idempotency_key=once)
    async with APIKeys(ready_sqlite_url, server_keys=[new, old]) as keys:
        again = await keys.create("a key", idempotency_key=once)
        assert again.secret == first.secret
        assert (await keys.verify(again.secret)).valid
        assert len((await keys.list()).items) == 1


async def test_whoever_does_not_hold_its_permissions_is_not_told_the_secret_again(keys: APIKeys) -> None:
    own = (await keys.create("manager", ["ACCESS_MANAGE", "FILE_UPLOAD"])).key
    actor, once = Actor.of(own), str(uuid4())
    made = await keys.create("a key", ["FILE_UPLOAD"], idempotency_key=once, actor=actor)
    await keys.update(made.key.id, permissions=["FILE_UPLOAD", "FILE_DELETE"])
    with pytest.raises(AccessDeniedError, match="FILE_DELETE"):
        await keys.create("a key", ["FILE_UPLOAD"], idempotency_key=once, actor=actor)
    await keys.update(own.id, permissions=["ACCESS_MANAGE"])
    with pytest.raises(AccessDeniedError, match="FILE_UPLOAD"):
        await keys.create("a key", ["FILE_UPLOAD"], idempotency_key=once, actor=actor)


async def test_neither_the_secret_nor_the_idempotency_key_is_stored(keys: APIKeys) -> None:
    once = str(uuid4())
    issued = await keys.create("a key", idempotency_key=once)
    body = issued.secret.rpartition("_")[2]
    async with keys._database.engine.connect() as connection:
        for table in metadata.sorted_tables:
            for row in await connection.execute(select(table)):
                assert body not in repr(tuple(row))
                assert once not in repr(tuple(row))
        assert await connection.scalar(text("SELECT count(*) FROM gatepost_secrets WHERE sealed IS NOT NULL")) == 0


@pytest.mark.parametrize("wrong", ["", "short", "x" * 201, "é" * 20, "a" * 20 + "\n"])
async def test_an_idempotency_key_that_could_be_guessed_or_stored_badly_is_refused(
    sqlite_keys: APIKeys, wrong: str
) -> None:
    with pytest.raises(BadInputError, match="idempotency_key must be 16 to 200"):
        await sqlite_keys.create("a key", idempotency_key=wrong)
