"""Follows the change log and asks every worker, after each change, how it answers for that key now.

    log ──> a change ──> database's word ──> the workers' rows ──> every worker asked ──> log and database's word again
                                                                                       the same? ──> judged

Each change is asked about until a worker answers right, and once more when its `max_staleness` has gone by since.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from gatepost.audit.asking import UnansweredError
from gatepost.audit.judgement import VIOLATIONS, Bound, Circumstances, Judgement, judge
from gatepost.base import Absent, Clock, Outcome, Worker, boot_clock, decide, decode
from gatepost.database import Database, Position, Reading
from gatepost.freshness import certainly_over
from gatepost.health import UNSEEN_FACTOR, WorkerAnswers
from gatepost.probes import DIGESTS_MAX

if TYPE_CHECKING:
    from gatepost.database import WorkerRow

EVENTS_PAGE = 2_000

CHECKS_MAX = 50_000
"""Most changes that are being asked about, about 20 MB; the oldest beyond are given up, and counted."""

EXPIRY_MARGIN = 2.0
"""Seconds around an expiry in which no answer is judged: the worker's idea of the database's clock may be that far off,
and an answer takes its time."""

GIVE_UP_SECONDS = 60.0
"""For how long after the last moment to judge a worker's answer it is tried again to get one."""

_SHOWN_BYTES = 8
"""Of a digest, for people to find it again in the log."""


class Asked(Protocol):
    """A worker that can be asked. `url`: its name."""

    url: str

    async def ask(self, digests: Sequence[bytes]) -> WorkerAnswers:
        """How it answers. Raises `UnansweredError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """An answer that should not be. `at`: this machine's clock, UTC. `url`, `worker`: who gave it; the latter `None`
    where it had no row. `digest`: the first 16 hexadecimal digits. `key_id`: `None` for a key that was deleted.
    `seq`: the key's last change; `age`: seconds since it was seen committed. `truth`: what the database says.
    `bound`: why the worker had to know."""

    at: datetime
    kind: Judgement
    url: str
    worker: Worker | None
    digest: str
    key_id: str | None
    seq: int
    age: float
    truth: Outcome
    answer: Outcome
    as_of: int
    applied_seq: int
    bound: Bound


@dataclass(slots=True, kw_only=True)
class Round:
    """What one look brought. `changes`: keys that changed since the one before. `answers`: how many were what.
    `unanswered`: workers, by URL, that gave none, and why. `given_up`: answers that were never got. `restarted`: the
    change log is another than before, so what was being asked about is dropped."""

    changes: int = 0
    answers: dict[tuple[str, Judgement], int] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    unanswered: dict[str, str] = field(default_factory=dict)
    given_up: int = 0
    restarted: bool = False


@dataclass(slots=True, eq=False)
class _Check:
    """One key's last change. `seen_at`: own clock when it was seen committed. `waiting`: the workers that have not been
    asked to the end; whether each has answered right."""

    digest: bytes
    seq: int
    seen_at: float
    waiting: dict[str, bool]


@dataclass(frozen=True, slots=True)
class _Truth:
    """What the database says of a digest. `outcome`: `None` while it lapses just now."""

    outcome: Outcome | None
    key_id: str | None


class Auditor:
    """One auditor over some workers. `round` looks once; call it again and again, once a second, say.

    It only reads the database. What it asks makes a worker remember the keys that change, as a request with them does.
    """

    def __init__(self, database: Database, workers: Sequence[Asked], *, clock: Clock = boot_clock) -> None:
        self._database = database
        self._workers = {worker.url: worker for worker in workers}
        self._clock = clock
        self._position: Position | None = None
        self._known_nonce: int | None = None
        self._checks: dict[bytes, _Check] = {}
        self._staleness: dict[str, float] = {}
        self._rows: Sequence[WorkerRow] = ()
        self._heard: set[str] = set()

    @property
    def seq(self) -> int | None:
        """The last change that was taken in; `None` before the first round."""
        return None if self._position is None else self._position.seq

    @property
    def open_checks(self) -> int:
        """Changes that are still being asked about."""
        return len(self._checks)

    @property
    def unheard(self) -> Sequence[Worker]:
        """Workers with a row and a recent sign of life that none of the answers came from."""
        if self._position is None:
            return []
        now = self._position.now
        return [
            row.worker
            for row in self._rows
            if row.worker.id not in self._heard and now - row.seen_at.timestamp() < row.max_staleness * UNSEEN_FACTOR
        ]

    async def begin(self, since: int | None = None) -> int:
        """Start with the changes after the seq `since`; `None` = with those to come. Answers the seq to start from.
        Raises `UnavailableError`."""
        position = await self._database.read_position()
        first = position.seq if since is None else min(since, position.seq)
        if first < position.seq:
            first = max(first, (await self._database.read_oldest_seq(first) or position.seq) - 1)
        self._position = Position(first, position.nonce, position.now, is_member=False)
        self._known_nonce = position.nonce if first == position.seq else None
        return first

    async def round(self) -> Round:
        """Look once: new changes, then every worker about every change that is open. Raises `UnavailableError` where
        the database failed; what was to be asked is asked in the next round."""
        done = Round()
        await self._follow(done)
        checks = iter(list(self._checks.values()))
        asked = False
        while batch := list(islice(checks, DIGESTS_MAX)):
            asked |= await self._look(batch, done)
        if not asked:  # nothing to ask about: do they answer at all?
            self._rows = await self._database.workers.read_all()
            await self._ask_all(dict.fromkeys(self._workers, ()), done)
        self._give_up(done)
        return done

    async def _follow(self, done: Round) -> None:
        """Take in the changes since the last time."""
        before = self._position
        if before is None:
            await self.begin()
            return
        position = await self._database.read_position()
        now = self._clock()
        changed = await self._read_changes(before.seq, position)
        if changed is None:
            self._checks.clear()
            done.restarted = True
            changed = {}
        for digest, seq in changed.items():
            self._checks.pop(digest, None)  # to the end: the oldest come first
            self._checks[digest] = _Check(digest, seq, now, dict.fromkeys(self._workers, False))
        done.changes += len(changed)
        self._position, self._known_nonce = position, position.nonce
        for oldest in list(islice(self._checks, max(0, len(self._checks) - CHECKS_MAX))):
            done.given_up += len(self._checks.pop(oldest).waiting)

    async def _read_changes(self, after: int, position: Position) -> Mapping[bytes, int] | None:
        """The last change of each digest after the seq `after`, up to the position; `None` where the log is not the one
        that was read before."""
        nonce = self._known_nonce
        if position.seq < after or (position.seq == after and nonce not in {None, position.nonce}):
            return None
        changed: dict[bytes, int] = {}
        if position.seq > after:
            async for page in self._database.read_events(after, position.seq, EVENTS_PAGE):
                for event in page:
                    if event.seq == after and nonce not in {None, event.nonce}:
                        return None
                    if event.seq > after and event.digest is not None:
                        changed[event.digest] = event.seq
        return changed

    async def _look(self, batch: Sequence[_Check], done: Round) -> bool:
        """Ask about these changes whatever is due. Answers whether every worker was asked something."""
        now = self._clock()
        questions = {url: [check.digest for check in batch if self._is_due(check, url, now)] for url in self._workers}
        digests = list(dict.fromkeys(digest for each in questions.values() for digest in each))
        if not digests:
            return False
        before = await self._database.read_records(digests)
        begun = self._database_now()
        self._rows = await self._database.workers.read_all()
        asked_at = self._clock()
        testimonies = await self._ask_all({url: each for url, each in questions.items() if each}, done)
        await self._follow(done)
        after = await self._database.read_records(digests)
        ended = self._database_now()
        for check in batch:
            if self._checks.get(check.digest) is check and before.rows.get(check.digest) == after.rows.get(
                check.digest
            ):
                truth = _truth(after, check.digest, begun - EXPIRY_MARGIN, ended + EXPIRY_MARGIN)
                for url, testimony in testimonies.items():
                    if check.digest in testimony.answers:
                        self._settle(check, url, testimony, truth=truth, asked_at=asked_at, done=done)
        return all(questions.values())

    def _is_due(self, check: _Check, url: str, now: float) -> bool:
        """Until it has answered right, and once more at the end."""
        if url not in check.waiting:
            return False
        return not check.waiting[url] or now >= self._last_moment(check, url)

    def _last_moment(self, check: _Check, url: str) -> float:
        """Own clock from which on the worker must know of the change, whatever happened."""
        return check.seen_at + certainly_over(self._staleness.get(url, 0.0))

    async def _ask_all(self, questions: Mapping[str, Sequence[bytes]], done: Round) -> Mapping[str, WorkerAnswers]:
        results = await asyncio.gather(
            *(self._workers[url].ask(digests) for url, digests in questions.items()), return_exceptions=True
        )
        testimonies = {}
        for url, result in zip(questions, results, strict=True):
            if isinstance(result, UnansweredError):
                done.unanswered[url] = str(result)
            elif isinstance(result, BaseException):
                raise result
            else:
                testimonies[url] = result
                self._staleness[url] = result.max_staleness
                if result.worker is not None:
                    self._heard.add(result.worker.id)
        return testimonies

    def _settle(
        self, check: _Check, url: str, testimony: WorkerAnswers, *, truth: _Truth, asked_at: float, done: Round
    ) -> None:
        if truth.outcome is None:
            return
        worker = testimony.worker
        circumstances = Circumstances(
            asked_at=asked_at,
            max_staleness=testimony.max_staleness,
            applied_seq=testimony.applied_seq,
            acked_seq=None if worker is None else self._acked_seq(worker.id),
        )
        bound = circumstances.bound(check.seq, check.seen_at)
        answer = testimony.answers[check.digest]
        judgement = judge(answer, truth.outcome, check.seq, bound)
        done.answers[url, judgement] = done.answers.get((url, judgement), 0) + 1
        if judgement in VIOLATIONS and bound is not None and answer.as_of is not None:
            done.violations.append(
                Violation(
                    at=datetime.now(UTC),
                    kind=judgement,
                    url=url,
                    worker=worker,
                    digest=check.digest[:_SHOWN_BYTES].hex(),
                    key_id=truth.key_id,
                    seq=check.seq,
                    age=asked_at - check.seen_at,
                    truth=truth.outcome,
                    answer=answer.outcome,
                    as_of=answer.as_of,
                    applied_seq=testimony.applied_seq,
                    bound=bound,
                )
            )
            self._end(check, url)
        elif judgement is Judgement.RIGHT:
            check.waiting[url] = True
            if asked_at >= self._last_moment(check, url):
                self._end(check, url)

    def _acked_seq(self, worker_id: str) -> int | None:
        return next((row.acked_seq for row in self._rows if row.worker.id == worker_id), None)

    def _end(self, check: _Check, url: str) -> None:
        check.waiting.pop(url, None)
        if not check.waiting:
            self._checks.pop(check.digest, None)

    def _give_up(self, done: Round) -> None:
        """On the answers that cannot be got: a worker that is down would otherwise be asked about all of them."""
        now = self._clock()
        for check in list(self._checks.values()):
            for url in list(check.waiting):
                if now > self._last_moment(check, url) + GIVE_UP_SECONDS:
                    done.given_up += 1
                    self._end(check, url)

    def _database_now(self) -> float:
        """The database's clock, as of the last poll: at most a round behind."""
        return 0.0 if self._position is None else self._position.now


def _truth(reading: Reading, digest: bytes, earliest: float, latest: float) -> _Truth:
    found = decode(reading.rows.get(digest), reading.as_of, 0.0)
    outcomes = {decide(found, earliest), decide(found, latest)}
    outcome = outcomes.pop() if len(outcomes) == 1 else None
    return _Truth(outcome, None if isinstance(found, Absent) else found.id)
