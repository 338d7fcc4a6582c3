"""Who did it, as the audit log tells it: kind and id beside the name, filters, and what a key made."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from gatepost import AccessDeniedError, Actor, APIKeys, BadInputError, ChangeEvent, ImportedKey, KeyNotFoundError
from gatepost.base.models import EVENT_KINDS
from gatepost.database.connecting.engine import changing
from tests.keyring.conftest import take_foreign

MANAGE = frozenset({"ACCESS_MANAGE", "FILE_UPLOAD"})


async def logged(keys: APIKeys, **choice: Any) -> Sequence[ChangeEvent]:
    """The whole log, read two events at a time."""
    found: list[ChangeEvent] = []
    after = None
    while True:
        page = await keys.events(**choice, after=after, limit=2)
        found += page.items
        after = page.next
        if after is None:
            return found


async def keys_made_by(keys: APIKeys, key_id: str, **choice: Any) -> list[str]:
    """The ids of all keys that a key made, two at a time."""
    found: list[str] = []
    after = None
    while True:
        page = await keys.made_by(key_id, **choice, after=after, limit=2)
        found += [key.id for key in page.items]
        after = page.next
        if after is None:
            return found


async def test_an_event_tells_kind_and_id_of_who_acted_whatever_they_are_called(keys: APIKeys) -> None:
    own = (await keys.create("manager", MANAGE)).key
    name = f"key {own.id}"
    actors: dict[tuple[str, str], str | Actor] = {
        ("key", own.id): Actor.of(own),
        ("person", "17"): Actor(name, id="17", permissions=MANAGE),
        ("person", "18"): Actor(name, id="18", operator=True),
        ("person", name): Actor(name, permissions=MANAGE),
        ("operator", name): name,
        ("shell", "root"): Actor(name, id="root", operator=True, at_shell=True),
    }
    for actor in actors.values():
        await keys.create("x", actor=actor)
    events = list((await keys.events(kind="created", limit=len(actors))).items)
    assert [(event.actor_kind, event.actor_id) for event in reversed(events)] == list(actors)
    assert {event.actor for event in events} == {name}
    for (kind, actor_id), actor in actors.items():
        assert len(await logged(keys, by_kind=kind, by_id=actor_id)) == 1
        await keys.deactivate([events[0].key_id or ""], actor=actor)  # what is written inside the database tells it too
        told = (await keys.events(events[0].key_id, limit=1)).items[0]
        assert (told.kind, told.actor_kind, told.actor_id) == ("deactivated", kind, actor_id)
        await keys.activate([events[0].key_id or ""])
    app_itself = (await keys.events(limit=1)).items[0]
    assert (app_itself.actor_kind, app_itself.actor_id, app_itself.actor) == ("operator", None, None)


async def test_the_log_is_filtered_by_key_kind_project_actor_and_time_together_and_alone(keys: APIKeys) -> None:
    ann, ben = Actor("ann", id="1", permissions=MANAGE), Actor("ben", id="2", permissions=MANAGE, project="acme")
    moments = []
    for actor in (ann, ben, "ops"):
        made = [await keys.create(f"{number}", project="acme", actor=actor) for number in range(3)]
        await keys.rotate(made[0].key.id, grace=60, actor=actor)
        await keys.deactivate([each.key.id for each in made], actor=actor)
        await asyncio.sleep(0.02)
        moments.append((await keys.events(limit=1)).items[0].at)
    await keys.create("elsewhere", project="other", actor=ann)
    everything = await logged(keys)
    choices: list[tuple[dict[str, Any], Any]] = [
        ({"kind": "deactivated"}, lambda event: event.kind == "deactivated"),
        ({"kind": "sql"}, lambda event: event.kind == "sql"),
        ({"project": "acme"}, lambda event: event.project == "acme"),
        ({"by_kind": "person"}, lambda event: event.actor_kind == "person"),
        ({"by_id": "2"}, lambda event: event.actor_id == "2"),
        ({"by_kind": "operator", "by_id": "2"}, lambda _event: False),
        ({"since": moments[0]}, lambda event: event.at >= moments[0]),
        ({"until": moments[1]}, lambda event: event.at < moments[1]),
        ({"since": moments[0], "until": moments[1]}, lambda event: moments[0] <= event.at < moments[1]),
        (
            {"project": "acme", "by_id": "1", "kind": "created", "until": moments[2]},
            lambda event: event.project == "acme" and event.actor_id == "1" and event.kind == "created",
        ),
    ]
    for choice, fits in choices:
        assert await logged(keys, **choice) == [event for event in everything if fits(event)], choice
    one = everything[3].key_id
    of_one = await logged(keys, key_id=one, kind="deactivated")
    assert of_one == [event for event in everything if event.key_id == one and event.kind == "deactivated"]
    assert list((await keys.events(one, kind="sql")).items) == []


async def test_a_limited_actor_filters_its_own_project_only(keys: APIKeys) -> None:
    for project in ("acme", "other", None):
        await keys.create("x", project=project, actor="ops")
    ben = Actor("ben", id="2", permissions=MANAGE, project="acme")
    assert [event.project for event in await logged(keys, by_id="ops", actor=ben)] == ["acme"]
    assert await logged(keys, project="other", actor=ben) == []


async def test_a_filter_that_no_event_can_fit_is_an_error_that_says_what_can(sqlite_keys: APIKeys) -> None:
    for choice, told in (
        ({"kind": "made"}, "kind must be one of created, imported"),
        ({"by_kind": "user"}, "by_kind must be one of person, operator, key"),
        ({"by_id": ""}, "by_id must be 1 to 200"),
        ({"since": datetime.now(UTC).replace(tzinfo=None)}, "since must be a datetime with a time zone"),
        ({"until": "2026-01-01"}, "until must be a datetime with a time zone"),
        ({"until": datetime(1, 1, 1, tzinfo=UTC)}, "until must be in a year"),
        ({"project": ""}, "project must be 1 to 100"),
    ):
        with pytest.raises(BadInputError, match=told):
            await sqlite_keys.events(**choice)


async def test_events_are_found_by_their_moment_though_the_clock_was_put_back_in_between(sqlite_keys: APIKeys) -> None:
    made = [(await sqlite_keys.create(f"{number}")).key.id for number in range(4)]
    start = datetime(2030, 1, 1, tzinfo=UTC)
    seconds = [0, 50, 20, 90]  # by the database's clock, one change after the other
    async with changing(sqlite_keys._database.engine) as connection:
        for key_id, later in zip(made, seconds, strict=True):
            moment = f"{start + timedelta(seconds=later):%Y-%m-%d %H:%M:%S}.000000"
            await connection.execute(
                text("UPDATE gatepost_events SET at = :at WHERE key_id = :id"), {"at": moment, "id": key_id}
            )
        await connection.commit()
    since, until = start + timedelta(seconds=10), start + timedelta(seconds=40)
    assert [event.key_id for event in await logged(sqlite_keys, since=since, until=until)] == [made[2]]
    assert [event.key_id for event in await logged(sqlite_keys, since=since)] == [made[3], made[2], made[1]]


async def test_every_kind_of_event_that_is_written_can_be_filtered_by(ready_sqlite_url: str) -> None:
    async with APIKeys(ready_sqlite_url, foreign_secrets=True) as keys:
        await keys.import_digests([ImportedKey(digest=b"1" * 32, description="x")])
        issued = await keys.create("x")
        await keys.invalidate()
        await keys.delete(issued.key.id)
        for event in await logged(keys):
            assert event.kind in EVENT_KINDS
            assert event in await logged(keys, kind=event.kind)


async def test_what_a_key_made_is_one_call_and_can_be_switched_off(keys: APIKeys) -> None:
    take_foreign(keys)
    leaked = (await keys.create("leaked", MANAGE)).key
    before = await keys.create("before", MANAGE)
    made = await keys.create("admin of the intruder", MANAGE, actor=Actor.of(leaked))
    (imported,) = await keys.import_digests([ImportedKey(digest=b"2" * 32, description="x")], actor=Actor.of(leaked))
    grandchild = await keys.create("of that admin", actor=Actor.of(made.key))
    deleted = await keys.create("deleted since", actor=Actor.of(leaked))
    await keys.rotate(before.key.id, grace=0, actor=Actor.of(leaked))
    await keys.create("by somebody called so", actor=Actor(f"key {leaked.id}", id=leaked.id, permissions=MANAGE))
    await keys.delete([deleted.key.id, leaked.id])

    found = await keys_made_by(keys, leaked.id)
    assert found == [grandchild.key.id, imported.id, made.key.id]
    receipt = await keys.deactivate(found)
    assert set(receipt.changed) == set(found)
    assert await keys_made_by(keys, leaked.id) == found, "what is switched off is told still"
    assert await keys_made_by(keys, before.key.id) == []
    told = await logged(keys, by_kind="key", by_id=leaked.id, kind="rotated")
    assert {event.key_id for event in told} == {before.key.id}


async def test_what_a_key_made_is_told_as_far_as_the_actor_reaches(keys: APIKeys) -> None:
    wide = (await keys.create("company-wide", MANAGE)).key
    there = await keys.create("x", MANAGE, project="other", actor=Actor.of(wide))
    here = await keys.create("x", project="acme", actor=Actor.of(wide))
    ben = Actor("ben", id="2", permissions=MANAGE, project="acme")
    assert await keys_made_by(keys, wide.id) == [here.key.id, there.key.id]
    assert await keys_made_by(keys, wide.id, actor=ben) == [here.key.id]
    assert await keys_made_by(keys, here.key.id, actor=ben) == []
    for unknown in (there.key.id, "nobody000000", "x"):
        with pytest.raises(KeyNotFoundError):
            await keys.made_by(unknown, actor=ben)
    with pytest.raises(AccessDeniedError):
        await keys.made_by(here.key.id, actor=Actor("ann"))


async def test_events_from_before_kinds_were_kept_prove_nothing_and_are_not_missed(keys: APIKeys) -> None:
    leaked = (await keys.create("leaked", MANAGE)).key
    made = await keys.create("x", actor=Actor.of(leaked))
    async with changing(keys._database.engine) as connection:
        await connection.execute(text("UPDATE gatepost_events SET actor_kind = NULL"))
        await connection.commit()
    assert {event.actor_kind for event in await logged(keys)} == {None}
    assert await keys_made_by(keys, leaked.id) == [made.key.id]
    assert await logged(keys, by_kind="key") == []
    assert [event.key_id for event in await logged(keys, by_id=leaked.id)] == [made.key.id]
    assert [event.key_id for event in await logged(keys, by_kind="key", by_id=leaked.id)] == [made.key.id]
    assert await logged(keys, by_kind="person", by_id=leaked.id) == []
