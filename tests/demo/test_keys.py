"""What the demo leaves in a database that is not its own: nothing that works for long, also when it is killed."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from gatepost import APIKey, APIKeys
from gatepost.database.connecting.engine import changing
from gatepost.demo.keys import ACTOR, LIFE, PROJECT, demo_keys, renew
from tests.demo.test_demo import running

MANY_HOURS = timedelta(hours=24)


@pytest.fixture
async def keys(sqlite_url: str) -> AsyncIterator[APIKeys]:
    """Of somebody who has keys of their own."""
    async with APIKeys(sqlite_url, poll_interval=0.1, max_staleness=5) as keys:
        await keys.create("demo: everything", ["FILE_UPLOAD"], project=PROJECT, actor="ann")
        yield keys


async def all_keys(keys: APIKeys) -> list[APIKey]:
    return list((await keys.list(limit=500)).items)


async def own_and_demos(keys: APIKeys) -> tuple[list[APIKey], list[APIKey]]:
    """Whose keys there are, by who made them."""
    own: list[APIKey] = []
    demos: list[APIKey] = []
    for key in await all_keys(keys):
        made = (await keys.events(key.id, kind="created")).items[0]
        (demos if made.actor == ACTOR else own).append(key)
    return own, demos


async def expire(keys: APIKeys, which: list[APIKey]) -> None:
    """Let it be later."""
    async with changing(keys._database.engine) as connection:
        for key in which:
            await connection.execute(
                text("UPDATE gatepost_keys SET expires_at = '2020-01-01 00:00:00.000000' WHERE id = :id"),
                {"id": key.id},
            )
        await connection.commit()


async def test_a_demo_that_is_killed_leaves_no_key_that_works_for_long_and_the_next_one_cleans_up(
    tmp_path: Path, sqlite_url: str
) -> None:
    async with APIKeys(sqlite_url) as keys:
        await keys.create("demo: everything", ["FILE_UPLOAD"], project=PROJECT, actor="ann")
        for folder in (tmp_path / "killed", tmp_path / "next"):
            folder.mkdir()
        with running(tmp_path / "killed", "--database", sqlite_url, killed=True):
            pass
        own, left = await own_and_demos(keys)
        assert len(own) == 1
        assert len(left) == 4
        for key in left:
            assert key.expires_at is not None
            assert key.expires_at - datetime.now(UTC) < MANY_HOURS
        await expire(keys, left)
        with running(tmp_path / "next", "--database", sqlite_url):
            own, now = await own_and_demos(keys)
            assert len(own) == 1
            assert not {key.id for key in now} & {key.id for key in left}
        assert len(await all_keys(keys)) == 1, "a demo that ends removes its keys"


async def test_keys_for_ever_of_an_earlier_demo_are_removed_and_those_of_one_that_runs_and_of_others_are_not(
    keys: APIKeys,
) -> None:
    (own,) = await all_keys(keys)
    for_ever = await keys.create("demo: everything", ["FILE_UPLOAD"], project=PROJECT, actor=ACTOR)
    async with changing(keys._database.engine) as connection:  # as a version before wrote it
        await connection.execute(text("UPDATE gatepost_events SET actor_kind = NULL, actor_id = NULL"))
        await connection.commit()
    async with demo_keys(keys) as running_demo:
        ids = {key.id for key in await all_keys(keys)}
        assert for_ever.key.id not in ids
        async with demo_keys(keys) as second:
            ids = {key.id for key in await all_keys(keys)}
            assert ids == {own.id, *(each.key.id for each in (*running_demo.values(), *second.values()))}
    assert [key.id for key in await all_keys(keys)] == [own.id]


async def test_the_keys_of_a_demo_that_runs_are_kept_alive_but_for_those_that_somebody_has_changed(
    keys: APIKeys,
) -> None:
    async with demo_keys(keys) as issued:
        at_first = [each.key for each in issued.values()]
        assert all(key.expires_at is not None and key.expires_at <= datetime.now(UTC) + LIFE for key in at_first)
        everything, reader, uploader, _ = at_first
        sooner = datetime.now(UTC) + timedelta(minutes=1)
        await keys.update(reader.id, expires_at=sooner)
        await keys.delete(uploader.id)
        until = datetime.now(UTC) + 2 * LIFE
        renewed = await renew(keys, at_first, until)
        assert [key.description for key in renewed] == ["demo: everything", "demo: deactivated"]
        assert (await keys.get(everything.id)).expires_at == until
        assert (await keys.get(reader.id)).expires_at == sooner
        assert [key.expires_at for key in await renew(keys, renewed, until + LIFE)] == [until + LIFE] * 2


async def test_keys_are_removed_where_making_the_next_one_failed(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = keys.create

    async def fail_at_the_third(description: str, *arguments: object, **options: object) -> object:
        if description == "demo: uploader":
            raise RuntimeError
        return await create(description, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(keys, "create", fail_at_the_third)
    with pytest.raises(RuntimeError):
        async with demo_keys(keys):
            pass
    assert len(await all_keys(keys)) == 1
