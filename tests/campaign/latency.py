"""How long `deactivate()` takes from call to return, with workers that serve meanwhile: one key, and very many."""

import asyncio
import os
import random
import statistics
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import psutil  # type: ignore[import-untyped]
from benchmarks.cores import CORES

from gatepost import APIKeys, ImportedKey
from tests.campaign.campaign import quantiles
from tests.campaign.crew import Crew, Plan
from tests.campaign.site import Site, running
from tests.campaign.truth import Request
from tests.servers import child

PERMISSIONS = ["FILE_UPLOAD", "OBJECTS_LIST"]
ROLE = "uploader"
GOOD_KEYS = 20
QUIET_PAUSE = 0.8
"""Seconds between two requests of one connection where single calls are timed: some ten requests a second to each
worker, so that all hold leases and what is timed is gatepost."""

BUSY_PAUSE = 0.08
"""The same where what is timed are the requests."""

CHUNK = 500
"""Keys that are made, or remembered by the workers, at a time."""

GAP_SECONDS = (0.02, 0.15)
"""Between two calls, where they do not follow at once."""

BULK_MEASURED_SECONDS = 4.0
"""How long the good keys are watched before each round."""

PLAN = Plan(proxied=False, bare=False, clocks=False, settings={"foreign_secrets": True})
"""Default settings, nothing between workers and servers. Keys are imported: very many are made at once then."""


async def single(calls: int, source: Path | None = None) -> Mapping[str, Any]:
    """`calls` deactivations of one key each, with pauses between them; then as many, each right after the last."""
    async with running(replace(PLAN, source=source)) as site:
        await serve_good_keys(site)
        spaced = _told(await deactivations(site, calls))
        return {"spaced": spaced, "one after another": _told(await deactivations(site, calls, (0.0, 0.0)))}


async def deactivations(site: Crew, calls: int, gaps: tuple[float, float] = GAP_SECONDS) -> Sequence[Mapping[str, Any]]:
    """What each of so many calls of one key answered; `gaps`: seconds before each, from and to. Every worker remembers
    the key before."""
    taken = []
    for key_id in (await make_keys(site, calls)).values():
        await asyncio.sleep(random.uniform(*gaps))
        taken.append(await site.call(site.admin, "deactivate", key_id))
    return taken


async def bulk(keys: int, rounds: int, source: Path | None = None) -> Mapping[str, Any]:
    """`keys` deactivated in one call, and the requests of other keys before, and from the call to its return: with the
    database, Redis and the caller on the same cores as the workers, and on a core apart, as if on another machine. And
    what any other programs that keep the cores busy do to the same requests."""
    async with running(replace(PLAN, source=source)) as site:
        await serve_good_keys(site, BUSY_PAUSE)
        answers = {
            "same cores": await bulk_rounds(site, keys, rounds),
            **{f"only {n} other busy programs": await _disturbed(site, n) for n in (1, 2)},
        }
        if len(CORES) > 1:
            _set_apart(site)
            answers["a core apart"] = await bulk_rounds(site, keys, rounds)
        return {"keys": keys, **answers}


async def bulk_rounds(site: Site, keys: int, rounds: int) -> Mapping[str, Any]:
    """`keys` deactivated in one call, so many times, and the requests of other keys before and meanwhile."""
    answers = []
    for _ in range(rounds):
        ids = list((await make_keys(site, keys)).values())
        await asyncio.sleep(1.0)
        answers.append(await _seen_meanwhile(site, "deactivate", ids))
    return _told_of_rounds(answers)


async def role_rounds(site: Site, keys: int, rounds: int) -> Mapping[str, Any]:
    """A permission taken away from `keys` by an edit of their role, so many times, likewise."""
    await site.call(site.admin, "roles.create", ROLE, PERMISSIONS)
    await make_keys(site, keys, [ROLE])
    answers = []
    for _ in range(rounds):
        await site.call(site.admin, "roles.update", ROLE, permissions=PERMISSIONS, wait="commit")
        await asyncio.sleep(1.0)
        await _watched(site)
        answers.append(await _seen_meanwhile(site, "roles.update", ROLE, permissions=PERMISSIONS[1:]))
    return _told_of_rounds(answers)


async def _seen_meanwhile(site: Site, verb: str, *args: Any, **kwargs: Any) -> Mapping[str, Any]:
    """How long a call took, and the requests of other keys before and meanwhile."""
    done = await site.call(site.admin, verb, *args, **kwargs)
    await asyncio.sleep(1.0)
    before = [request for request in site.requests if request.ended < done["began"]]
    during = [r for r in site.requests if r.ended >= done["began"] and r.began <= done["ended"]]
    return {
        "seconds": round((done["ended"] - done["began"]) / 1e9, 3),
        "from_commit_seconds": round(done["seconds"], 3),
        "acknowledged": done["acknowledged"],
        "expired": done["expired"],
        "good_before_ms": _times(before),
        "good_during_ms": _times(during),
        "good_refused": sum(request.status != 200 for request in site.requests),
    }


def _told_of_rounds(answers: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    p99 = [answer["good_during_ms"]["p99"] / answer["good_before_ms"]["p99"] for answer in answers]
    return {
        "seconds_median": statistics.median(answer["seconds"] for answer in answers),
        "seconds_worst": max(answer["seconds"] for answer in answers),
        "good_p99_ratio_median": round(statistics.median(p99), 2),
        "rounds": answers,
    }


async def _disturbed(site: Site, programs: int) -> Mapping[str, Any]:
    """The good keys' requests with nothing going on, and beside so many endless loops."""
    before = await _watched(site)
    async with AsyncExitStack() as stack:
        for _ in range(programs):
            await stack.enter_async_context(child.running(sys.executable, "-c", "while True: pass"))
        await asyncio.sleep(0.5)
        during = await _watched(site)
    ratio = round(during["p99"] / before["p99"], 2)
    return {"good_before_ms": before, "good_during_ms": during, "good_p99_ratio": ratio}


async def _watched(site: Site) -> Mapping[str, float]:
    """The requests from now on, for a while."""
    site.requests.clear()
    await asyncio.sleep(BULK_MEASURED_SECONDS)
    return _times(site.requests)


def _set_apart(site: Site) -> None:
    """Keep the last core for all that would be on other machines: the database, Redis, who changes keys, and we."""
    *others, last = CORES
    apart = [*site.postgres.pids(), site.redis.pid, site.admin.process.pid, os.getpid()]
    for pid in [*apart, *(worker.process.pid for worker in site.workers), *(load.pid for load in site.loads)]:
        psutil.Process(pid).cpu_affinity([last] if pid in apart else others)


async def serve_good_keys(site: Crew, pause: float = QUIET_PAUSE) -> None:
    """Keys that nobody changes, used all the time. `pause`: seconds between two requests of one connection."""
    await site.tell_load(pause=pause)
    for number, secret in enumerate(await make_keys(site, GOOD_KEYS)):
        await site.tell_load(secret=number, text=secret, weight=1)
    await asyncio.sleep(1.0)
    if await site.recovered() is None:
        raise RuntimeError("the workers did not begin to serve")


async def make_keys(site: Crew, keys: int, roles: Sequence[str] = ()) -> Mapping[str, str]:
    """So many new keys, all in one transaction: their secrets and ids; with `roles`, and nothing of their own. The
    workers know all secrets then."""
    secrets = [token_urlsafe(32) for _ in range(keys)]
    imported = [
        ImportedKey(
            digest=sha256(secret.encode()).digest(),
            description="campaign",
            permissions=() if roles else PERMISSIONS,
            roles=roles,
        )
        for secret in secrets
    ]
    async with APIKeys(site.addresses(None)["database"], foreign_secrets=True) as admin:
        made = await admin.import_digests(imported)
    for first in range(0, keys, CHUNK):
        if await site.prime(some := secrets[first : first + CHUNK]) < len(some):
            raise RuntimeError("a worker does not know a new key")
    return {secret: key.id for secret, key in zip(secrets, made, strict=True)}


def _told(taken: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Times in milliseconds."""
    whole = [(done["ended"] - done["began"]) / 1e9 for done in taken]
    return {
        "calls": len(taken),
        "call_to_return_ms": quantiles(whole),
        "call_to_commit_ms": quantiles([all_ - done["seconds"] for all_, done in zip(whole, taken, strict=True)]),
        "commit_to_return_ms": quantiles([done["seconds"] for done in taken]),
        "acknowledged": sum(done["acknowledged"] for done in taken),
        "expired": sum(done["expired"] for done in taken),
    }


def _times(requests: Sequence[Request]) -> Mapping[str, float]:
    answer = quantiles([(request.ended - request.began) / 1e9 for request in requests])
    return {"requests": len(requests), **(answer or {})}
