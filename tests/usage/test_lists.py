"""Lists by last use: the order, the filters, and pages both ways, against the same in Python."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, text, update

from gatepost import APIKey, APIKeys, BadInputError
from gatepost.base import NEVER_USED
from gatepost.database.connecting import changing
from gatepost.database.schema import keys as keys_table
from gatepost.database.schema import last_used

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY = 86400.0
LONG_AGO = timedelta(days=400)


async def fill(keys: APIKeys) -> list[APIKey]:
    """Keys of two projects and none, on and off, old and new, used at different times or never."""
    made = []
    for number in range(24):
        project = (None, "acme", "other")[number % 3]
        permissions = ["FILE_UPLOAD"] if number % 4 == 3 else []
        made.append((await keys.create(f"key {number}", permissions, project=project, active=number % 5 > 0)).key)
    now = datetime.now(UTC)
    async with changing(keys._database.engine) as connection:
        for number, key in enumerate(made):
            used = None if number % 3 == 1 else now - timedelta(days=(number * 7) % 40, seconds=number // 2)
            used = made_at if (made_at := now - LONG_AGO) and number == 23 else used
            await connection.execute(
                update(last_used).where(last_used.c.key_id == key.id).values(last_at=used or NEVER_USED)
            )
            if number % 2:
                await connection.execute(
                    update(keys_table).where(keys_table.c.id == key.id).values(created_at=now - LONG_AGO)
                )
        await connection.commit()
    return [await keys.get(key.id) for key in made]


def fits(key: APIKey, now: datetime, which: dict[str, Any]) -> bool:
    wanted = which.get("unused_for")
    before = None if wanted is None else now - timedelta(seconds=wanted)
    return (
        (which.get("project") in (None, key.project))
        and (which.get("active") in (None, key.active))
        and ("permission" not in which or which["permission"] in key.permissions)
        and (not which.get("never_used") or key.last_used_at is None)
        and (before is None or ((key.last_used_at or NEVER_USED) <= before and key.created_at <= before))
    )


async def pages(keys: APIKeys, **which: Any) -> list[str]:
    """The ids of all pages, forwards; and the way back finds the same."""
    found: list[Sequence[APIKey]] = []
    after = None
    while True:
        page = await keys.list(**which, after=after, limit=4)
        found.append(page.items)
        if page.next is None:
            break
        after = page.next
    if page.previous is not None:
        back = await keys.list(**which, before=page.previous, limit=4)
        assert back.items == found[-2]
    return [key.id for items in found for key in items]


async def test_lists_by_last_use_are_what_sorting_all_keys_gives(keys: APIKeys) -> None:
    made = await fill(keys)
    now = datetime.now(UTC)
    asked: list[dict[str, Any]] = [
        {},
        {"project": "acme"},
        {"active": True},
        {"active": False},
        {"project": "other", "active": True},
        {"permission": "FILE_UPLOAD"},
        {"unused_for": 10 * DAY},
        {"unused_for": 0},
        {"never_used": True},
        {"never_used": True, "unused_for": 30 * DAY},
        {"unused_for": 20 * DAY, "project": "other", "active": True, "permission": "FILE_UPLOAD"},
    ]
    for which in asked:
        right = [key for key in made if fits(key, now, which)]
        assert right, which
        assert (await keys.count(**which)).number == len(right), which
        for sort in ("last_used", "-last_used", "-created", "description"):
            found = await pages(keys, sort=sort, **which)
            assert sorted(found) == sorted(key.id for key in right), (sort, which)
            if sort.endswith("last_used"):
                order = sorted(right, key=lambda key: (key.last_used_at or NEVER_USED, key.id))
                assert found == [key.id for key in (order if sort == "last_used" else order[::-1])], (sort, which)


async def test_a_key_that_was_just_made_is_never_used_but_not_stale(sqlite_keys: APIKeys) -> None:
    issued = await sqlite_keys.create("a key")
    assert [key.id for key in (await sqlite_keys.list(never_used=True)).items] == [issued.key.id]
    assert (await sqlite_keys.list(unused_for=90 * DAY)).items == []


async def test_a_key_made_by_hand_is_in_lists_by_last_use(keys: APIKeys) -> None:
    issued = await keys.create("a key")
    async with changing(keys._database.engine) as connection:
        [row] = (await connection.execute(keys_table.select())).mappings()
        await connection.execute(insert(keys_table), dict(row) | {"id": "byhand000000"})
        await connection.execute(
            text("UPDATE gatepost_keys SET description = 'by hand' WHERE id = 'byhand000000'")
        )  # the triggers write an event of it
        secret = text("SELECT hint, created_at FROM gatepost_secrets")
        hint, created_at = (await connection.execute(secret)).one()
        await connection.execute(
            text("INSERT INTO gatepost_secrets (digest, key_id, hint, created_at) VALUES (:d, 'byhand000000', :h, :c)"),
            {"d": bytes(32), "h": hint, "c": created_at},
        )
        await connection.commit()
    found = [key.id for key in (await keys.list(sort="last_used")).items]
    assert sorted(found) == sorted([issued.key.id, "byhand000000"])


@pytest.mark.parametrize("wrong", [-1, "90", float("nan"), 1e12, True])
async def test_an_odd_time_is_one_clear_error(sqlite_keys: APIKeys, wrong: Any) -> None:
    with pytest.raises(BadInputError, match="unused_for must be a number of seconds, 0 to 3153600000, not"):
        await sqlite_keys.list(unused_for=wrong)


async def test_a_place_in_one_order_is_none_in_another(sqlite_keys: APIKeys) -> None:
    for number in range(3):
        await sqlite_keys.create(f"key {number}")
    page = await sqlite_keys.list(sort="last_used", limit=1)
    for sort in ("-last_used", "expires", "created"):
        with pytest.raises(BadInputError, match="is not the `next` of an earlier page"):
            await sqlite_keys.list(sort=sort, after=page.next)
