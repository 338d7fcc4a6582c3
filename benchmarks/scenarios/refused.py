"""Requests that are refused: how many a second, by what is wrong with the secret, against those that are let in.

What it costs to refuse is what an attacker can make a server spend. Over HTTP, as everybody would measure it: uvicorn
with 64 connections, where wrk is installed. And in process, one at a time, through the whole middleware until the
answer is sent, over a real Redis and PostgreSQL: only there does one see what a refusal costs by itself, more than a
memory hit, which needs no HMAC, and no response of ours.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack

from redis.asyncio import Redis
from starlette.types import ASGIApp
from tests.servers.postgres import postgres_server
from tests.servers.programs import ProgramMissingError
from tests.servers.redis import redis_server

from benchmarks import stock
from benchmarks.asking import app, ask
from benchmarks.by_hand import RedisGet, put_in_redis
from benchmarks.cores import apart
from benchmarks.counting import RedisCommands, counted_statements
from benchmarks.measured import Series, Table
from benchmarks.rivals import gatepost_app, redis_by_hand
from benchmarks.rounds import Contestant as Turn
from benchmarks.rounds import Plan, ratio, take_turns
from benchmarks.serving import wrk
from benchmarks.serving.lineup import Contestant, served
from gatepost import APIKeyMiddleware, APIKeys

GOOD, OFF, DELETED = range(100), range(100, 200), range(200, 300)
"""Numbers of the keys that are active, deactivated, and gone."""

LASTING = {"max_staleness": 600.0, "poll_interval": 60.0, "absent_ttl": 600.0, "memory_ttl": 600.0}
"""Options of `APIKeys` under which nothing lapses meanwhile, so that any statement is a lookup's."""

VALID, INVENTED = "gatepost, valid, remembered", "gatepost, invented, right checksum"
BY_HAND_VALID, BY_HAND_UNKNOWN = f"valid, {RedisGet.name}", f"invented, {RedisGet.name}"

CONNECTIONS = 64
LIMIT = 0.8

Secrets = Sequence[str | None]


async def measure(plan: Plan) -> Sequence[Table]:
    """Requests per second for each kind of secret."""
    tables = [await _in_process(plan)]
    try:
        wrk.program()
    except ProgramMissingError:
        return tables
    return [await _over_http(plan), *tables]


async def _over_http(plan: Plan) -> Table:
    """Through uvicorn, with an app of Starlette's behind."""
    seconds, rounds = plan.pick(3, 1), plan.pick(7, 1)
    async with served([gatepost_app.STARLETTE, redis_by_hand.PURE], plan.tell) as (gatepost, by_hand):
        kinds: Mapping[str, tuple[Contestant, str]] = {
            VALID: (gatepost, "usable"),
            INVENTED: (gatepost, "invented"),
            BY_HAND_VALID: (by_hand, "usable"),
            BY_HAND_UNKNOWN: (by_hand, "invented"),
        }

        def turn(contestant: Contestant, kind: str) -> Turn:
            async def run() -> float:
                return (await contestant.load(kind, connections=CONNECTIONS, seconds=seconds)).rate

            return run

        runs = await take_turns({name: turn(*kind) for name, kind in kinds.items()}, rounds, plan.tell)
    return Table(
        title=f"Secrets that are refused and those that are let in, over HTTP, {CONNECTIONS} connections",
        unit="requests/s",
        better="more",
        series=tuple(Series(name=name, runs=tuple(runs[name]), note=kinds[name][0].rival.note) for name in kinds),
        ratios=(
            ratio(runs, INVENTED, VALID, limit=LIMIT, bound="at least"),
            ratio(runs, INVENTED, BY_HAND_UNKNOWN),
            ratio(runs, VALID, BY_HAND_VALID),
        ),
        note="uvicorn with uvloop and httptools, one process, around an app of Starlette's. Those let in also cost "
        "what the app does; what a refusal costs by itself is told below.",
    )


async def _in_process(plan: Plan) -> Table:
    count = plan.pick(5_000, 1_000)
    rounds = plan.pick(25, 3)
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(redis_server())
        postgres = stack.enter_context(postgres_server())
        stack.enter_context(apart([redis.pid, postgres.pid]))
        await APIKeys(postgres.url).create_schema()
        keys = APIKeys(postgres.url, redis.url, server_keys=[stock.SERVER_KEY], redis_timeout=1.0, **LASTING)  # type: ignore[arg-type]
        await stack.enter_async_context(keys)
        await stock.put_in(keys, GOOD)
        await stock.put_in(keys, OFF, active=False)
        client = await stack.enter_async_context(Redis.from_url(redis.url))
        await put_in_redis(client, GOOD)
        gatepost, by_hand = APIKeyMiddleware(app, keys), RedisGet(app, client)
        kinds: Mapping[str, tuple[ASGIApp, Secrets, int]] = {
            VALID: (gatepost, _again(stock.secret, GOOD, count), 200),
            INVENTED: (gatepost, [stock.invented(number) for number in range(count)], 401),
            "gatepost, malformed": (gatepost, [f"gp_{number:x}" for number in range(count)], 401),
            "gatepost, wrong checksum": (gatepost, [_mistyped(stock.secret(number)) for number in range(count)], 401),
            "gatepost, no secret": (gatepost, [None] * count, 401),
            "gatepost, of a deactivated key": (gatepost, _again(stock.secret, OFF, count), 401),
            "gatepost, of a deleted key": (gatepost, _again(stock.secret, DELETED, count), 401),
            BY_HAND_VALID: (by_hand, _again(stock.secret, GOOD, count // 4), 200),
            BY_HAND_UNKNOWN: (by_hand, [stock.invented(number) for number in range(count // 4)], 401),
        }
        commands = RedisCommands(client)
        with counted_statements() as statements:
            for protected, secrets, status in kinds.values():  # also has memory know those that it can
                (await ask(protected, secrets, 1)).only(status)
            await stock.settled(keys)
            trips: dict[str, Counter[str]] = {name: Counter() for name in kinds}
            contestants = {name: _contestant(kind, commands, statements, trips[name]) for name, kind in kinds.items()}
            runs = await take_turns(contestants, rounds, plan.tell)
    for name, counts in trips.items():
        if kinds[name][0] is gatepost and counts.total():
            raise RuntimeError(f"{name}: gatepost asked Redis or the database: {dict(counts)}")
    asked = rounds * (count // 4)
    return Table(
        title="Secrets that are refused and those that are let in, in process",
        unit="requests/s",
        better="more",
        series=tuple(
            Series(name=name, runs=tuple(runs[name]), note=getattr(kinds[name][0], "less", "")) for name in kinds
        ),
        ratios=(
            ratio(runs, INVENTED, VALID),
            ratio(runs, INVENTED, BY_HAND_UNKNOWN),
            ratio(runs, VALID, BY_HAND_VALID),
        ),
        figures={
            f"calls to Redis and PostgreSQL for {rounds * count:,} invented secrets": "0",
            f"the same for {RedisGet.name}, {asked:,} secrets": f"{trips[BY_HAND_UNKNOWN].total():,}",
        },
        note="In process, one at a time, through the middleware until the answer is sent. Every invented secret is "
        "another one; secrets of deactivated and deleted keys are remembered.",
    )


def _again(secret: Callable[[int], str], numbers: range, count: int) -> Secrets:
    """So many secrets, of these keys in turn."""
    texts = [secret(number) for number in numbers]
    return [texts[n % len(texts)] for n in range(count)]


def _mistyped(secret: str) -> str:
    return secret[:-1] + ("0" if secret[-1] != "0" else "1")


def _contestant(
    kind: tuple[ASGIApp, Secrets, int],
    commands: RedisCommands,
    statements: Counter[str],
    trips: Counter[str],
) -> Turn:
    protected, secrets, status = kind

    async def run() -> float:
        await commands.begin()
        before = statements["lookups"]
        answers = (await ask(protected, secrets, 1)).only(status)
        sent = await commands.count()
        trips.update(redis=sent["get"] + sent["mget"], database=statements["lookups"] - before)
        return answers.per_second

    return run
