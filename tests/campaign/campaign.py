"""All faults, one after another, while keys are switched and requests are sent; then what every answer was."""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.campaign.crew import Crew, Plan
from tests.campaign.faults import FAULTS, C, Fault
from tests.campaign.hands import BOTH, Ledger, Taken, delete, edit, edit_role, lend, rotate, switch
from tests.campaign.site import Site, running
from tests.campaign.truth import NO_ANSWER, Finding, Request

SETTINGS: Mapping[str, Any] = {"max_staleness": 2.0, "poll_interval": 0.25, "read_timeout": 1.0}
"""Of the workers: short, so that a lease runs out in each fault that can make it."""

FAULT_SECONDS = 5.0
SETTLE_SECONDS = 1.0
WARM_SECONDS = 2.0
STEADY_KEYS = 4
SHOWN_MAX = 20
PAUSE_SECONDS = 0.16
"""Between two requests of one connection, beside those that come right after a verb."""


@dataclass(slots=True)
class Phase:
    """One fault, from its beginning to that of the next; `lasted`: until its end. Nanoseconds of CLOCK_MONOTONIC.
    `recovered`: seconds after its end until every worker held a lease and used Redis, `None` = it did not happen.
    `under_way`: verbs that took something away while it lasted, also those that had begun before."""

    fault: Fault[Any]
    begun: int
    lasted: int = 0
    ended: int = 0
    recovered: float | None = None
    stuck: str = ""
    findings: Counter[Finding] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    under_way: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def report(self) -> Mapping[str, Any]:
        """For the results. Times in milliseconds, but `recovered`: seconds."""
        found = self.findings
        return {
            "system": self.fault.system,
            "fault": self.fault.name,
            "requests": found.total(),
            "checked": {
                "must_be_refused": found[Finding.RIGHTLY_REFUSED] + found[Finding.WRONG_PASS],
                "must_be_let_in": found[Finding.RIGHTLY_LET_IN] + found[Finding.WRONG_REFUSAL],
            },
            "wrong_passes": found[Finding.WRONG_PASS],
            "wrong_refusals": found[Finding.WRONG_REFUSAL],
            "unavailable": found[Finding.UNAVAILABLE],
            "unavailable_expected": self.fault.unavailable,
            "no_answer": found[Finding.NO_ANSWER],
            "request_ms": quantiles(self.seconds),
            "taken": len(self.taken),
            "under_way": dict(self.under_way),
            "taken_ms": quantiles([taken.seconds for taken in self.taken]),
            "workers": {
                how: sum(getattr(taken, how) for taken in self.taken) for how in ("acknowledged", "expired", "left")
            },
            "verb_errors": dict(self.errors),
            "recovered_seconds": None if self.recovered is None else round(self.recovered, 2),
            "wrong": self.wrong,
        }

    def __str__(self) -> str:
        """The same in a line. The requests that are timed are those to workers that the fault does not touch alone."""
        told = self.report()
        requests, taken = told["request_ms"] or {}, told["taken_ms"] or {}
        workers = ", ".join(f"{count} {how}" for how, count in told["workers"].items())
        back = "not recovered" if self.recovered is None else f"recovered after {self.recovered:.1f} s"
        return (
            f"{told['system']}: {told['fault']}: {told['requests']} requests, {sum(told['checked'].values())} checked, "
            f"{told['wrong_passes'] + told['wrong_refusals']} wrong, {told['unavailable']} unavailable, 99 of 100 in "
            f"{requests.get('p99')} ms; {told['taken']} verbs took something away, in {taken.get('median')} ms, 99 of "
            f"100 in {taken.get('p99')} ms, the slowest in {taken.get('worst')} ms; workers: {workers}; {back}"
        )


def totals(phases: Sequence[Phase]) -> Mapping[str, int]:
    """Over all faults."""
    told = [phase.report() for phase in phases]
    summed = ("requests", "wrong_passes", "wrong_refusals", "unavailable", "taken")
    checked = ("must_be_refused", "must_be_let_in")
    return {
        "faults": len(told),
        **{name: sum(each[name] for each in told) for name in summed},
        **{name: sum(each["checked"][name] for each in told) for name in checked},
        "unavailable_unexpected": sum(each["unavailable"] for each in told if not each["unavailable_expected"]),
        "not_recovered": sum(phase.recovered is None for phase in phases),
    }


def quantiles(seconds: Sequence[float]) -> Mapping[str, float] | None:
    """Median, 99th percentile and maximum, in milliseconds; `None` for nothing."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    values = {"median": statistics.median(ordered), "p99": ordered[int(len(ordered) * 0.99)], "worst": ordered[-1]}
    return {name: round(1000 * value, 2) for name, value in values.items()}


async def campaign(
    faults: Iterable[Fault[Site]] = FAULTS,
    *,
    plan: Plan | None = None,
    seconds: float = FAULT_SECONDS,
    tell: Callable[[Phase], None] | None = None,
) -> tuple[Sequence[Phase], str]:
    """Run the faults, each for `seconds`; what was seen in each, and what the workers logged of bugs.

    `tell` is called after each fault. Raises ProgramMissingError, ServerError.
    """
    async with running(plan or Plan(settings=SETTINGS)) as site:
        return await played(site, faults, seconds=seconds, tell=tell)


async def played(
    site: C, faults: Iterable[Fault[C]], *, seconds: float, tell: Callable[[Phase], None] | None = None
) -> tuple[Sequence[Phase], str]:
    """The same on a site that runs."""
    ledger = Ledger(site)
    await site.tell_load(pause=PAUSE_SECONDS)
    for _ in range(STEADY_KEYS):
        await ledger.create(weight=2)
    phases: list[Phase] = []
    async with asyncio.TaskGroup() as group:  # no hand may fail
        hands = [group.create_task(hand) for hand in _hands(ledger, site)]
        await asyncio.sleep(WARM_SECONDS)
        for fault in faults:
            if fault.needs_clock and not site.clocks:
                continue
            phases.append(phase := Phase(fault, time.monotonic_ns()))
            await _run(site, phase, seconds)
            _judge(site, ledger, phases)
            if tell is not None:
                tell(phase)
        await asyncio.sleep(SETTLE_SECONDS)
        servers = [*site.workers, site.admin]  # asked before a hand's last request is cut off, which they tell of
        bugs = "".join(server.log() for server in servers if "Traceback" in server.log())
        for hand in hands:
            hand.cancel()
    _judge(site, ledger, phases, last=True)
    return phases, bugs


def _hands(ledger: Ledger, site: Crew) -> Iterable[Coroutine[Any, Any, None]]:
    admin, worker = site.admin, site.workers[-1]
    yield from (switch(ledger, by, keys) for by, keys in ((admin, 1), (admin, 1), (worker, 1), (admin, 5)))
    fewer, elsewhere = {"permissions": BOTH[1:]}, {"resources": ["dir:/elsewhere/*"]}
    yield from (edit(ledger, by, fewer, {"permissions": BOTH}) for by in (admin, worker))
    yield from (rotate(ledger, admin), delete(ledger, admin), edit(ledger, worker, elsewhere, {"resources": None}))
    yield from (edit_role(ledger, admin, 3), edit_role(ledger, worker, 2), lend(ledger, admin), lend(ledger, worker))


async def _run(site: Crew, phase: Phase, seconds: float) -> None:
    await phase.fault.run(site, seconds)
    phase.lasted = time.monotonic_ns()
    phase.recovered = await site.recovered()
    phase.stuck = site.stuck
    await asyncio.sleep(SETTLE_SECONDS)
    phase.ended = time.monotonic_ns()


def _judge(site: Crew, ledger: Ledger, phases: Sequence[Phase], *, last: bool = False) -> None:
    """Judge every answer that came so far, but for those whose truth a verb under way may still tell."""
    kept: list[Request] = []
    for request in site.requests:
        finding = ledger.truths.judge(request)
        if finding is Finding.UNCHECKED and not last:
            kept.append(request)
            continue
        phase = next((each for each in reversed(phases) if each.begun <= request.began), None)
        if phase is None:  # of before the first
            continue
        phase.findings[finding] += 1
        if finding in {Finding.WRONG_PASS, Finding.WRONG_REFUSAL} and len(phase.wrong) < SHOWN_MAX:
            phase.wrong.append(
                f"{finding.value}: worker {request.worker}, secret {request.secret}, route {request.route}, "
                f"status {request.status}, {(request.began - phase.begun) / 1e9:.3f} s into the fault"
            )
        during = request.began < (phase.lasted or request.began + 1)
        if during and request.status != NO_ANSWER and request.worker != phase.fault.hit:
            phase.seconds.append((request.ended - request.began) / 1e9)
    site.requests[:] = kept
    for phase in phases:
        until = phase.ended or time.monotonic_ns()
        phase.taken = [taken for taken in ledger.taken if phase.begun <= taken.at < until]
        until_then = (each for each in ledger.taken if each.at < until)
        phase.under_way = Counter(each.verb for each in until_then if each.at + each.seconds * 1e9 >= phase.begun)
        phase.errors = Counter(name for at, name in ledger.errors if phase.begun <= at < until)
