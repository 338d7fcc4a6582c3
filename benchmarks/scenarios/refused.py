"""Requests that are refused: how many a second, by what is wrong with the secret, against those that are let in.

What it costs to refuse is what an attacker can make a server spend. Over HTTP, as everybody would measure it: uvicorn
with 64 connections, where wrk is installed. And in process, one at a time, through the whole middleware until the
answer is sent, over a real Redis and PostgreSQL: only there does one see what a refusal costs by itself, more than a
memory hit, which needs no HMAC, and no response of ours.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from tests.servers.programs import ProgramMissingError

from benchmarks import stock
from benchmarks.asking import Asked, Secrets
from benchmarks.by_hand import GET, put_in_redis, redis_get
from benchmarks.cores import apart
from benchmarks.counting import RedisCommands, counted_statements
from benchmarks.in_process import answering
from benchmarks.measured import Table
from benchmarks.rivals import gatepost_app, redis_by_hand
from benchmarks.rounds import Plan, ratio, ratios, series, take_turns
from benchmarks.serving import wrk
from benchmarks.serving.lineup import Contestant, served
from benchmarks.tiers import stocked
from gatepost import APIKeyMiddleware

GOOD, OFF, DELETED = range(100), range(100, 200), range(200, 300)
"""Numbers of the keys that are active, deactivated, and gone."""

LASTING = {"max_staleness": 600.0, "poll_interval": 60.0, "absent_ttl": 600.0, "memory_ttl": 600.0}
"""Options of `APIKeys` under which nothing lapses meanwhile, so that any statement is a lookup's."""

VALID, INVENTED = "gatepost, valid, remembered", "gatepost, invented, right checksum"
BY_HAND_VALID, BY_HAND_UNKNOWN = f"valid, {GET}", f"invented, {GET}"

CONNECTIONS = 64
LIMIT = 0.8


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
    async with served([gatepost_app.STARLETTE, redis_by_hand.PURE], plan.tell) as (gatepost, by_hand):
        kinds: Mapping[str, tuple[Contestant, str]] = {
            VALID: (gatepost, "usable"),
            INVENTED: (gatepost, "invented"),
            BY_HAND_VALID: (by_hand, "usable"),
            BY_HAND_UNKNOWN: (by_hand, "invented"),
        }
        contestants = {
            name: partial(one.rate, kind, connections=CONNECTIONS, seconds=plan.pick(3, 1))
            for name, (one, kind) in kinds.items()
        }
        runs = await take_turns(contestants, plan.pick(7, 1), plan.tell)
    return Table(
        title=f"Secrets that are refused and those that are let in, over HTTP, {CONNECTIONS} connections",
        unit="requests/s",
        series=series(runs, {name: one.rival.note for name, (one, _) in kinds.items()}),
        ratios=(
            ratio(runs, INVENTED, VALID, limit=LIMIT, bound="at least"),
            ratio(runs, INVENTED, BY_HAND_UNKNOWN),
            ratio(runs, VALID, BY_HAND_VALID),
        ),
        note="uvicorn with uvloop and httptools, one process, around an app of Starlette's. Those let in also cost "
        "what the app does; what a refusal costs by itself is told below.",
    )


async def _in_process(plan: Plan) -> Table:
    count, rounds = plan.pick(5_000, 1_000), plan.pick(25, 3)
    async with stocked(GOOD, OFF, redis_timeout=1.0, **LASTING) as tiers:
        with apart([tiers.redis.pid, tiers.postgres.pid]), counted_statements() as counted:
            await put_in_redis(tiers.client, map(stock.digest, GOOD))
            gatepost, by_hand = APIKeyMiddleware(answering, tiers.keys), redis_get(answering, tiers.client)
            invented = [stock.invented(number) for number in range(count)]
            mistyped = [_mistyped(stock.secret(number)) for number in range(count)]
            few = count // 4
            kinds: Mapping[str, tuple[Secrets, int]] = {
                VALID: (_again(stock.secret, GOOD, count), 200),
                INVENTED: (invented, 401),
                "gatepost, malformed": ([f"gp_{number:x}" for number in range(count)], 401),
                "gatepost, wrong checksum": (mistyped, 401),
                "gatepost, no secret": ([None] * count, 401),
                "gatepost, of a deactivated key": (_again(stock.secret, OFF, count), 401),
                "gatepost, of a deleted key": (_again(stock.secret, DELETED, count), 401),
                BY_HAND_VALID: (_again(stock.secret, GOOD, few), 200),
                BY_HAND_UNKNOWN: (invented[:few], 401),
            }
            commands = RedisCommands(tiers.client)
            asked = {
                name: Asked(
                    app=by_hand if name in {BY_HAND_VALID, BY_HAND_UNKNOWN} else gatepost,
                    secrets=partial(iter, secrets),
                    in_flight=1,
                    status=status,
                    commands=commands,
                    counted=counted,
                )
                for name, (secrets, status) in kinds.items()
            }
            for each in asked.values():  # also has memory know those that it can
                await each.ask()
            await stock.settled(tiers.keys)
            for each in asked.values():
                each.gets.clear()
                each.statements.clear()
            runs = await take_turns({name: each.rate for name, each in asked.items()}, rounds, plan.tell)
    trips = {name: sum(each.gets) + sum(each.statements, Counter())["lookups"] for name, each in asked.items()}
    for name, found in trips.items():
        if found and asked[name].app is gatepost:
            raise RuntimeError(f"{name}: gatepost asked Redis or the database {found} times")
    return Table(
        title="Secrets that are refused and those that are let in, in process",
        unit="requests/s",
        series=series(runs, {name: each.note for name, each in asked.items()}),
        ratios=(*ratios(runs, INVENTED, [VALID, BY_HAND_UNKNOWN]), ratio(runs, VALID, BY_HAND_VALID)),
        figures={
            f"calls to Redis and PostgreSQL for {rounds * count:,} invented secrets": "0",
            f"the same for {GET}, {rounds * few:,} secrets": f"{trips[BY_HAND_UNKNOWN]:,}",
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
