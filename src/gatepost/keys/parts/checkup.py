"""Looks at everything once, for `APIKeys.status`. Whatever is down is reported, not raised.

revision, triggers (3 round trips) ──fits?──> counter ──> workers ──> SQLite: file, PostgreSQL: pooler
                                                                      meanwhile: one exchange with Redis
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from gatepost.base import ReplicaError, TargetStatus, UnavailableError, Worker
from gatepost.compiled import is_built
from gatepost.database import NEVER_ACKED, Database, WorkerRow, list_roles
from gatepost.database.schema import REVISIONS
from gatepost.freshness import Freshness
from gatepost.health import DatabaseStatus, GrownRole, RedisStatus, ServingStatus, Status, WorkerStatus
from gatepost.keys.parts.parts import Parts
from gatepost.lookup import Lookup
from gatepost.rules import Catalogue

ROLES_MAX = 1_000
"""Most roles that are looked at."""

if TYPE_CHECKING:
    from gatepost.redis import RedisTier  # redis-py is loaded only where there is a Redis


async def status(parts: Parts) -> Status:
    """What this process believes, and how all that it needs does: for people, programs and `gatepost doctor`.

    Works whether the keys are open or not; a system that is down is reported, not raised. Up to ten round trips to
    the database, through a pooler up to forty more, each at most `read_timeout`, and one to Redis meanwhile. Raises
    `BadInputError`, `MissingExtraError` for a URL that cannot be used.
    """
    if parts.is_open:
        opened = parts.opened()
        return await look(parts, opened.database, opened.redis, opened.freshness, opened.lookup)
    redis = parts.new_redis()
    try:
        return await parts.with_database(lambda database: look(parts, database, redis, None, None))
    finally:
        if redis is not None:
            await redis.close()


async def look(
    parts: Parts,
    database: Database,
    redis: "RedisTier | None",
    freshness: Freshness | None,
    lookup: Lookup | None,
) -> Status:
    """The status. `freshness` and `lookup`: `None` where the keys are closed here. As many round trips as `status`.
    Raises `BadInputError` for an option of a URL that cannot be used, and nothing else."""
    own = None if freshness is None else freshness.worker
    (state, workers), redis_state = await asyncio.gather(
        _look_at_database(database, own, shares=redis is not None, app_has_limits=parts.app_has_limits),
        _look_at_redis(redis),
    )
    may_look = state.fits and state.error is None
    return Status(
        targets=await _look_at_targets(database) if may_look else (),
        roles=await _look_at_roles(database, parts.settings.catalogue) if may_look else (),
        version=version("gatepost"),
        compiled=is_built(),
        is_open=freshness is not None,
        database=state,
        redis=redis_state,
        serving=_serving(freshness, state, database.doorbell.fault if redis is None else None),
        workers=workers,
        memory=None if lookup is None else lookup.sizes(),
        lookups=None if lookup is None else replace(lookup.counts),
    )


async def _look_at_database(
    database: Database, own: Worker | None, *, shares: bool, app_has_limits: bool
) -> tuple[DatabaseStatus, Sequence[WorkerStatus] | None]:
    found = DatabaseStatus(needed=REVISIONS[-1])
    try:
        schema = await database.schema_status()
        found = replace(found, reachable=True, revision=schema.current)
        if not schema.fits:
            return found, None
        begun = time.perf_counter()
        position = await database.read_position()
        found = replace(
            found,
            seconds=time.perf_counter() - begun,
            seq=position.seq,
            clock_ahead=position.now - time.time(),
        )
        rows = await database.workers.read_all()
        file = await database.file()
        if file is not None and file.is_open_to_others:
            found = replace(found, open_to_others=str(file.path))
        found = replace(found, pooler=(await database.pooling()).value)
        if not shares and len(rows) > 1:
            with suppress(UnavailableError):  # it may look at every key: a note is worth that, but no error
                found = replace(found, splits_limits=app_has_limits or await database.has_limits())
    except ReplicaError as refusal:
        return replace(found, error=_line(refusal), is_replica=True), None
    except UnavailableError as failure:
        return replace(found, error=_line(failure)), None
    workers = [_worker(row, position.seq, position.now, own) for row in rows]
    return replace(found, triggers=schema.triggers), sorted(workers, key=lambda worker: (worker.silent, worker.name))


async def _look_at_targets(database: Database) -> Sequence[TargetStatus]:
    """How what is told to the outside does; nothing where this process's user may not know."""
    try:
        return await database.deliveries.read_states()
    except UnavailableError:
        return ()


async def _look_at_roles(database: Database, catalogue: type[Catalogue]) -> Sequence[GrownRole]:
    """Those that were written with a shorthand which stands for more by now."""
    try:
        roles = await database.ask("Listing roles", partial(list_roles, projects=None, most=ROLES_MAX, patterned=True))
    except UnavailableError:
        return ()
    return [
        GrownRole(name=role.name, project=role.project, patterns=role.patterns, missing=missing)
        for role in roles
        if (missing := sorted(catalogue.begun(role.patterns) - role.permissions))
    ]


async def _look_at_redis(redis: "RedisTier | None") -> RedisStatus:
    if redis is None:
        return RedisStatus(state="none")
    if redis.fault is not None:
        return RedisStatus(state="skipped", reason=redis.fault)
    begun = time.perf_counter()
    fault = await redis.check()
    if fault is not None:
        return RedisStatus(state="unreachable", reason=fault)
    seconds = time.perf_counter() - begun
    doorbell = await redis.check_doorbell()
    return RedisStatus(state="reachable", seconds=seconds, doorbell=doorbell, limits=redis.limits_refusal)


def _serving(freshness: Freshness | None, database: DatabaseStatus, deaf: str | None) -> ServingStatus | None:
    if freshness is None or not freshness.started:
        return None
    return ServingStatus(
        worker=freshness.worker,
        applied_seq=freshness.applied,
        lag=None if database.seq is None else max(0, database.seq - freshness.applied),
        polled_ago=freshness.polled_ago(),
        lease_seconds=freshness.lease_seconds(),
        deaf=deaf,
    )


def _worker(row: WorkerRow, seq: int, now: float, own: Worker | None) -> WorkerStatus:
    acked = None if row.acked_seq == NEVER_ACKED else row.acked_seq
    return WorkerStatus(
        id=row.worker.id,
        name=row.worker.name,
        acked_seq=acked,
        behind=None if acked is None else max(0, seq - acked),
        seen_at=row.seen_at,
        silent=max(0.0, now - row.seen_at.timestamp()),
        max_staleness=row.max_staleness,
        is_this=row.worker == own,
    )


def _line(failure: Exception) -> str:
    return " ".join(str(failure).split()).rstrip(".")
