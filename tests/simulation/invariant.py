"""What must hold: a linearizable register per secret.

    versions of a secret:    v1 ── v2 committed ── v2 settled ── v3 committed ──
    who begins here may get:   v1       v1 or v2          v2          v2 or v3

A version is *settled* once a verb has returned and said that its change holds everywhere, or once the moment has come
by which it said so. A request may answer by the newest settled version when it began, or by any that was committed
later and before it ended; and by nothing else. `UnavailableError` is always allowed. Hence:

- A request that begins after a take-away verb has returned, and before a giving verb is called, is not let in (and does
  not have the permission), for every allowed version says no.
- A good key is never refused, for every allowed version says yes.

A restored database ends the past: what it lost may be believed, and nothing settles, until somebody has invalidated
what is remembered and every lease of before is over.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gatepost.base.models import Outcome

EXPIRY_SLACK = 3.0
"""Seconds by which a worker may err about the database's clock: half of a poll's longest answer, and some."""


@dataclass(frozen=True)
class State:
    """What a version says. `usable_until`: seconds since the epoch by the database's clock. `lifetime`: most seconds
    that what is issued of a template lives; `None` = it is none."""

    active: bool
    permissions: frozenset[str]
    usable_until: float
    lifetime: int | None = None


@dataclass(frozen=True)
class Version:
    """`seq`: the change that made it. `state`: `None` = no key has the secret."""

    seq: int
    state: State | None


@dataclass(frozen=True)
class Ticket:
    """Handed out when a request begins. `floor`: the newest settled seq. `past`: which past it belongs to."""

    floor: int
    past: int
    began: float


@dataclass(frozen=True)
class Bounds:
    """What a temporary secret was narrowed to: whatever its parent may, it may no more than these, and no longer.
    `issued_at`: seconds since the epoch, as it says."""

    permissions: frozenset[str]
    usable_until: int
    issued_at: int

    def narrow(self, state: State | None) -> State | None:
        """What is left of a version of the parent."""
        if state is None:
            return None
        until = min(state.usable_until, float(self.usable_until))
        if state.lifetime is not None:
            until = min(until, self.issued_at + state.lifetime)
        return State(state.active, state.permissions & self.permissions, until)


class ViolationError(AssertionError):
    """The promise was broken."""


class Ledger:
    """What was true when, and what was promised."""

    def __init__(self) -> None:
        self._versions: dict[bytes, list[Version]] = {}
        self._lost: dict[bytes, list[State | None]] = {}
        self._actors: dict[str, int] = {}
        self._settled = 0
        self._seq = 0
        self._unsettled_until = 0.0
        self._restored_to = 0
        self.past = 0
        self.refused_after_take_away = 0

    def digests(self) -> Iterable[bytes]:
        """Every secret that there ever was."""
        return list(self._versions)

    def committed(self, seq: int, states: Mapping[bytes, State | None], actor: str) -> None:
        """A change has become true."""
        self._seq = seq
        self._actors[actor] = seq
        for digest, state in states.items():
            self._versions.setdefault(digest, []).append(Version(seq, state))

    def has_committed(self, actor: str) -> bool:
        """Whether the change that names this actor has been made, in this past."""
        return actor in self._actors

    def seq_of(self, actor: str, otherwise: int) -> int:
        """The change that names this actor; `otherwise` where it changed nothing."""
        return self._actors.get(actor, otherwise)

    def settled(self, seq: int, past: int, now: float) -> None:
        """Somebody was told that everything up to `seq` holds everywhere. A past that is over promises nothing."""
        if past == self.past and now >= self._unsettled_until and seq > self._settled:
            self._settled = seq
            self._lost.clear()

    def committed_seq(self) -> int:
        """The newest change."""
        return self._seq

    def restored(self, seq: int, states: Mapping[bytes, State | None]) -> None:
        """The database is as it was at `seq`."""
        self.past += 1
        self._settled = min(self._settled, seq)
        self._seq = self._restored_to = seq
        for digest, state in states.items():
            versions = self._versions[digest]
            self._lost.setdefault(digest, []).extend(version.state for version in versions)
            kept = [version for version in versions if version.seq <= seq]
            if not kept or kept[-1].state != state:
                kept.append(Version(seq, state))  # of a past that had been lost before
            self._versions[digest] = kept

    def lease_over(self, past: int) -> None:
        """What the restore lost is believed by nobody any more."""
        if past == self.past:
            self._lost.clear()
            self._settled = max(self._settled, self._restored_to)
            self._unsettled_until = 0.0

    def doubt_until(self, moment: float) -> None:
        """Nothing settles before that moment of the world's time."""
        self._unsettled_until = moment

    def begin(self, now: float) -> Ticket:
        """A request begins. `now`: the database's clock."""
        return Ticket(self._settled, self.past, now)

    def check(  # noqa: PLR0917
        self,
        ticket: Ticket,
        digest: bytes,
        outcome: Outcome,
        permissions: frozenset[str] | None,
        now: float,
        bounds: Bounds | None = None,
    ) -> None:
        """It ends. `bounds`: of the temporary secret that was shown, of the secret with that digest. Raises
        `ViolationError`."""
        if ticket.past != self.past or outcome is Outcome.UNAVAILABLE:
            return
        allowed = self._allowed(digest, ticket.floor)
        if bounds is not None:
            allowed = [bounds.narrow(state) for state in allowed]
        if any(_agrees(state, outcome, permissions, ticket.began, now) for state in allowed):
            if outcome is not Outcome.VALID and len(allowed) == 1:
                self.refused_after_take_away += 1
            return
        told = f"{outcome.value} {sorted(permissions or ())}"
        raise ViolationError(f"answered {told}; settled: change {ticket.floor}; allowed: {allowed}")

    def _allowed(self, digest: bytes, floor: int) -> list[State | None]:
        versions = self._versions[digest]
        first = 0
        for place, version in enumerate(versions):
            if version.seq <= floor:
                first = place
        return [*(version.state for version in versions[first:]), *self._lost.get(digest, ())]


def _agrees(
    state: State | None, outcome: Outcome, permissions: frozenset[str] | None, began: float, ended: float
) -> bool:
    """Whether a version gives this answer at some moment of the request."""
    if state is None:
        return outcome is Outcome.INVALID
    if not state.active:
        return outcome is Outcome.DEACTIVATED
    if outcome is Outcome.VALID:
        return permissions == state.permissions and began < state.usable_until + EXPIRY_SLACK
    return outcome is Outcome.EXPIRED and ended >= state.usable_until - EXPIRY_SLACK
