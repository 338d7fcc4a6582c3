"""Owners, metadata and environments, through the verbs, over SQLite, PostgreSQL and MariaDB."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from gatepost import (
    AccessDeniedError,
    Actor,
    APIKeys,
    BadInputError,
    IdempotencyError,
    ImportedKey,
    KeyNotFoundError,
    Outcome,
    Receipt,
    StillSpreadingError,
)
from gatepost.base import secret_pattern
from gatepost.base.usage import Use
from gatepost.database import UsageBatch
from gatepost.database.connecting.engine import changing
from tests.deaf import deafen
from tests.freshness.conftest import counted_statements
from tests.keyring.conftest import take_foreign

NOTED = {"plan": "pro", "seats": 3, "tags": ["é", None], "ratio": 0.5}
MANAGE = ["ACCESS_MANAGE", "FILE_UPLOAD"]


async def test_owner_and_metadata_are_kept_told_and_edited(keys: APIKeys) -> None:
    issued = await keys.create("a key", owner="ann", metadata=NOTED)
    assert (issued.key.owner, issued.key.environment, issued.key.metadata) == ("ann", None, NOTED)
    assert await keys.get(issued.key.id) == issued.key
    for fresh in (False, False, True):
        found = (await keys.verify(issued.secret, fresh=fresh)).key
        assert found is not None
        assert (found.owner, found.environment, found.metadata) == ("ann", None, NOTED)
        assert found.version == issued.key.version
    edited = await keys.update(issued.key.id, owner="bob")
    assert (edited.owner, edited.metadata) == ("bob", NOTED), "what is not named stays"
    assert edited.version != issued.key.version
    edited = await keys.update(issued.key.id, metadata={"plan": "free"})
    assert (edited.owner, edited.metadata) == ("bob", {"plan": "free"}), "metadata is put in place of the one before"
    edited = await keys.update(issued.key.id, owner=None, metadata={})
    assert (edited.owner, edited.metadata) == (None, {})
    found = (await keys.verify(issued.secret)).key
    assert found is not None
    assert (found.owner, found.metadata) == (None, {})
    details = [event.detail for event in reversed((await keys.events(issued.key.id)).items)]
    assert details[0] == {**(details[0] or {}), "owner": "ann", "metadata": NOTED}
    assert details[1:] == [
        {"owner": {"old": "ann", "new": "bob"}},
        {"metadata": {"old": NOTED, "new": {"plan": "free"}}},
        {"owner": {"old": "bob", "new": None}, "metadata": {"old": {"plan": "free"}, "new": {}}},
    ]


async def test_metadata_that_python_takes_for_equal_is_another(keys: APIKeys) -> None:
    key = (await keys.create("a manager", MANAGE, metadata={"on": 1})).key
    for now in (True, 1.0, 1):
        edited = await keys.update(key.id, metadata={"on": now})
        assert (type(edited.metadata["on"]), edited.version) == (type(now), (await keys.get(key.id)).version)
        assert edited.version != key.version
        key = edited
        receipt = await keys.update([key.id], metadata={"on": now})
        assert isinstance(receipt, Receipt)
        assert list(receipt.unchanged) == [key.id]
    for other in (True, 1.0):
        with pytest.raises(AccessDeniedError, match="cannot change its own metadata"):
            await keys.update(key.id, metadata={"on": other}, force=True, actor=Actor.of(key))
    first = await keys.create("a key", metadata={"on": 1}, idempotency_key="k" * 20)
    assert (await keys.create("a key", metadata={"on": 1}, idempotency_key="k" * 20)).key.id == first.key.id
    with pytest.raises(IdempotencyError):
        await keys.create("a key", metadata={"on": True}, idempotency_key="k" * 20)


async def test_what_cannot_be_an_owner_or_metadata_changes_nothing(keys: APIKeys) -> None:
    issued = await keys.create("a key")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"owner": ""}, "owner"),
        ({"owner": "x" * 101}, "owner"),
        ({"owner": "a\nb"}, "owner"),
        ({"owner": "a\u200bb"}, "owner"),
        ({"metadata": None}, "metadata"),
        ({"metadata": {"a": float("nan")}}, "metadata"),
        ({"metadata": {"a": "x" * 4096}}, "metadata"),
    ]
    for arguments, field in wrong:
        with pytest.raises(BadInputError) as told:
            await keys.create("another", **arguments)
        assert told.value.field == field
        with pytest.raises(BadInputError) as told:
            await keys.update(issued.key.id, **arguments)
        assert told.value.field == field
    with pytest.raises(BadInputError, match="environment must be one of live, test"):
        await keys.create("another", environment="prod")
    assert [key.version for key in (await keys.list()).items] == [issued.key.version]


async def test_lists_counts_and_the_log_are_filtered_by_owner_and_environment(keys: APIKeys) -> None:
    made = {}
    for number, (owner, environment, project) in enumerate(
        [
            ("ann", "live", "acme"),
            ("ann", "test", None),
            ("bob", "live", "acme"),
            (None, None, None),
            ("Ann", "live", None),
        ]
    ):
        issued = await keys.create(f"key {number}", owner=owner, environment=environment, project=project)
        made[number] = issued.key.id

    async def found(sort: str = "-created", **which: Any) -> list[int]:
        numbers = {key_id: number for number, key_id in made.items()}
        listed = [numbers[key.id] for key in (await keys.list(**which, sort=sort)).items]
        assert (await keys.count(**which)).number == len(listed)
        return listed

    assert await found(owner="ann") == [1, 0], "byte by byte: Ann is somebody else"
    assert await found(owner="ann", environment="live") == [0]
    assert await found(environment="live") == [4, 2, 0]
    assert await found(environment="live", project="acme", owner="bob") == [2]
    assert await found(owner="ann", search="key") == [1, 0]
    assert await found(owner="nobody") == []
    for sort in ("created", "updated", "description", "expires", "last_used"):
        assert sorted(await found(owner="ann", sort=sort)) == [0, 1]
    await keys.update(made[0], owner="bob")
    await keys.delete(made[1])

    async def logged(**which: Any) -> list[tuple[str, str | None]]:
        return [(event.kind, event.key_id) for event in (await keys.events(**which)).items]

    assert await logged(owner="ann") == [
        ("deleted", made[1]),
        ("updated", made[0]),
        ("created", made[1]),
        ("created", made[0]),
    ]
    assert await logged(owner="bob") == [("created", made[2])], "whose it was before the change"
    assert await logged(environment="test") == [("deleted", made[1]), ("created", made[1])]
    assert await logged(owner="ann", environment="live", kind="updated") == [("updated", made[0])]
    unusable: list[dict[str, Any]] = [{"owner": ""}, {"environment": "prod"}]
    for wrong in unusable:
        for call in (keys.list, keys.count, keys.events):
            with pytest.raises(BadInputError):
                await call(**wrong)


async def test_a_list_of_an_owners_keys_costs_two_statements(keys: APIKeys) -> None:
    for number in range(3):
        await keys.create(f"key {number}", owner="ann")
    with counted_statements(keys) as counts:
        assert len((await keys.list(owner="ann")).items) == 3
    assert counts.total() - counts["counter"] == 2


async def test_a_key_made_by_hand_in_sql_has_its_owner_in_the_log(keys: APIKeys) -> None:
    issued = await keys.create("a key", owner="ann", environment="test")
    async with changing(keys._database.engine) as connection, connection.begin():
        await connection.execute(text("UPDATE gatepost_keys SET description = 'by hand'"))
    event = (await keys.events(owner="ann", environment="test")).items[0]
    assert (event.kind, event.key_id, event.owner, event.environment) == ("sql", issued.key.id, "ann", "test")


async def test_keys_are_imported_with_all_that_they_have(keys: APIKeys) -> None:
    take_foreign(keys)
    (key,) = await keys.import_digests(
        [ImportedKey(digest=bytes(32), description="a key", owner="ann", environment="test", metadata=NOTED)]
    )
    assert (key.owner, key.environment, key.metadata) == ("ann", "test", NOTED)
    assert await keys.get(key.id) == key
    with pytest.raises(BadInputError, match=r"keys\[0\]: owner"):
        await keys.import_digests([ImportedKey(digest=b"1" * 32, description="a key", owner="")])


async def test_the_same_call_again_with_another_owner_or_metadata_is_another_request(keys: APIKeys) -> None:
    first = await keys.create("a key", owner="ann", metadata=NOTED, environment="test", idempotency_key="k" * 20)
    again = await keys.create("a key", owner="ann", metadata=NOTED, environment="test", idempotency_key="k" * 20)
    assert (again.key.id, again.secret) == (first.key.id, first.secret)
    others: list[dict[str, Any]] = [{"owner": "bob"}, {"metadata": {}}, {"environment": "live"}]
    for other in others:
        given: dict[str, Any] = {"owner": "ann", "metadata": NOTED, "environment": "test", **other}
        with pytest.raises(IdempotencyError):
            await keys.create("a key", **given, idempotency_key="k" * 20)


async def test_an_edit_of_owner_or_metadata_waits_for_every_worker(sqlite_keys: APIKeys, ready_sqlite_url: str) -> None:
    key_id = (await sqlite_keys.create("a key")).key.id
    worker = APIKeys(ready_sqlite_url, poll_interval=100, max_staleness=300)
    async with worker:
        deafen(worker)
        await worker.serve()
        edits: list[dict[str, Any]] = [{"owner": "ann"}, {"metadata": {"plan": 1}}, {"owner": "ann"}]
        edits += [{"metadata": {"plan": True}}, {"metadata": {"plan": 1.0}}]
        for edit in edits:
            with pytest.raises(StillSpreadingError):
                await sqlite_keys.update(key_id, **edit, timeout=0.01)
            with pytest.raises(StillSpreadingError):
                await sqlite_keys.update([key_id], **edit, timeout=0.01)


# environments


def opened_for(url: str, environment: Any, **settings: Any) -> APIKeys:
    return APIKeys(url, environment=environment, poll_interval=0.1, max_staleness=300, **settings)


async def test_a_process_refuses_the_keys_of_the_other_environment_without_io(ready_url: str) -> None:
    async with opened_for(ready_url, "live") as live, opened_for(ready_url, "test") as test:
        either = APIKeys(ready_url, poll_interval=0.1, max_staleness=300)
        async with either:
            of_live, of_test, of_none = await live.create("l"), await test.create("t"), await either.create("n")
            assert [each.key.environment for each in (of_live, of_test, of_none)] == ["live", "test", None]
            assert [each.secret[:8] for each in (of_live, of_test)] == ["gp_live_", "gp_test_"]
            assert of_none.secret[3:15] == of_none.key.id
            for each in (live, test, either):
                assert (await each.verify(of_none.secret)).valid
            for each in (live, either):
                assert (await each.verify(of_live.secret)).valid
            for each in (test, either):
                assert (await each.verify(of_test.secret)).valid
            for keys, secret in ((live, of_test.secret), (test, of_live.secret)):
                with counted_statements(keys) as counts:
                    for _ in range(3):
                        verdict = await keys.verify(secret)
                        assert (verdict.outcome, verdict.key) == (Outcome.ENVIRONMENT_DENIED, None)
                    invented = secret[:-1] + ("0" if secret[-1] != "0" else "1")
                    assert (await keys.verify(invented)).outcome is Outcome.INVALID
                assert counts.total() - counts["counter"] == 0
            rotated = await live.rotate(of_test.key.id, grace=0)
            assert rotated.secret.startswith("gp_test_"), "whoever rotates it, it is for what it was made for"
            assert (await live.verify(rotated.secret)).outcome is Outcome.ENVIRONMENT_DENIED
            assert (await test.verify(rotated.secret)).valid
            assert not (await test.verify(of_test.secret)).valid


async def test_an_imported_key_is_refused_in_the_other_environment_from_memory_too(ready_url: str) -> None:
    text_of_it = "a secret from elsewhere"
    digest = hashlib.sha256(text_of_it.encode()).digest()
    async with (
        opened_for(ready_url, "live", foreign_secrets=True) as live,
        opened_for(ready_url, "test", foreign_secrets=True) as test,
    ):
        await live.import_digests([ImportedKey(digest=digest, description="a key", environment="test")])
        for fresh in (False, False, True):
            verdict = await live.verify(text_of_it, fresh=fresh)
            assert verdict.outcome is Outcome.ENVIRONMENT_DENIED
            assert (await test.verify(text_of_it, fresh=fresh)).valid
        assert live.hit(digest) is None
        assert live.bounded_hit(digest) is None
        assert test.hit(digest) is not None
        await live.deactivate((await live.list()).items[0].id)
        assert (await live.verify(text_of_it)).outcome is Outcome.ENVIRONMENT_DENIED, "no word of its state"


async def test_a_secret_is_of_one_environment_only_with_the_prefix_that_is_set(ready_sqlite_url: str) -> None:
    async with APIKeys(ready_sqlite_url, prefix="acme", environment="live") as keys:
        issued = await keys.create("a key", environment="test")
        assert issued.secret.startswith("acme_test_")
        assert issued.key.hint == f"acme_test_{issued.key.id[:4]}...{issued.secret[-4:]}"
        assert keys.is_genuine(issued.secret.encode())
        assert [key.id for key in (await keys.list(search=issued.secret[:14])).items] == [issued.key.id]
        assert [key.id for key in (await keys.list(search=issued.key.hint)).items] == [issued.key.id]
        assert secret_pattern("acme").count("|") == 2


def test_an_environment_that_there_is_not_is_an_error_at_once() -> None:
    with pytest.raises(BadInputError, match="environment must be one of live, test"):
        APIKeys("sqlite://", environment="prod")  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match="live, test or None"):
        Actor("ann", environment="prod")


async def test_an_actor_of_one_environment_reaches_only_its_keys_and_makes_no_others(keys: APIKeys) -> None:
    manager = await keys.create("a manager", MANAGE, environment="test")
    of_test = await keys.create("t", ["FILE_UPLOAD"], environment="test")
    of_live = await keys.create("l", ["FILE_UPLOAD"], environment="live", project="acme")
    of_none = await keys.create("n", ["FILE_UPLOAD"])
    actor = Actor.of(manager.key)
    assert (await keys.create("made", ["FILE_UPLOAD"], actor=actor)).key.environment == "test"
    for environment in ("live", None):
        with pytest.raises(AccessDeniedError, match="A key for test cannot make one for"):
            await keys.create("made", environment=environment, actor=actor)
    take_foreign(keys)
    with pytest.raises(AccessDeniedError):
        await keys.import_digests([ImportedKey(digest=bytes(32), description="made")], actor=actor)
    strangers = [of_live.key.id, of_none.key.id]
    for key_id in strangers:
        for call in (keys.get, keys.events, keys.usage, keys.reset_limits, keys.limits, keys.deactivate, keys.delete):
            with pytest.raises(KeyNotFoundError):
                await call(key_id, actor=actor)
        with pytest.raises(KeyNotFoundError):
            await keys.rotate(key_id, grace=0, actor=actor)
        with pytest.raises(KeyNotFoundError):
            await keys.update(key_id, owner="me", actor=actor)
    receipt = await keys.deactivate([*strangers, of_test.key.id], actor=actor)
    assert (list(receipt.changed), list(receipt.unknown)) == ([of_test.key.id], strangers)
    assert {key.environment for key in (await keys.list(actor=actor)).items} == {"test"}
    assert (await keys.list(environment="live", actor=actor)).items == []
    assert (await keys.projects(actor=actor)).items == []
    assert {event.environment for event in (await keys.events(actor=actor)).items} == {"test"}
    assert (await keys.events(environment="live", actor=actor)).items == ()
    assert await keys.usage_by_day(strangers, actor=actor) == {}


async def test_an_acting_key_does_nothing_in_an_environment_that_it_is_not_for(keys: APIKeys) -> None:
    manager = await keys.create("a manager", MANAGE, environment="live")
    of_either = await keys.create("a manager", MANAGE)
    ids = {env: (await keys.create("a key", environment=env)).key.id for env in ("live", "test")}
    actor = Actor("a robot", key_id=manager.key.id, environment="test", permissions=frozenset(MANAGE))
    for key_id in ids.values():
        with pytest.raises(AccessDeniedError, match="is of another environment"):
            await keys.deactivate(key_id, actor=actor)
    of_live = replace(actor, key_id=of_either.key.id, environment="live")
    for other in (replace(actor, environment=None), of_live):
        receipt = await keys.deactivate(list(ids.values()), actor=other)
        assert (list(receipt.changed), list(receipt.unknown)) == ([ids["live"]], [ids["test"]])
        await keys.activate(ids["live"])
    assert (await keys.get(ids["test"])).active


async def test_a_key_cannot_change_its_own_owner_and_metadata(keys: APIKeys) -> None:
    manager = await keys.create("a manager", MANAGE, owner="ann")
    actor = Actor.of(manager.key)
    edits: list[tuple[dict[str, Any], str]] = [({"owner": "bob"}, "owner"), ({"metadata": {"a": 1}}, "metadata")]
    for edit, what in edits:
        with pytest.raises(AccessDeniedError, match=f"cannot change its own {what}"):
            await keys.update(manager.key.id, **edit, force=True, actor=actor)
    await keys.update(manager.key.id, owner="ann", metadata={}, actor=actor)  # as it is
    other = await keys.create("another", ["FILE_UPLOAD"])
    assert (await keys.update(other.key.id, owner="bob", actor=actor)).owner == "bob"


async def test_the_usage_of_an_owner_is_that_of_all_its_keys(keys: APIKeys) -> None:
    of_ann = [
        (await keys.create(f"key {n}", owner="ann", environment=e)).key.id for n, e in enumerate(("live", "test"))
    ]
    of_bob = (await keys.create("bob's", owner="bob")).key.id
    now = datetime.now(UTC)
    uses = [
        Use(key_id, "", now.date(), "/", "valid", count, now + timedelta(seconds=count), None)
        for key_id, count in ((of_ann[0], 2), (of_ann[1], 3), (of_bob, 5), ("", 7))
    ]
    await keys._database.usage.write(UsageBatch("b" * 32, None, now, uses))
    assert [line.count for line in await keys.usage(None, owner="ann")] == [5]
    assert [line.count for line in await keys.usage(None, owner="ann", environment="test", by=())] == [3]
    assert [line.count for line in await keys.usage(None, environment="live")] == [2]
    assert await keys.usage(None, owner="nobody", by=("day", "outcome", "secret", "route")) == []
    assert [line.count for line in await keys.usage(None)] == [7]
    with pytest.raises(BadInputError, match="leave out the id") as wrong:
        await keys.usage(of_bob, owner="ann")
    assert wrong.value.field == "owner"
    manager = await keys.create("a manager", ["ACCESS_READ"], project="acme")
    assert list(await keys.usage(None, owner="ann", actor=Actor.of(manager.key))) == []
