"""What actors may do through the verbs, and what the audit log tells of it, over SQLite, PostgreSQL and MariaDB."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from gatepost import (
    AccessDeniedError,
    Actor,
    APIKey,
    APIKeys,
    BadInputError,
    ForceNeededError,
    ImportedKey,
    Issued,
    KeyNotFoundError,
    Outcome,
    StaleKeyError,
)
from gatepost.base.secret import digest
from gatepost.database.connecting.engine import changing
from tests.keyring.conftest import end_every_grace, take_foreign

MANAGE = ("ACCESS_MANAGE", "FILE_UPLOAD", "OBJECTS_LIST")


async def manager(keys: APIKeys, *permissions: str, project: str | None = "acme") -> Actor:
    """A key that manages others."""
    issued = await keys.create("manager", permissions or MANAGE, project=project)
    return Actor.of(issued.key, "192.0.2.7")


async def state(keys: APIKeys) -> tuple[Any, ...]:
    """All that a refused call must leave as it was."""
    position = await keys._database.read_position()
    return position.seq, position.nonce, [key.version for key in (await keys.list(limit=500)).items]


async def test_a_key_of_another_project_looks_as_if_there_were_none(keys: APIKeys) -> None:
    actor = await manager(keys)
    strangers = [
        (await keys.create("another project's", ["FILE_UPLOAD"], project="other")).key.id,
        (await keys.create("company-wide", ["FILE_UPLOAD"])).key.id,
    ]
    own = (await keys.create("ours", project="acme")).key.id
    before = await state(keys)
    for key_id in (*strangers, "nobody000000"):
        with pytest.raises(KeyNotFoundError):
            await keys.get(key_id, actor=actor)
        with pytest.raises(KeyNotFoundError):
            await keys.events(key_id, actor=actor)
        with pytest.raises(KeyNotFoundError):
            await keys.update(key_id, description="mine now", actor=actor)
        with pytest.raises(KeyNotFoundError):
            await keys.rotate(key_id, grace=0, actor=actor)
        for verb in (keys.activate, keys.deactivate, keys.delete):
            with pytest.raises(KeyNotFoundError):
                await verb(key_id, actor=actor)
    assert await state(keys) == before
    receipt = await keys.deactivate([*strangers, own], actor=actor)
    assert (list(receipt.changed), list(receipt.unknown)) == ([own], strangers)
    assert {key.project for key in (await keys.list(actor=actor)).items} == {"acme"}
    assert list((await keys.list(project="other", actor=actor)).items) == []
    assert {event.project for event in (await keys.events(actor=actor)).items} == {"acme"}


async def test_a_company_wide_key_reaches_all(keys: APIKeys) -> None:
    actor = await manager(keys, project=None)
    other = await keys.create("another project's", ["FILE_UPLOAD"], project="other")
    assert (await keys.get(other.key.id, actor=actor)).id == other.key.id
    await keys.deactivate(other.key.id, actor=actor)
    made = await keys.create("new", project="third", actor=actor)
    assert made.key.project == "third"
    assert {event.project for event in (await keys.events(actor=actor)).items} == {None, "other", "third"}


async def test_a_new_key_is_of_the_actors_project_unless_told_otherwise(keys: APIKeys) -> None:
    actor = await manager(keys)
    assert (await keys.create("x", actor=actor)).key.project == "acme"
    assert (await keys.create("x", project="acme", actor=actor)).key.project == "acme"
    assert (await keys.create("x")).key.project is None
    before = await state(keys)
    take_foreign(keys)
    for project in ("other", None):
        with pytest.raises(AccessDeniedError, match="cannot make one"):
            await keys.create("x", project=project, actor=actor)
        imported = ImportedKey(digest=b"1" * 32, description="x", project=project)
        with pytest.raises(AccessDeniedError, match="cannot make one"):
            await keys.import_digests([imported], actor=actor)
    assert await state(keys) == before


async def test_escalation_is_refused_by_every_verb_that_hands_something_out(keys: APIKeys) -> None:
    actor = await manager(keys)
    strong = await keys.create("strong", ["FILE_DELETE"], project="acme", expires_at=datetime.now(UTC) + timedelta(9))
    weak = await keys.create("weak", ["FILE_UPLOAD"], project="acme")
    off = await keys.create("strong but off", ["FILE_DELETE"], project="acme", active=False)
    take_foreign(keys)
    before = await state(keys)
    for attempt in (
        keys.create("x", ["FILE_DELETE"], actor=actor),
        keys.update(weak.key.id, permissions=["FILE_UPLOAD", "FILE_DELETE"], actor=actor),
        keys.update(strong.key.id, expires_at=None, actor=actor),
        keys.update(strong.key.id, expires_at=datetime.now(UTC) + timedelta(10), actor=actor),
        keys.rotate(strong.key.id, grace=0, actor=actor),
        keys.activate(off.key.id, actor=actor),
        keys.import_digests(
            [ImportedKey(digest=b"1" * 32, description="x", permissions=["FILE_DELETE"], project="acme")], actor=actor
        ),
    ):
        with pytest.raises(AccessDeniedError, match="FILE_DELETE") as denied:
            await attempt
        assert denied.value.missing == {"FILE_DELETE"}
    with pytest.raises(AccessDeniedError, match="operator"):
        await keys.invalidate(actor=actor)
    assert await state(keys) == before
    receipt = await keys.activate([off.key.id, weak.key.id], actor=actor)
    assert (list(receipt.changed), list(receipt.unchanged), list(receipt.denied)) == ([], [weak.key.id], [off.key.id])
    assert "FILE_DELETE" in receipt.denied[off.key.id]


async def test_what_takes_away_is_allowed_also_from_a_stronger_key(keys: APIKeys) -> None:
    actor = await manager(keys)
    strong = await keys.create("strong", ["FILE_DELETE", "FILE_UPLOAD"], project="acme")
    await keys.update(strong.key.id, description="renamed", permissions=["FILE_DELETE"], actor=actor)
    await keys.update(strong.key.id, expires_at=datetime.now(UTC) + timedelta(9), actor=actor)
    await keys.deactivate(strong.key.id, actor=actor)
    await keys.delete(strong.key.id, actor=actor)


@pytest.mark.parametrize("permissions", [("ACCESS_READ", "FILE_UPLOAD"), ("FILE_UPLOAD",)])
async def test_changing_keys_needs_access_manage(keys: APIKeys, permissions: tuple[str, ...]) -> None:
    actor = await manager(keys, *permissions)
    other = await keys.create("other", project="acme")
    take_foreign(keys)
    before = await state(keys)
    for attempt in (
        keys.create("x", actor=actor),
        keys.update(other.key.id, description="x", actor=actor),
        keys.rotate(other.key.id, grace=0, actor=actor),
        keys.activate(other.key.id, actor=actor),
        keys.deactivate([other.key.id], actor=actor),
        keys.delete(other.key.id, actor=actor),
        keys.reveal(other.key.id, actor=actor),
        keys.import_digests([ImportedKey(digest=b"1" * 32, description="x", project="acme")], actor=actor),
    ):
        with pytest.raises(AccessDeniedError, match="ACCESS_MANAGE"):
            await attempt
    assert await state(keys) == before


async def test_without_either_permission_a_key_sees_itself_alone(keys: APIKeys) -> None:
    actor = await manager(keys, "FILE_UPLOAD")
    other = await keys.create("other", project="acme")
    assert actor.key_id is not None
    assert (await keys.get(actor.key_id, actor=actor)).id == actor.key_id
    for attempt in (
        keys.get(other.key.id, actor=actor),
        keys.list(actor=actor),
        keys.events(actor=actor),
        keys.events(other.key.id, actor=actor),
    ):
        with pytest.raises(AccessDeniedError, match="ACCESS_READ"):
            await attempt


async def test_the_key_in_use_is_weakened_with_force_only(keys: APIKeys) -> None:
    actor = await manager(keys)
    own, other = actor.key_id, (await keys.create("other", project="acme")).key.id
    assert own is not None
    before = await state(keys)
    for attempt in (
        keys.deactivate(own, actor=actor),
        keys.delete(own, actor=actor),
        keys.rotate(own, grace=0, actor=actor),
        keys.rotate(own, grace=0.5, actor=actor),
        keys.update(own, permissions=["ACCESS_MANAGE"], actor=actor),
        keys.update(own, expires_at=datetime.now(UTC) + timedelta(9), actor=actor),
    ):
        with pytest.raises(ForceNeededError, match="say force"):
            await attempt
    assert await state(keys) == before
    receipt = await keys.deactivate([other, own], actor=actor)
    assert (list(receipt.changed), list(receipt.denied)) == ([other], [own])
    await keys.update(own, description="renamed", actor=actor)
    await keys.rotate(own, grace=60, actor=actor)
    await keys.rotate(own, grace=0, force=True, actor=actor)
    await keys.update(own, permissions=["ACCESS_MANAGE"], force=True, actor=actor)
    await keys.delete(own, force=True, actor=actor)


async def test_what_an_acting_key_may_do_is_read_anew_in_each_change(keys: APIKeys) -> None:
    """A request that began before the key was weakened must not finish with what it held then."""
    actor = await manager(keys)
    other = await keys.create("other", project="acme")
    assert actor.key_id is not None
    await keys.update(actor.key_id, permissions=["ACCESS_MANAGE"])
    with pytest.raises(AccessDeniedError, match="FILE_UPLOAD"):
        await keys.create("x", ["FILE_UPLOAD"], actor=actor)
    await keys.update(actor.key_id, permissions=["FILE_UPLOAD"])
    with pytest.raises(AccessDeniedError, match="ACCESS_MANAGE"):
        await keys.deactivate(other.key.id, actor=actor)
    await keys.update(actor.key_id, permissions=MANAGE)
    await keys.deactivate(actor.key_id)
    with pytest.raises(AccessDeniedError, match="cannot be used any more"):
        await keys.deactivate(other.key.id, actor=actor)
    await keys.delete(actor.key_id)
    with pytest.raises(AccessDeniedError, match="not there any more"):
        await keys.deactivate(other.key.id, actor=actor)
    assert (await keys.get(other.key.id)).active


async def test_an_actor_without_a_key_may_be_limited_too(keys: APIKeys) -> None:
    ann = Actor(name="ann", project="acme", permissions=frozenset({"ACCESS_MANAGE"}))
    made = await keys.create("x", actor=ann)
    assert made.key.project == "acme"
    with pytest.raises(AccessDeniedError, match="FILE_UPLOAD"):
        await keys.create("x", ["FILE_UPLOAD"], actor=ann)


async def test_an_actor_of_a_project_who_was_given_nothing_does_nothing_anywhere(keys: APIKeys) -> None:
    here = (await keys.create("here", project="acme")).key.id
    there = (await keys.create("there", project="other")).key.id
    before = await state(keys)
    for actor in (Actor("ann", project="acme"), Actor("ann")):
        for attempt in (
            keys.list(actor=actor),
            keys.events(actor=actor),
            keys.get(here, actor=actor),
            keys.create("x", actor=actor),
            keys.update(here, description="x", actor=actor),
            keys.deactivate([here, there], actor=actor),
            keys.activate(here, actor=actor),
            keys.rotate(there, grace=0, actor=actor),
            keys.delete(there, actor=actor),
            keys.reveal(here, actor=actor),
            keys.made_by(here, actor=actor),
            keys.invalidate(actor=actor),
        ):
            with pytest.raises(AccessDeniedError):
                await attempt
    assert await state(keys) == before


async def test_nobody_is_no_operator(keys: APIKeys) -> None:
    """What looks up who is asking may find nobody."""
    key_id = (await keys.create("x")).key.id
    for attempt in (
        keys.list(actor=None),  # type: ignore[arg-type]
        keys.deactivate(key_id, actor=None),  # type: ignore[arg-type]
        keys.deactivate(key_id, actor=""),
    ):
        with pytest.raises(BadInputError, match="actor"):
            await attempt
    assert (await keys.get(key_id)).active


async def test_a_stale_version_changes_nothing_and_tells_what_the_key_is_now(keys: APIKeys) -> None:
    key = (await keys.create("first", ["FILE_UPLOAD"])).key
    assert (await keys.get(key.id)).version == key.version
    edited = await keys.update(key.id, description="second", if_version=key.version)
    assert edited.version != key.version
    assert (await keys.get(key.id)).version == edited.version
    before = await state(keys)
    for attempt in (
        keys.update(key.id, description="third", if_version=key.version),
        keys.rotate(key.id, grace=0, if_version=key.version),
        keys.delete(key.id, if_version=key.version),
    ):
        with pytest.raises(StaleKeyError) as stale:
            await attempt
        assert stale.value.key == edited
    assert await state(keys) == before
    with pytest.raises(BadInputError, match="single id"):
        await keys.delete([key.id], if_version=key.version)
    rotated = await keys.rotate(key.id, grace=0, if_version=edited.version)
    assert rotated.key.version != edited.version
    await keys.delete(key.id, if_version=rotated.key.version)


async def test_an_edit_to_what_the_key_is_already_is_no_change(keys: APIKeys) -> None:
    key = (await keys.create("a key", ["FILE_UPLOAD"])).key
    before = await state(keys)
    edited = await keys.update(key.id, description="a key", permissions=["FILE_UPLOAD"], expires_at=None)
    assert edited == key
    assert edited.propagation.complete
    assert await state(keys) == before


async def log(keys: APIKeys, key: APIKey, **options: Any) -> list[tuple[str, str | None, str | None, Any]]:
    """The audit log of a key, oldest first, after it was seen that each line is of the key and in order."""
    events = list((await keys.events(key.id, **options)).items)
    assert [event.seq for event in events] == sorted((event.seq for event in events), reverse=True)
    assert len({event.seq for event in events}) == len(events)
    for event in events:
        assert (event.key_id, event.project) == (key.id, key.project)
        assert abs(event.at - datetime.now(UTC)) < timedelta(seconds=30)
    return [(event.kind, event.actor, event.address, event.detail) for event in reversed(events)]


async def test_the_audit_log_tells_who_did_what_from_where_with_old_and_new(keys: APIKeys) -> None:
    actor = await manager(keys)
    name, address = f"key {actor.key_id}", "192.0.2.7"
    expires = datetime(2099, 1, 2, tzinfo=UTC)
    issued = await keys.create("first", ["FILE_UPLOAD"], actor=actor)
    key = issued.key
    await keys.update(key.id, description="second", permissions=["OBJECTS_LIST"], expires_at=expires, actor=actor)
    rotated = await keys.rotate(key.id, grace=60, actor="ann")
    again = await keys.rotate(key.id, grace=60)
    await keys.deactivate(key.id, actor=actor)
    await keys.deactivate(key.id, actor=actor)
    await keys.activate([key.id], actor=actor)
    await keys.delete(key.id, actor=actor)
    made = {"description": "first", "permissions": ["FILE_UPLOAD"], "project": "acme", "active": True}
    gone = {"description": "second", "permissions": ["OBJECTS_LIST"], "project": "acme", "active": True}
    assert await log(keys, key, actor=actor) == [
        ("created", name, address, made | {"expires_at": None}),
        (
            "updated",
            name,
            address,
            {
                "description": {"old": "first", "new": "second"},
                "permissions": {"old": ["FILE_UPLOAD"], "new": ["OBJECTS_LIST"]},
                "expires_at": {"old": None, "new": expires.isoformat()},
            },
        ),
        ("rotated", "ann", None, {"hint": {"old": key.hint, "new": rotated.key.hint}, "grace_seconds": 60.0}),
        ("rotated", None, None, {"hint": {"old": rotated.key.hint, "new": again.key.hint}, "grace_seconds": 60.0}),
        ("deactivated", name, address, {"active": {"old": True, "new": False}}),
        ("activated", name, address, {"active": {"old": False, "new": True}}),
        ("deleted", name, address, gone | {"expires_at": expires.isoformat()}),
    ]
    everything = orjson.dumps([event.detail for event in (await keys.events(limit=500)).items]).decode()
    for secret in (issued, rotated, again):
        assert secret.secret.rpartition("_")[2] not in everything


async def test_the_audit_log_is_paged_without_loss_newest_first(keys: APIKeys) -> None:
    made: list[Issued] = [await keys.create(f"key {number}", project="acme") for number in range(5)]
    for issued in made[:2]:
        await keys.rotate(issued.key.id, grace=60)  # two secrets: two events of each change, but one line
    await keys.deactivate([issued.key.id for issued in made])
    seen = []
    after = None
    while True:
        page = await keys.events(after=after, limit=3)
        seen += [(event.seq, event.key_id, event.kind) for event in page.items]
        after = page.next
        if after is None:
            break
        assert len(page.items) == 3
    assert len(seen) == len(set(seen)) == 1 + 5 + 2 + 5
    assert [seq for seq, _, _ in seen] == sorted((seq for seq, _, _ in seen), reverse=True)
    assert seen[-1] == (0, None, "installed")
    assert {key_id for _, key_id, kind in seen if kind == "deactivated"} == {issued.key.id for issued in made}
    for wrong in ("x", "1", "1.", ".1", "1.1.1", "-1.0", "9" * 30 + ".0", "é.1"):
        with pytest.raises(BadInputError, match="after="):
            await keys.events(after=wrong)


async def test_a_key_that_is_made_inactive_is_refused_until_it_is_activated(keys: APIKeys) -> None:
    issued = await keys.create("a key", active=False)
    assert not issued.key.active
    assert (await keys.verify(issued.secret)).outcome is Outcome.DEACTIVATED
    await keys.activate(issued.key.id)
    assert (await keys.verify(issued.secret)).valid
    with pytest.raises(BadInputError, match="active must be"):
        await keys.create("x", active=1)  # type: ignore[arg-type]


async def test_a_call_does_not_finish_with_a_secret_that_died_meanwhile(keys: APIKeys) -> None:
    """Whoever holds back a request's body, or waits for the lock, must not gain by it."""
    issued = await keys.create("manager", MANAGE, project="acme")
    actor = Actor.of(issued.key, digest=digest(issued.secret.encode()))
    await keys.create("x", actor=actor)
    second = await keys.rotate(issued.key.id, grace=3600)
    await keys.create("x", actor=actor)
    await end_every_grace(keys, issued.key.id)
    before = await state(keys)
    for attempt in (keys.create("x", actor=actor), keys.rotate(issued.key.id, grace=60, actor=actor)):
        with pytest.raises(AccessDeniedError, match="not good any more"):
            await attempt
    await keys.rotate(issued.key.id, grace=0)
    with pytest.raises(AccessDeniedError, match="not good any more"):
        await keys.create("x", actor=Actor.of(issued.key, digest=digest(second.secret.encode())))
    stranger = await keys.create("another's", MANAGE, project="acme")
    with pytest.raises(AccessDeniedError, match="not good any more"):
        await keys.create("x", actor=Actor.of(issued.key, digest=digest(stranger.secret.encode())))
    assert len(before[2]) + 1 == len((await state(keys))[2])


async def test_an_older_secret_gets_nobody_one_that_lives_longer(ready_sqlite_url: str) -> None:
    """Whoever has the secret that was rotated out must not go on for ever by asking for the next, forced or not."""
    async with APIKeys(ready_sqlite_url, vault_keys=[Fernet.generate_key()]) as keys:
        issued = await keys.create("manager", MANAGE, project="acme")
        second = await keys.rotate(issued.key.id, grace=60)
        old = Actor.of(issued.key, digest=digest(issued.secret.encode()))
        before = await state(keys)
        for attempt in (
            keys.rotate(issued.key.id, grace=60, actor=old),
            keys.rotate(issued.key.id, grace=60, force=True, actor=old),
            keys.rotate(issued.key.id, grace=0, force=True, actor=old),
            keys.reveal(issued.key.id, actor=old),
        ):
            with pytest.raises(AccessDeniedError, match=r"an older secret of key .*Use the current one"):
                await attempt
        assert await state(keys) == before
        new = Actor.of(issued.key, digest=digest(second.secret.encode()))
        assert await keys.reveal(issued.key.id, actor=new) == second.secret
        await keys.rotate(issued.key.id, grace=60, actor=new)


async def test_a_key_does_not_give_itself_a_longer_life(keys: APIKeys) -> None:
    """It does not hold that time; `force` is for what it does hold. Others may be given it: they are in the log."""
    soon = datetime.now(UTC) + timedelta(hours=1)
    key = (await keys.create("for an hour", MANAGE, project="acme", expires_at=soon)).key
    other = (await keys.create("another", project="acme", expires_at=soon)).key
    actor = Actor.of(key)
    before = await state(keys)
    for moment in (None, soon + timedelta(microseconds=1), soon + timedelta(days=1)):
        for force in (False, True):
            with pytest.raises(AccessDeniedError, match="the one you are using: it cannot give itself a longer life"):
                await keys.update(key.id, expires_at=moment, description="mine", force=force, actor=actor)
    assert await state(keys) == before
    await keys.update(key.id, expires_at=soon, description="the same end", actor=actor)
    sooner = soon - timedelta(minutes=30)
    await keys.update(key.id, expires_at=sooner, force=True, actor=actor)
    with pytest.raises(AccessDeniedError, match="longer life"):
        await keys.update(key.id, expires_at=soon, force=True, actor=actor)
    rotated = await keys.rotate(key.id, grace=60, actor=actor)
    assert rotated.key.expires_at == sooner
    await keys.update(other.id, expires_at=None, actor=actor)
    assert (await keys.update(key.id, expires_at=None, actor="an operator")).expires_at is None


async def test_an_actor_that_is_less_than_its_key_stays_so_in_changes(keys: APIKeys) -> None:
    wide = (await keys.create("company-wide", MANAGE)).key
    other = await keys.create("another project's", project="other")
    narrow = Actor(name="ann", key_id=wide.id, project="acme", permissions=frozenset({"ACCESS_MANAGE"}))
    for attempt in (keys.get(other.key.id, actor=narrow), keys.deactivate(other.key.id, actor=narrow)):
        with pytest.raises(KeyNotFoundError):
            await attempt
    with pytest.raises(AccessDeniedError, match="FILE_UPLOAD"):
        await keys.create("x", ["FILE_UPLOAD"], actor=narrow)
    elsewhere = Actor(name="ann", key_id=other.key.id, project="acme", permissions=frozenset({"ACCESS_MANAGE"}))
    with pytest.raises(AccessDeniedError, match="of another project"):
        await keys.create("x", actor=elsewhere)


async def test_a_reached_key_without_any_event_that_may_be_told_has_an_empty_log(keys: APIKeys) -> None:
    actor = await manager(keys)
    key = (await keys.create("from before events told projects", project="acme")).key
    async with changing(keys._database.engine) as connection:
        await connection.execute(text("UPDATE gatepost_events SET project = NULL"))
        await connection.commit()
    assert list((await keys.events(key.id, actor=actor)).items) == []
