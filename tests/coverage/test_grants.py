"""What keys have and use, joined with what routes ask: on a database, with requests that were counted."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from gatepost import Admin, APIKeyMiddleware, APIKeys, Catalogue, UnavailableError, requires
from gatepost.coverage import coverage_of, grants_of
from gatepost.database.connecting.engine import changing
from gatepost.database.schema import keys as key_table
from tests.frameworks.connection import bearer, client_of


class Managed(Catalogue):
    BUY = "buy things"
    OLD = "something that was"
    ACCESS_READ = "view API keys"
    ACCESS_MANAGE = "manage API keys"


class Shop(Catalogue):
    BUY = "buy things"
    SELL = "sell things"
    LOOK = "look at things"
    LEND = "lend things"
    OLD = "something that was"


@requires("BUY")
async def buy(request: Request) -> Response:
    return PlainTextResponse("")


@requires(any_of=["SELL", "LOOK"])
async def show(request: Request) -> Response:
    return PlainTextResponse("")


@requires("LEND")
async def lend(request: Request) -> Response:
    return PlainTextResponse("")


async def made_long_ago(keys: APIKeys, days: float = 400) -> None:
    """As if all keys and templates had been made so many days ago."""
    moment = datetime.now(UTC) - timedelta(days=days)
    async with changing(keys._database.engine) as connection:
        await connection.execute(update(key_table).values(created_at=moment, updated_at=moment))
        await connection.commit()


async def test_what_is_granted_and_not_asked_not_held_or_not_used_is_told(ready_sqlite_url: str) -> None:
    routes = [Route("/buy/{id}", buy), Mount("/in", routes=[Route("/show/{id}", show)]), Route("/lend", lend)]
    async with APIKeys(ready_sqlite_url, catalogue=Shop) as keys:
        app = APIKeyMiddleware(Starlette(routes=routes), keys)
        await keys.roles.create("seller", ["SELL"])
        busy = await keys.create("busy", ["BUY", "LOOK", "OLD"], roles=["seller"])
        idle = await keys.create("idle", ["BUY"])
        off = await keys.create("off", ["LEND"])
        await keys.deactivate(off.key.id)
        async with client_of(app) as client:
            for path in ("/buy/7", "/in/show/8"):
                assert (await client.get(path, headers=bearer(busy.secret))).status_code == 200
            assert (await client.get("/in/show/8", headers=bearer(idle.secret))).status_code == 403
        await keys.flush_usage()
        await made_long_ago(keys)
        asked = coverage_of(app).asked
        grants = await grants_of(keys, asked, 30)
    assert (grants.keys, grants.holders["BUY"]) == (2, [busy.key.id, idle.key.id])
    assert grants.users == {name: [busy.key.id] for name in ("BUY", "LOOK", "SELL")}
    assert grants.as_dict() == {"active": 2, "days": 30, "unused": {idle.key.id: ["BUY"], busy.key.id: ["OLD"]}}
    assert [(gap.code, gap.subject) for gap in grants.gaps(asked)] == [("unheld", "LEND"), ("granted_unasked", "OLD")]


async def test_what_is_granted_and_used_by_nobody_is_a_warning(ready_sqlite_url: str) -> None:
    async with APIKeys(ready_sqlite_url, catalogue=Shop) as keys:
        await keys.create("idle", ["BUY"])
        await made_long_ago(keys)
        asked = coverage_of(APIKeyMiddleware(Starlette(routes=[Route("/buy", buy)]), keys)).asked
        (gap,) = (await grants_of(keys, asked, 30)).gaps(asked)
    assert (gap.code, gap.severity) == ("unused", "warning")
    assert gap.sentence == "1 active key has BUY, and none has used it in 30 days"


async def test_keys_that_are_younger_than_the_period_are_not_said_to_use_nothing(ready_sqlite_url: str) -> None:
    async with APIKeys(ready_sqlite_url, catalogue=Shop) as keys:
        first = await keys.create("the first", ["BUY"])
        await made_long_ago(keys, days=31)
        await keys.create("another one", ["BUY", "LEND"])
        asked = coverage_of(APIKeyMiddleware(Starlette(routes=[Route("/b", buy), Route("/l", lend)]), keys)).asked
        short, long = await grants_of(keys, asked, 30), await grants_of(keys, asked, 32)
    (gap,) = short.gaps(asked)
    assert (gap.code, gap.sentence) == ("unused", "1 active key has BUY, and none has used it in 30 days")
    assert short.as_dict()["unused"] == {first.key.id: ["BUY"]}
    assert (list(long.gaps(asked)), long.as_dict()["unused"]) == ([], {})
    assert long.line_json("BUY") == {"holders": 2, "used_by": 0}, "what is so is told all the same"


@pytest.mark.parametrize("mounted", [True, False])
async def test_nobody_is_told_to_take_from_keys_what_they_manage_keys_with(
    ready_sqlite_url: str, mounted: bool
) -> None:
    async with APIKeys(ready_sqlite_url, catalogue=Managed) as keys:
        await keys.create("admin", ["BUY", "OLD", "ACCESS_READ", "ACCESS_MANAGE"])
        looking = await keys.create("looks", ["BUY", "OLD", "ACCESS_READ"])
        await made_long_ago(keys)
        mounts = [Mount("/keys", Admin(keys))] if mounted else []
        looked = coverage_of(APIKeyMiddleware(Starlette(routes=[Route("/buy", buy), *mounts]), keys))
        grants = await grants_of(keys, looked.asked, 30)
    told = [(gap.code, gap.subject, gap.sentence[:12]) for gap in grants.gaps(looked.asked)]
    assert told == [("unused", "BUY", "1 active key"), ("granted_unasked", "OLD", "1 active key")], (
        "the admin hands it out"
    )
    assert grants.as_dict()["unused"] == {looking.key.id: ["BUY", "OLD"]}
    assert [gap.subject for gap in looked.gaps if gap.code == "unasked"] == ["OLD"]


async def test_keys_that_cannot_be_asked_are_an_error_of_their_database(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError):
        async with APIKeys("postgresql://nobody@127.0.0.1:9/none", catalogue=Shop) as keys:
            await grants_of(keys, {}, 30)


async def test_templates_count_as_holders_and_where_usage_is_not_counted_nobody_is_said_not_to_use_it(
    ready_sqlite_url: str,
) -> None:
    async with APIKeys(ready_sqlite_url, catalogue=Shop, usage=False) as keys:
        template = await keys.templates.create("visitors", ["BUY"], lifetime=600)
        await made_long_ago(keys)
        asked = coverage_of(APIKeyMiddleware(Starlette(routes=[Route("/buy", buy)]), keys)).asked
        counted = await grants_of(keys, asked, 30)
        uncounted = await grants_of(keys, asked, 30, counted=False)
    assert counted.holders == {"BUY": [template.id]}
    assert [gap.code for gap in counted.gaps(asked)] == ["unused"]
    assert list(uncounted.gaps(asked)) == []
    assert uncounted.as_dict()["unused"] is None
    assert uncounted.line_json("BUY") == {"holders": 1, "used_by": None}
