"""An edit of a role that many keys hold: those that are alike are edited together, each as is right for it."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, event

from gatepost import Actor, APIKeys, ForceNeededError, Quota, Receipt
from gatepost.database.standing import ALIKE_MAX
from tests.freshness.conftest import counted_statements
from tests.keyring.test_roles import MANAGE, held


async def test_lists_find_keys_by_what_an_edit_left_and_gave_them(keys: APIKeys) -> None:
    """Of few kinds of edits only the terms that differ are written, of many kinds all: both are found alike."""
    await keys.roles.create("curator", ["FILE_UPLOAD", "OBJECTS_LIST"])
    holders = {(await keys.create(f"holder {n}", roles=["curator"])).key.id for n in range(3)}

    async def found(permission: str) -> set[str]:
        return {key.id for key in (await keys.list(permission=permission)).items}

    await keys.roles.update("curator", permissions=["OBJECTS_LIST", "FILE_DELETE"])
    assert await found("FILE_UPLOAD") == set()
    assert await found("FILE_DELETE") == await found("OBJECTS_LIST") == holders
    others = [(await keys.create(f"word{n} stays", ["DIR_CREATE"])).key.id for n in range(ALIKE_MAX + 2)]
    await keys.update([*others, *holders], description="renamed stays")
    assert {key.id for key in (await keys.list(search="renamed")).items} == {*others, *holders}
    assert (await keys.list(search="word1")).items == []
    assert len((await keys.list(search="stays")).items) == len(others) + len(holders)


async def test_an_edit_writes_the_terms_that_differ_and_no_others(sqlite_keys: APIKeys) -> None:
    await sqlite_keys.roles.create("curator", ["FILE_UPLOAD", "OBJECTS_LIST"])
    for n in range(20):
        await sqlite_keys.create(f"holder {n}", roles=["curator"])
    written: list[int] = []

    @event.listens_for(Engine, "before_cursor_execute")
    def seen(*statement: Any) -> None:
        if statement[2].startswith("INSERT INTO gatepost_terms"):
            written.append(len(statement[3]) if statement[5] else 1)

    try:
        await sqlite_keys.roles.update("curator", permissions=["OBJECTS_LIST"])
        assert written == []
        await sqlite_keys.roles.update("curator", permissions=["OBJECTS_LIST", "FILE_DELETE"])
    finally:
        event.remove(Engine, "before_cursor_execute", seen)
    assert sum(written) == 20


async def test_an_edit_of_a_role_gives_each_kind_of_key_what_is_right_for_it(keys: APIKeys) -> None:
    """Keys that are alike are edited together; in what may differ, no two of these are."""
    await keys.roles.create("curator", ["FILE_UPLOAD", "OBJECTS_LIST"])
    await keys.roles.create("limited", ["FILE_RENAME"], resources=["dir:/a"])
    kinds: list[dict[str, Any]] = [
        {},
        {"permissions": ["FILE_UPLOAD"]},
        {"project": "acme"},
        {"owner": "ada"},
        {"allow": ["10.0.0.0/8"]},
        {"limits": [Quota(5, per="day")]},
        {"resources": ["dir:/b"]},
        {"roles": ["curator", "limited"]},
        {"metadata": {"a": 1}},
    ]
    issued = [await keys.create(f"twin {n}", **{"roles": ["curator"]} | kind) for kind in kinds for n in range(2)]
    before = {each.key.id: await keys.get(each.key.id) for each in issued}
    change = await keys.roles.update("curator", permissions=["OBJECTS_LIST", "FILE_RENAME"])
    assert change.keys == [each.key.id for each in reversed(issued)]
    with_own = [each.key.id for each in issued[2:4]]
    assert sorted(change.loses["FILE_UPLOAD"]) == sorted({*before} - {*with_own})
    assert sorted(change.gains["FILE_RENAME"]) == sorted(before), "on every resource now, where it was on one"
    log = {event.key_id: event for event in (await keys.events(limit=100)).items if event.seq == change.seq}
    for key_id, was in before.items():
        now = await keys.get(key_id)
        expected = {"OBJECTS_LIST", "FILE_RENAME"} | ({"FILE_UPLOAD"} if key_id in with_own else set())
        assert now == replace(
            was, permissions=frozenset(expected), role_resources={}, updated_at=now.updated_at, last_used_at=None
        )
        event = log[key_id]
        assert (event.kind, event.project, event.owner) == ("updated", was.project, was.owner)
        assert event.detail is not None
        assert event.detail["permissions"] == {"old": sorted(was.permissions), "new": sorted(expected)}


async def test_an_edit_costs_as_many_statements_whether_two_keys_hold_the_role_or_twenty(ready_url: str) -> None:
    async with APIKeys(ready_url) as keys:
        await keys.roles.create("curator", ["FILE_UPLOAD", "OBJECTS_LIST"])
        asked: list[dict[str, int]] = []
        for more in (2, 18):
            for n in range(more):
                await keys.create(f"holder {n}", roles=["curator"])
            with counted_statements(keys) as counts:
                edited = await keys.roles.update("curator", permissions=["OBJECTS_LIST"], wait="commit")
            asked.append(dict(counts))
            await keys.roles.update("curator", permissions=["FILE_UPLOAD", "OBJECTS_LIST"])
    assert len(edited.keys) == 20
    assert asked[0] == asked[1]


async def test_an_edit_that_each_key_is_told_of_otherwise_is_true_in_every_worker_when_it_returns(
    keys: APIKeys,
) -> None:
    """Of more than a few kinds, events are written one by one."""
    issued = [await keys.create(f"key {n}", ["FILE_UPLOAD"]) for n in range(ALIKE_MAX + 2)]
    async with keys.alike() as worker:
        for each in issued:
            await worker.verify(each.secret)
        receipt = await keys.update([each.key.id for each in issued], permissions=[], description="a name for all")
        assert isinstance(receipt, Receipt)
        assert len(receipt.changed) == len(issued)
        assert [await held(worker, each.secret) for each in issued] == [set()] * len(issued)
    told = [event.detail for event in (await keys.events(limit=50)).items if event.seq == receipt.seq]
    assert sorted(detail["description"]["old"] for detail in told if detail) == sorted(
        each.key.description for each in issued
    )


async def test_the_key_in_use_is_not_weakened_among_others_like_it(keys: APIKeys) -> None:
    await keys.roles.create("manager", [*MANAGE, "FILE_UPLOAD"])
    twins = [(await keys.create("a manager", roles=["manager"])).key for _ in range(3)]
    for key in twins:
        with pytest.raises(ForceNeededError, match=key.id):
            await keys.roles.update("manager", permissions=MANAGE, actor=Actor.of(key))
    assert (await keys.get(twins[0].id)).permissions == {*MANAGE, "FILE_UPLOAD"}
