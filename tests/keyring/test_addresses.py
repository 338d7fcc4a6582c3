"""The networks that a key may be used from, through the verbs, over SQLite, PostgreSQL and MariaDB."""

from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from gatepost import (
    AccessDeniedError,
    Actor,
    APIKeys,
    BadInputError,
    ForceNeededError,
    IdempotencyError,
    ImportedKey,
    Outcome,
    StillSpreadingError,
)
from gatepost.database.connecting.engine import changing
from tests.deaf import deafen
from tests.keyring.conftest import take_foreign
from tests.keyring.test_actors import state

OFFICE = ("203.0.113.0/24", "2001:db8::/32")
MANAGE = ("ACCESS_MANAGE", "FILE_UPLOAD")


async def test_a_key_keeps_its_networks_through_all_that_is_done_to_it(keys: APIKeys) -> None:
    issued = await keys.create("a key", allow=[*OFFICE, OFFICE[0]])
    assert issued.key.allow == OFFICE
    assert (await keys.get(issued.key.id)).allow == OFFICE
    rotated = await keys.rotate(issued.key.id, grace=60)
    assert rotated.key.allow == OFFICE
    await keys.update(issued.key.id, description="renamed")
    await keys.deactivate(issued.key.id)
    await keys.activate(issued.key.id)
    assert (await keys.list()).items[0].allow == OFFICE
    for secret in (issued.secret, rotated.secret):
        assert (await keys.verify(secret, address="203.0.113.9")).valid
        assert (await keys.verify(secret, address="203.0.112.9")).outcome is Outcome.ADDRESS_DENIED
    free = await keys.create("another")
    assert (await keys.get(free.key.id)).allow is None


async def test_where_a_secret_opens_its_key(keys: APIKeys) -> None:
    issued = await keys.create("a key", allow=OFFICE)
    nowhere = await keys.create("nowhere", allow=[])
    anywhere = await keys.create("anywhere", allow=None)
    for fresh in (False, False, True):  # cold, from memory, on the database's word

        async def outcome(secret: str, address: str | None, *, fresh: bool = fresh) -> Outcome:
            return (await keys.verify(secret, address=address, fresh=fresh)).outcome

        inside: list[str | None] = ["203.0.113.9", "::ffff:203.0.113.9", "2001:db8::1"]
        outside: list[str | None] = ["203.0.112.9", "::ffff:203.0.112.9", "2001:db9::1", None]
        for address in inside:
            assert await outcome(issued.secret, address) is Outcome.VALID
        for address in outside:
            assert await outcome(issued.secret, address) is Outcome.ADDRESS_DENIED
        for address in (*inside, None):
            assert await outcome(nowhere.secret, address) is Outcome.ADDRESS_DENIED
            assert await outcome(anywhere.secret, address) is Outcome.VALID
    assert (await keys.verify(issued.secret)).key is not None, "whoever holds the secret is told which key it is"


async def test_the_order_of_checks_is_state_address_project(sqlite_keys: APIKeys) -> None:
    issued = await sqlite_keys.create("a key", project="acme", allow=OFFICE)

    async def outcome(address: str | None) -> Outcome:
        return (await sqlite_keys.verify(issued.secret, project="other", address=address)).outcome

    assert await outcome("192.0.2.1") is Outcome.ADDRESS_DENIED
    assert await outcome("203.0.113.9") is Outcome.PROJECT_DENIED
    await sqlite_keys.deactivate(issued.key.id)
    assert await outcome("192.0.2.1") is Outcome.DEACTIVATED


async def test_an_edit_is_true_at_once_and_told_with_old_and_new(keys: APIKeys) -> None:
    issued = await keys.create("a key")
    plain = issued.key.version
    assert (await keys.verify(issued.secret)).valid
    edited = await keys.update(issued.key.id, allow=["10.0.0.0/8"])
    assert edited.allow == ("10.0.0.0/8",)
    assert edited.version != plain
    assert (await keys.verify(issued.secret, address="192.0.2.1")).outcome is Outcome.ADDRESS_DENIED
    assert (await keys.verify(issued.secret, address="10.0.0.1")).valid
    assert (await keys.update(issued.key.id, allow=[])).allow == ()
    assert (await keys.verify(issued.secret, address="10.0.0.1")).outcome is Outcome.ADDRESS_DENIED
    assert (await keys.update(issued.key.id, allow=None)).allow is None
    assert (await keys.verify(issued.secret)).valid
    details = [event.detail for event in (await keys.events(issued.key.id, kind="updated")).items]
    assert details == [
        {"allow": {"old": [], "new": None}},
        {"allow": {"old": ["10.0.0.0/8"], "new": []}},
        {"allow": {"old": None, "new": ["10.0.0.0/8"]}},
    ]
    made = await keys.create("another", allow=OFFICE)
    (event,) = (await keys.events(made.key.id)).items
    assert event.detail is not None
    assert event.detail["allow"] == [*OFFICE]
    await keys.delete(made.key.id)
    assert (await keys.events(made.key.id)).items[0].detail == event.detail


async def test_an_edit_waits_where_it_takes_addresses_away_and_only_then(
    sqlite_keys: APIKeys, ready_sqlite_url: str
) -> None:
    key_id = (await sqlite_keys.create("a key")).key.id

    async def waited(allow: Any) -> bool:
        try:
            await sqlite_keys.update(key_id, allow=allow, timeout=0.01)
        except StillSpreadingError:
            return True
        return False

    async with APIKeys(ready_sqlite_url, poll_interval=100.0, max_staleness=300.0) as silent:
        deafen(silent)
        await silent.serve()
        assert await waited(["10.0.0.0/8"])
        assert not await waited(["10.0.0.0/8", "192.0.2.0/24"])
        assert not await waited(["10.0.0.0/7", "192.0.2.0/24"]), "wider, though no network is the same"
        assert await waited(["11.0.0.0/8", "192.0.2.0/24"]), "narrower in one place and the same in another"
        assert await waited([])
        assert not await waited(["10.0.0.0/8"])
        assert not await waited(None)


@pytest.mark.parametrize("allow", [["10.0.0.1/8"], "10.0.0.0/8", ["fe80::1%1"], ["10.0.0.0/8"] * 101, [7], 7])
async def test_a_list_that_cannot_be_used_changes_nothing(sqlite_keys: APIKeys, allow: Any) -> None:
    issued = await sqlite_keys.create("a key", allow=OFFICE)
    take_foreign(sqlite_keys)
    before = await state(sqlite_keys)
    for attempt, field in (
        (sqlite_keys.create("x", allow=allow), "allow"),
        (sqlite_keys.update(issued.key.id, allow=allow, description="x"), "allow"),
        (sqlite_keys.import_digests([ImportedKey(digest=b"1" * 32, description="x", allow=allow)]), "keys[0]"),
    ):
        with pytest.raises(BadInputError, match="allow") as raised:
            await attempt
        assert raised.value.field == field
    with pytest.raises(BadInputError, match="must be an IP address") as raised:
        await sqlite_keys.verify(issued.secret, address="203.0.113.9:80")
    assert raised.value.field == "address"
    assert await state(sqlite_keys) == before


async def test_imported_keys_have_networks_too(keys: APIKeys) -> None:
    take_foreign(keys)
    (key,) = await keys.import_digests([ImportedKey(digest=b"1" * 32, description="x", allow=OFFICE)])
    assert key.allow == (await keys.get(key.id)).allow == OFFICE


async def test_the_same_request_makes_the_key_once_and_another_list_is_another_request(keys: APIKeys) -> None:
    once = await keys.create("a key", allow=OFFICE, idempotency_key="0123456789abcdef")
    again = await keys.create("a key", allow=[*reversed(OFFICE)], idempotency_key="0123456789abcdef")
    assert (once.key, once.secret) == (again.key, again.secret)
    lists: list[Any] = [None, [], OFFICE[:1]]
    for allow in lists:
        with pytest.raises(IdempotencyError, match="another request"):
            await keys.create("a key", allow=allow, idempotency_key="0123456789abcdef")


async def test_a_key_lets_none_be_used_from_where_it_may_not_be_itself(ready_url: str) -> None:
    async with APIKeys(ready_url, vault_keys=[Fernet.generate_key()], foreign_secrets=True) as keys:
        own = await keys.create("manager", MANAGE, allow=OFFICE)
        actor = Actor.of(own.key, "203.0.113.9")
        inside = await keys.create("inside", allow=OFFICE[:1])
        outside = await keys.create("outside", allow=["10.0.0.0/8"])
        free = await keys.create("free")
        off = await keys.create("off", active=False)
        before = await state(keys)
        for attempt in (
            keys.create("x", actor=actor),
            keys.create("x", allow=[*OFFICE, "10.0.0.0/8"], actor=actor),
            keys.update(own.key.id, allow=None, force=True, actor=actor),
            keys.update(inside.key.id, allow=["203.0.112.0/23"], actor=actor),
            keys.update(free.key.id, permissions=["FILE_UPLOAD"], actor=actor),
            keys.rotate(outside.key.id, grace=0, actor=actor),
            keys.reveal(free.key.id, actor=actor),
            keys.activate(off.key.id, actor=actor),
            keys.import_digests([ImportedKey(digest=b"1" * 32, description="x")], actor=actor),
        ):
            with pytest.raises(AccessDeniedError, match=r"may be used from 203\.0\.113\.0/24, 2001:db8::/32 alone"):
                await attempt
        assert await state(keys) == before
        assert (await keys.create("x", allow=["203.0.113.0/25"], actor=actor)).key.allow == ("203.0.113.0/25",)
        assert (await keys.update(inside.key.id, allow=OFFICE, actor=actor)).allow == OFFICE
        assert (await keys.update(free.key.id, allow=OFFICE[:1], actor=actor)).allow == OFFICE[:1]
        assert (await keys.update(outside.key.id, description="renamed", actor=actor)).description == "renamed"
        await keys.deactivate(outside.key.id, actor=actor)


async def test_letting_a_stronger_key_be_used_from_more_places_needs_all_that_it_may_do(keys: APIKeys) -> None:
    actor = Actor.of((await keys.create("manager", MANAGE)).key)
    strong = await keys.create("strong", ["FILE_DELETE"], allow=OFFICE)
    with pytest.raises(AccessDeniedError, match="FILE_DELETE"):
        await keys.update(strong.key.id, allow=None, actor=actor)
    assert (await keys.update(strong.key.id, allow=OFFICE[:1], actor=actor)).allow == OFFICE[:1]


async def test_an_acting_key_whose_list_has_lost_the_place_it_acts_from_does_nothing_more(keys: APIKeys) -> None:
    own = await keys.create("manager", MANAGE, allow=OFFICE)
    actor = Actor.of(own.key, "203.0.113.9")
    await keys.create("x", allow=OFFICE, actor=actor)
    await keys.update(own.key.id, allow=["10.0.0.0/8"])
    with pytest.raises(AccessDeniedError, match="may not be used from where this was asked"):
        await keys.create("x", allow=["10.0.0.0/8"], actor=actor)


async def test_narrowing_the_key_in_use_needs_force(keys: APIKeys) -> None:
    own = await keys.create("manager", MANAGE)
    actor = Actor.of(own.key, "203.0.113.9")
    with pytest.raises(ForceNeededError):
        await keys.update(own.key.id, allow=OFFICE, actor=actor)
    assert (await keys.update(own.key.id, allow=OFFICE, force=True, actor=actor)).allow == OFFICE


@pytest.mark.parametrize("written", ["no JSON", '["10.0.0.1/8"]', "{}"])
async def test_what_somebody_has_written_into_the_column_by_hand_lets_nobody_in(keys: APIKeys, written: str) -> None:
    issued = await keys.create("a key")
    other = await keys.create("another", allow=OFFICE)
    async with changing(keys._database.engine) as connection, connection.begin():
        await connection.execute(
            text("UPDATE gatepost_keys SET allow = :allow WHERE id = :id"), {"allow": written, "id": issued.key.id}
        )
    await keys._opened().freshness.poll()
    assert (await keys.verify(issued.secret, address="10.0.0.1")).outcome is Outcome.ADDRESS_DENIED
    assert (await keys.get(issued.key.id)).allow == ()
    assert (await keys.verify(other.secret, address="203.0.113.9")).valid, "others are read all the same"
