"""What one process believes, as people and programs read it. Pure: `checkup` fills it in.

Nothing in it is secret: no secret, no digest, no password. Hosts' names are in it (workers, errors): it is for
operators.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from gatepost.base import Outcome, TargetStatus, Worker
from gatepost.health.finding import Finding, Severity, span
from gatepost.health.roles import GrownRole, grown_finding
from gatepost.health.targets import target_findings

UNSEEN_FACTOR = 2.0
"""How often its `max_staleness` a worker may be silent: it shows a sign of life after half of one, and its row may be
removed by another after two."""

LATE_SECONDS = 5.0
"""Seconds that a worker may go without applying a change before it is told of: most take milliseconds, and one poll
without Redis."""

RIGHTS = "docs/connecting.md tells the least that its user needs (Rights)"

CLOCK_SECONDS = 5.0
"""Seconds that this machine's clock and the database's may be apart before it is told of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseStatus:
    """The database as it answered just now; what could not be read is `None`.

    `seconds`: how long one read by key took, connecting not included. `error`: one line. `revision`: of the tables;
    `needed`: what this code needs. `seq`: number of the last change. `clock_ahead`: seconds that its clock is ahead of
    this machine's. `triggers`: whether it notices changes made by hand in SQL.
    `is_replica`: it follows another, so it decides nothing.
    `open_to_others`: the path of an SQLite file that other users of its machine may read or write.
    `pooler`: whether a connection pooler (pgbouncer, …) stands before a PostgreSQL, and in which mode: `transaction` is
    certain; `session` = there is one, and it was not seen to change connections. `splits_limits`: keys have limits,
    there are several workers, and no Redis.
    """

    reachable: bool = False
    error: str | None = None
    seconds: float | None = None
    revision: str | None = None
    needed: str
    seq: int | None = None
    clock_ahead: float | None = None
    triggers: bool | None = None
    is_replica: bool = False
    open_to_others: str | None = None
    pooler: Literal["none", "session", "transaction"] | None = None
    splits_limits: bool = False

    @property
    def fits(self) -> bool:
        """Whether the tables are those that this code needs."""
        return self.revision == self.needed


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisStatus:
    """`state`: `none` = not used; `reachable`: it answered just now, after `seconds`; `unreachable`: it did not;
    `skipped`: it failed before, so this process does without it, and asks in the background whether it is back.
    `reason`: one line, why it is not used. `doorbell`: one line, why it refuses to pass on that keys have changed;
    `None` where it does not. `limits`: likewise, why it refused to count for limits the last time."""

    state: Literal["none", "reachable", "unreachable", "skipped"]
    seconds: float | None = None
    reason: str | None = None
    doorbell: str | None = None
    limits: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """A worker as its row tells. `acked_seq`: it has applied every change up to here; `None` = it has only just joined.
    `behind`: how many changes it lacks. `seen_at`: aware, UTC, its last sign of life; `silent`: seconds since then, by
    the database's clock. `max_staleness`: seconds that a change waits for it at most."""

    id: str
    name: str
    acked_seq: int | None
    behind: int | None
    seen_at: datetime
    silent: float
    max_staleness: float
    is_this: bool

    @property
    def state(self) -> Literal["up to date", "joining", "behind", "silent"]:
        """One word for people: a worker that is `silent` has most likely gone without a word."""
        if self.silent > self.max_staleness * UNSEEN_FACTOR:
            return "silent"
        if self.behind is None:
            return "joining"
        return "behind" if self.behind else "up to date"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryStatus:
    """What this process remembers: `keys` of at most `keys_max`, `absent` digests of no key of at most `absent_max`,
    and `floors`, the digests that changed lately, of at most `floors_max`."""

    keys: int
    keys_max: int
    absent: int
    absent_max: int
    floors: int
    floors_max: int


@dataclass(slots=True, kw_only=True)
class LookupCounts:
    """Lookups since the keys were opened that had to leave the fastest path, and what answered them.

    What the middleware lets in straight from memory is *not* counted: counting it would cost every request. So there is
    no hit rate of memory here: its hits are what is left of the requests that your server counts, less `lookups` and
    those that were refused without one.

    `lookups`: all of these. `from_memory`: a refusal that was remembered, or anything that `verify` found there.
    `from_redis`: a value in Redis that counted. `from_database`: a read of the database, own or shared. `unanswered`:
    the database did not answer. `opened`: how often what answered was a key that let its secret in, which somebody had
    shown. `gets`: exchanges with Redis, for `gets_digests` digests, of which `gets_found` were held. `reads`:
    statements to the database, for `reads_digests` digests, of which `reads_found` are of a key.
    """

    lookups: int = 0
    from_memory: int = 0
    from_redis: int = 0
    from_database: int = 0
    unanswered: int = 0
    opened: int = 0
    gets: int = 0
    gets_digests: int = 0
    gets_found: int = 0
    reads: int = 0
    reads_digests: int = 0
    reads_found: int = 0

    @property
    def redis_hit_rate(self) -> float | None:
        """Which part of the digests asked of Redis it held, 0 to 1; `None` before it was asked."""
        return self.gets_found / self.gets_digests if self.gets_digests else None

    @property
    def coalesced(self) -> int:
        """Lookups that the database answered without a digest in a statement of their own: they shared another's."""
        return max(0, self.from_database - self.reads_digests)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingStatus:
    """This process's view of the change log; only where it judges secrets.

    `worker`: its row among the workers, `None` while it has none. `applied_seq`: last change applied; `lag`: how many
    there are in the database that are not, `None` where unknown. `polled_ago`: seconds since the last successful poll.
    `lease_seconds`: how long what is remembered may still be believed; 0 = not at all. `deaf`: why it hears of changes
    only at its next poll although the database could ring, in a line; `None` = it hears them, or nothing rings there.
    """

    worker: Worker | None
    applied_seq: int
    lag: int | None
    polled_ago: float
    lease_seconds: float
    deaf: str | None = None

    @property
    def lease_holds(self) -> bool:
        """Whether anything remembered may be believed now."""
        return self.lease_seconds > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What this process believes (`APIKeys.status`).

    `version`: gatepost's. `compiled`: memory hits run compiled, not in Python. `is_open`: the keys are open here.
    `serving`: `None` in a process that judges no secrets, such as a shell. `workers`: every row of their table, this
    process's included; `None` where it could not be read. `memory`, `lookups`: `None` where the keys are closed.
    `targets`: those of `Webhooks`. `roles`: whose
    shorthands stand for more by now. `findings`: the worst first.
    """

    version: str
    compiled: bool = False
    is_open: bool
    database: DatabaseStatus
    redis: RedisStatus
    serving: ServingStatus | None = None
    workers: Sequence[WorkerStatus] | None = None
    memory: MemoryStatus | None = None
    lookups: LookupCounts | None = None
    targets: Sequence[TargetStatus] = ()
    roles: Sequence[GrownRole] = ()
    findings: Sequence[Finding] = field(init=False)

    def __post_init__(self) -> None:
        """Judge what was found."""
        order: Sequence[Severity] = ("error", "warning", "note")
        found = sorted(_findings(self), key=lambda finding: order.index(finding.severity))
        object.__setattr__(self, "findings", tuple(found))

    @property
    def ready(self) -> bool:
        """Whether requests can be decided now: while a lease holds by what is remembered, else by the database."""
        holds = self.serving is not None and self.serving.lease_holds
        return holds or (self.database.reachable and self.database.fits and self.database.seq is not None)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON: the fields by their names, `ready`, and the state of each worker. Times are aware."""
        plain = asdict(self)
        if self.workers is not None:
            for worker, values in zip(self.workers, plain["workers"], strict=True):
                values["state"] = worker.state
        return {"ready": self.ready, **plain}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request with the secret of one digest would get, had it begun now. `as_of`: the seq that the database
    stood at when that was read from it; `None` where nothing could be read (`Outcome.UNAVAILABLE`)."""

    outcome: Outcome
    as_of: int | None


@dataclass(frozen=True, slots=True)
class WorkerAnswers:
    """How one worker answers. `worker`: its row, `None` without one. `max_staleness`: seconds. `applied_seq`,
    `lease_seconds`: before the first lookup began. `answers`: by digest (32 bytes)."""

    worker: Worker | None
    max_staleness: float
    applied_seq: int
    lease_seconds: float
    answers: Mapping[bytes, Answer]


def _findings(status: Status) -> Iterator[Finding]:
    yield from _database_findings(status)
    redis = status.redis
    if redis.state in {"unreachable", "skipped"}:
        yield Finding(
            "warning",
            "redis_down",
            f"Redis does not answer this process: {redis.reason}.",
            "Check its URL, that it runs and that this machine may connect to it. Until then every worker reads the "
            "database for what it does not remember, and hears of changes at its next poll.",
        )
    if redis.doorbell is not None:
        yield Finding(
            "warning",
            "redis_doorbell",
            f"Redis refuses to pass on that keys have changed: {redis.doorbell}.",
            "Give its user the rights (ACL SETUSER NAME +subscribe +publish &gatepost:*). Until then a worker hears "
            "of changes at its next poll.",
        )
    if redis.limits is not None:
        yield Finding(
            "warning",
            "redis_limits",
            f"Redis refuses to count for limits: {redis.limits}.",
            "Give its user the rights (docs/connecting.md), or it memory. Until then each limit's on_outage holds.",
        )
    if status.database.splits_limits:
        yield Finding(
            "note",
            "limits_split",
            "There are rates or slots, and no Redis that counts them for all workers.",
            "Quotas hold as they are; of a rate or of slots each worker has its part. Name a Redis to share them.",
        )
    serving = status.serving
    if serving is not None and not serving.lease_holds:
        yield Finding(
            "warning" if status.ready else "error",
            "no_lease",
            f"This worker believes nothing that it remembers: its last successful poll was {serving.polled_ago:.1f} s "
            "ago.",
            "Every request reads the database until a poll succeeds. The log of 'gatepost.freshness' says what fails.",
        )
    if serving is not None and serving.deaf is not None:
        yield Finding(
            "note",
            "doorbell_deaf",
            f"This worker hears of changes only at its next poll: {serving.deaf}.",
            "Harmless to what is let in: whoever takes something away waits for it, up to poll_interval.",
        )
    for worker in status.workers or ():
        yield from _worker_findings(worker)
    for role in status.roles:
        yield from grown_finding(role)
    for target in status.targets:
        yield from target_findings(target)


def _database_findings(status: Status) -> Iterator[Finding]:
    database = status.database
    if not database.reachable:
        yield Finding(
            "error",
            "database_down",
            f"The database does not answer: {database.error}.",
            "Check its URL, user and password, that it runs and that this machine may connect to it. Where it denies a "
            f"permission: {RIGHTS}.",
        )
        return
    if database.is_replica:
        yield Finding(
            "error",
            "database_replica",
            f"{database.error}.",
            "Workers refuse it: name the database that changes are made in.",
        )
        return
    if not database.fits:
        missing = database.revision is None
        yield Finding(
            "error",
            "schema",
            "The database has no gatepost tables."
            if missing
            else f"The tables are at revision {database.revision}, but this gatepost needs {database.needed}.",
            "Run: gatepost db upgrade --database URL"
            + (" (or name another database: this may be the wrong one)" if missing else ""),
        )
        return
    if database.error is not None:
        yield Finding(
            "error",
            "database_failed",
            f"The database answers, but not to everything: {database.error}.",
            f"Where it denies a permission: {RIGHTS}.",
        )
    if database.open_to_others is not None:
        yield Finding(
            "warning",
            "file_open_to_others",
            f"Other users of this machine may read or write {database.open_to_others}.",
            "It holds the server key, so who reads it can make secrets: chmod 600 it, and its -wal and -shm.",
        )
    if database.pooler == "transaction":
        yield Finding(
            "note",
            "pooler_transaction",
            "A connection pooler in transaction mode stands before the database.",
            "All works as without one, for gatepost relies on no session: nothing is prepared by name, so each "
            "statement costs the database a little more, and the database itself cannot call workers (LISTEN).",
        )
    if database.clock_ahead is not None and abs(database.clock_ahead) > CLOCK_SECONDS:
        side = "ahead of" if database.clock_ahead > 0 else "behind"
        yield Finding(
            "note",
            "clocks_apart",
            f"The database's clock is {abs(database.clock_ahead):.0f} s {side} this machine's.",
            "Harmless to what is let in: expiry goes by the database's clock, leases by none that can be set. But "
            "times in logs do not match: let both machines keep time by NTP.",
        )
    if database.triggers is False:
        yield Finding(
            "note",
            "no_triggers",
            "The database has no triggers that notice changes made by hand in SQL.",
            "Change keys only by gatepost's own verbs: workers see what was changed by hand only when what they "
            "remember lapses.",
        )


def _worker_findings(worker: WorkerStatus) -> Iterator[Finding]:
    if worker.state == "silent":
        yield Finding(
            "warning",
            "worker_silent",
            f"Worker {worker.name} has shown no sign of life for {span(worker.silent)}.",
            "It ended without a word, is paused or cut off from the database, so it believes nothing any more. Another "
            f"worker removes its row; while it stands, whatever takes something away waits up to "
            f"{worker.max_staleness:.0f} s for it.",
        )
    elif worker.behind and worker.silent > LATE_SECONDS:
        changes = "1 change" if worker.behind == 1 else f"{worker.behind} changes"
        yield Finding(
            "warning",
            "worker_behind",
            f"Worker {worker.name} has not applied {changes}, and has said nothing for {span(worker.silent)}.",
            "Look into its log ('gatepost.freshness'), and whether its event loop is blocked or poll_interval long.",
        )
