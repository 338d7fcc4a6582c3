"""What verbs promise when others change the same keys, when the database fails after a commit, and for odd input."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from gatepost import APIKeys, BadInputError, KeyNotFoundError, Outcome, UnavailableError
from gatepost.base.secret import digest


@pytest.fixture
async def pair(ready_sqlite_url: str) -> AsyncIterator[tuple[APIKeys, APIKeys]]:
    """Two workers over one file that hear of each other only when they change something themselves."""
    slow = {"poll_interval": 20.0, "max_staleness": 60.0}
    async with APIKeys(ready_sqlite_url, **slow) as here, APIKeys(ready_sqlite_url, **slow) as there:  # type: ignore[arg-type]
        yield here, there


async def test_deactivating_what_another_has_deactivated_already_refuses_it_here_too(
    pair: tuple[APIKeys, APIKeys],
) -> None:
    here, there = pair
    issued = await here.create("a key")
    assert (await here.verify(issued.secret)).valid
    await there.deactivate(issued.key.id, wait="commit")
    receipt = await here.deactivate(issued.key.id, wait="commit")
    assert list(receipt.unchanged) == [issued.key.id]
    assert (await here.verify(issued.secret)).outcome is Outcome.DEACTIVATED


async def test_deleting_what_another_has_deleted_already_refuses_it_here_too(pair: tuple[APIKeys, APIKeys]) -> None:
    here, there = pair
    issued = await here.create("a key")
    assert (await here.verify(issued.secret)).valid
    await there.delete(issued.key.id, wait="commit")
    with pytest.raises(KeyNotFoundError):
        await here.delete(issued.key.id, wait="commit")
    assert (await here.verify(issued.secret)).outcome is Outcome.INVALID


async def test_a_change_after_the_database_lost_some_is_applied_here_when_the_call_returns(
    pair: tuple[APIKeys, APIKeys],
) -> None:
    here, _ = pair
    issued = await here.create("a key")
    for n in range(2):
        await here.create(f"lost {n}")
    assert (await here.verify(issued.secret)).valid
    async with here._database.engine.begin() as connection:
        await connection.exec_driver_sql(
            "UPDATE gatepost_counter SET seq = 1, nonce = (SELECT nonce FROM gatepost_events WHERE seq = 1)"
        )
        await connection.exec_driver_sql("DELETE FROM gatepost_events WHERE seq > 1")
    assert (await here.deactivate(issued.key.id)).seq == 2
    assert (await here.verify(issued.secret)).outcome is Outcome.DEACTIVATED


async def test_a_key_that_expires_at_the_end_of_the_calendar_harms_no_other(pair: tuple[APIKeys, APIKeys]) -> None:
    here, there = pair
    issued = [await here.create(f"key {n}") for n in range(2)]
    for moment in (datetime.max.replace(tzinfo=UTC), datetime.max.replace(tzinfo=timezone(timedelta(hours=-9)))):
        with pytest.raises(BadInputError, match="9999"):
            await here.create("forever", expires_at=moment)
    async with here._database.engine.begin() as connection:  # by hand
        await connection.execute(
            text("UPDATE gatepost_keys SET expires_at = '9999-12-31 23:59:59.999999' WHERE id = :id"),
            {"id": issued[0].key.id},
        )
    verdicts = await asyncio.gather(*(there.verify(each.secret) for each in issued))
    assert all(verdict.valid for verdict in verdicts)


async def test_a_rotation_tells_its_secret_though_the_database_fails_right_after_the_commit(
    pair: tuple[APIKeys, APIKeys], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = pair
    issued = await here.create("a key")
    assert (await here.verify(issued.secret)).valid

    async def fail(*_: Any) -> None:
        raise UnavailableError("the database went away")

    monkeypatch.setattr(here._database, "read_position", fail)
    monkeypatch.setattr(here._database, "get_key", fail)
    rotated = await here.rotate(issued.key.id, grace=0)
    edited = await here.update(issued.key.id, description="edited")
    assert edited.description == "edited"
    assert here.hit(digest(issued.secret.encode())) is None, "believed although the change could not be applied"
    assert (await there.verify(rotated.secret)).valid


@pytest.fixture(params=["ready_postgres_url", "ready_mariadb_url"])
def server_url(request: pytest.FixtureRequest) -> str:
    """An empty database on each server."""
    url: str = request.getfixturevalue(request.param)
    return url


async def test_a_change_that_waits_for_another_too_long_is_a_clear_error_and_changes_nothing(server_url: str) -> None:
    keys = APIKeys(server_url, read_timeout=60.0)
    engine = create_async_engine(server_url)
    async with keys:
        issued = await keys.create("a key")
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE gatepost_counter SET seq = seq"))
            keys._database._timeout = 0.5
            with pytest.raises(UnavailableError, match="nothing was changed"):  # or it would wait for ever
                await keys.deactivate(issued.key.id)
            keys._database._timeout = 60.0
        assert (await keys.get(issued.key.id)).active
        await keys.deactivate(issued.key.id)
    await engine.dispose()


async def test_a_table_that_is_gone_is_no_answer_to_a_request(pair: tuple[APIKeys, APIKeys]) -> None:
    here, _ = pair
    issued = await here.create("a key")
    await here.serve()
    async with here._database.engine.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE gatepost_secrets RENAME TO gone")
    with pytest.raises(UnavailableError):
        await here.verify(issued.secret)


async def test_closing_while_the_first_poll_is_under_way_leaves_no_task_behind(ready_sqlite_url: str) -> None:
    keys = APIKeys(ready_sqlite_url)
    await keys.open()
    issued = await keys.create("a key")
    request = asyncio.create_task(keys.verify(issued.secret))
    await asyncio.sleep(0)
    await keys.close()
    await asyncio.gather(request, return_exceptions=True)
    await asyncio.sleep(0.05)
    left = [task for task in asyncio.all_tasks() if "keep_polling" in repr(task)]
    assert left == []


def test_keys_whose_event_loop_is_gone_close_without_an_error(ready_sqlite_url: str) -> None:
    keys = APIKeys(ready_sqlite_url)

    async def use() -> None:
        await keys.open()
        await keys.close()
        await keys.open()
        await keys._opened().close()

    asyncio.run(use())
    asyncio.run(keys.close())
    assert not keys.is_open


async def test_odd_arguments_get_one_clear_error_or_name_no_key(keys: APIKeys) -> None:
    issued = await keys.create("a key")
    for key_id in ("\ud800", "\x00", issued.key.id + " ", "", "é" * 12):
        for verb in (keys.get, keys.deactivate, keys.delete):
            with pytest.raises(KeyNotFoundError):
                await verb(key_id)
        with pytest.raises(KeyNotFoundError):
            await keys.rotate(key_id, grace=0)
    for after in ("99999999999999999999.x", "9" * 5000 + ".x", "1.", "1.\x00"):
        with pytest.raises(BadInputError, match="after"):
            await keys.list(after=after)
    for options in ({"search": "\x00"}, {"search": "\ud800"}, {"project": "\x00"}, {"limit": "5"}):
        with pytest.raises(BadInputError, match=next(iter(options))):
            await keys.list(**options)  # type: ignore[arg-type]
    for grace in (1e12, float("inf"), -1.0):
        with pytest.raises(BadInputError, match="grace"):
            await keys.rotate(issued.key.id, grace=grace)
    with pytest.raises(BadInputError, match="ids"):
        await keys.deactivate(None)  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match="secret"):
        await keys.verify(b"bytes")  # type: ignore[arg-type]
    assert (await keys.get(issued.key.id)).active


@pytest.mark.parametrize(
    ("database", "redis"),
    [
        ("sqlite+pysqlite:///x.db", None),
        ("postgresql://127.0.0.1:1/x?nonsense=1", None),
        ("mysql+aiomysql://127.0.0.1:1/x", None),
        ("sqlite://", "redis://127.0.0.1:1/0?nonsense=1"),
        ("sqlite://", "redis://:hush/hush@127.0.0.1"),
    ],
)
async def test_a_url_with_a_wrong_option_is_bad_input_and_tells_no_password(database: str, redis: str | None) -> None:
    with pytest.raises(BadInputError) as raised:
        await APIKeys(database, redis).open()
    assert "hush" not in str(raised.value)


async def test_a_secret_given_for_an_id_is_not_repeated(pair: tuple[APIKeys, APIKeys]) -> None:
    here, _ = pair
    issued = await here.create("a key")
    with pytest.raises(KeyNotFoundError) as raised:
        await here.get(issued.secret)
    assert issued.secret[12:] not in str(raised.value)
    assert "a secret has it" in str(raised.value)


async def test_an_sqlite_url_with_two_slashes_says_that_three_are_needed() -> None:
    with pytest.raises(BadInputError, match=r"sqlite:///keys\.db"):
        await APIKeys("sqlite://keys.db").open()
