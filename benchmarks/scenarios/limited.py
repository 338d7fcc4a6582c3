"""Limited requests: rates in Redis against the library `limits`, and what a quota adds to a memory hit.

Rates: whole requests in process, 64 in flight, of one key whose secret memory holds, around an app that sends a small
response. By hand: a pure ASGI middleware with a dict of digests that awaits one `hit` of `limits`' async moving window
a request. Quotas: one request after the other, no server and no event loop's turn between.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from hashlib import sha256

from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import Redis
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.servers.folder import server_folder
from tests.servers.redis import redis_server

from benchmarks import stock
from benchmarks.asking import Asked
from benchmarks.cores import apart
from benchmarks.counting import RedisCommands, counted_statements
from benchmarks.in_process import CALLS, Hits, answering, in_python, memory_hits, scope_of, time_requests
from benchmarks.measured import Table
from benchmarks.rounds import Plan, ratio, series, take_turns
from gatepost import APIKeyMiddleware, APIKeys, Quota, Rate
from limits import RateLimitItemPerSecond

IN_FLIGHT = 64
LIMITED, BY_HAND = "gatepost, a rate in Redis", "limits, a moving window in Redis"
RATE_LIMIT = 6
"""Times the requests a second."""

MUCH = 10**12
PLAIN, QUOTA = "gatepost, in Python", "gatepost, in Python, a quota"
COMPILED, QUOTA_COMPILED = "gatepost", "gatepost, a quota"
BARE = "bare app"
QUOTA_LIMIT = 1.15


async def measure(plan: Plan) -> Sequence[Table]:
    """Requests per second, and added time in µs."""
    return [await _rates(plan), await _quotas(plan)]


async def _rates(plan: Plan) -> Table:
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(redis_server())
        database = f"sqlite:///{stack.enter_context(server_folder('limited'))}/keys.db"
        stack.enter_context(apart([redis.pid]))
        keys = APIKeys(database, redis.url, server_keys=[stock.SERVER_KEY], redis_timeout=1.0, memory_ttl=600)
        await stack.enter_async_context(keys)
        commands = RedisCommands(await stack.enter_async_context(Redis.from_url(redis.url)))
        issued = await keys.create("limited", limits=[Rate(1_000_000, per=1)])
        await keys.verify(issued.secret)
        window = MovingWindowRateLimiter(RedisStorage(f"async+{redis.url}", implementation="redispy"))
        apps: dict[str, ASGIApp] = {
            LIMITED: APIKeyMiddleware(answering, keys),
            BY_HAND: _by_hand(answering, issued.secret, window),
        }
        sent = [issued.secret] * plan.pick(6_000, 640)
        asked = {
            name: Asked(app=app, secrets=lambda: sent, in_flight=IN_FLIGHT, commands=commands, status=200)
            for name, app in apps.items()
        }
        runs = await take_turns({name: each.rate for name, each in asked.items()}, plan.pick(15, 3), plan.tell)
        await commands.begin()
        await asked[LIMITED].rate()
        calls = (await commands.count())["evalsha"]
        return Table(
            title="Requests limited by a rate that Redis counts, 64 in flight",
            unit="requests/s",
            series=series(runs),
            ratios=(ratio(runs, LIMITED, BY_HAND, limit=RATE_LIMIT, bound="at least"),),
            figures={
                "gatepost's calls of its script for 1,000 requests": f"{1_000 * calls / len(sent):,.1f}",
                "the same, one a turn of the loop": f"{1_000 / IN_FLIGHT:,.1f}",
            },
            note="Gatepost also tells the fields of the draft in each answer; by hand there are none.",
        )


async def _quotas(plan: Plan) -> Table:
    async with AsyncExitStack() as stack:
        quota = [Quota(MUCH, per="month")]
        with in_python():
            hits = await stack.enter_async_context(memory_hits())
            limited = await stack.enter_async_context(memory_hits(limits=quota))
            apps: dict[str, tuple[ASGIApp, Hits]] = {
                PLAIN: (APIKeyMiddleware(answering, hits.keys), hits),
                QUOTA: (APIKeyMiddleware(answering, limited.keys), limited),
            }
        compiled = await stack.enter_async_context(memory_hits())
        limited_too = await stack.enter_async_context(memory_hits(limits=quota))
        apps |= {
            COMPILED: (APIKeyMiddleware(answering, compiled.keys), compiled),
            QUOTA_COMPILED: (APIKeyMiddleware(answering, limited_too.keys), limited_too),
            BARE: (answering, hits),
        }
        for app, each in apps.values():
            await app(scope_of(each.secret), _nothing, _swallow)  # leases
        contestants = {name: partial(_time, app, each) for name, (app, each) in apps.items()}
        with counted_statements() as statements:
            runs = await take_turns(contestants, plan.pick(150, 15), plan.tell)
        return Table(
            title="Added time of a memory hit with a quota",
            unit="µs",
            series=series(runs, beyond=BARE),
            ratios=(
                ratio(runs, QUOTA, PLAIN, beyond=BARE),
                ratio(runs, QUOTA_COMPILED, COMPILED, beyond=BARE, limit=QUOTA_LIMIT),
            ),
            figures={"statements for leases meanwhile": str(statements["leases"])},
            note="Compiled code asks Python for limits.",
        )


def _by_hand(app: ASGIApp, secret: str, window: MovingWindowRateLimiter) -> ASGIApp:
    """What one would write."""
    item, known = RateLimitItemPerSecond(1_000_000), {sha256(secret.encode()).digest(): "the key"}

    async def protected(scope: Scope, receive: Receive, send: Send) -> None:
        shown = dict(scope["headers"]).get(b"authorization", b"").removeprefix(b"Bearer ")
        key = known.get(sha256(shown).digest())
        if key is None or not await window.hit(item, key):
            await send({"type": "http.response.start", "status": 429, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await app(scope, receive, send)

    return protected


async def _time(app: ASGIApp, hits: Hits) -> float:
    """A turn: µs per request."""
    await hits.keys._opened().freshness.poll()  # the turns leave the loop no time for it
    secret = hits.secret
    return time_requests(app, [scope_of(secret) for _ in range(CALLS)])


async def _nothing() -> dict[str, str]:
    return {"type": "http.request"}


async def _swallow(_message: object) -> None:
    return None
