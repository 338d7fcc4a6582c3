"""`python -m tests.campaign`: everything, about a quarter of an hour; or only the parts that are named."""

import argparse
import asyncio
import logging
import shlex
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from benchmarks.origin import origin

from benchmarks import measured
from tests.campaign import limits, page
from tests.campaign.campaign import FAULT_SECONDS, SETTINGS, Phase, campaign, totals
from tests.campaign.crew import Plan
from tests.campaign.faults import FAULTS
from tests.campaign.latency import bulk, single
from tests.campaign.polling import polling
from tests.campaign.topologies import TOPOLOGIES, faced

Part = Callable[[argparse.Namespace], Mapping[str, Any]]


def main(words: Sequence[str]) -> int:
    """Measure, print, keep; 1 where an answer was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--seconds", type=float, default=FAULT_SECONDS, help="how long each fault is kept")
    parser.add_argument("--fault", action="append", help="only this one: 'system: fault', as the table names it")
    parser.add_argument(
        "--topology", action="append", choices=TOPOLOGIES, help="only this one; the page stays as it is"
    )
    parser.add_argument("--calls", type=int, default=200, help="of deactivate(), for the latency")
    parser.add_argument("--keys", type=int, default=10_000, help="in one call, for bulk")
    parser.add_argument("--rounds", type=int, default=5, help="of bulk")
    parser.add_argument("--workers", type=int, default=200, help="that poll")
    parser.add_argument("--source", type=Path, help="folder to import gatepost from in the workers, to compare two")
    parser.add_argument("--no-keep", action="store_true", help="do not write the results file")
    options = parser.parse_args(words)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    command, began = shlex.join(["python", "-m", "tests.campaign", *words]), datetime.now(UTC)
    parts = {name: part(options) for name, part in PARTS.items() if name in (options.parts or PARTS)}
    if not (options.no_keep or options.topology):  # beside the parts of other times; each tells its origin
        told, results = msgspec.to_builtins(origin(command, began, quick=False)), measured.read(measured.RESULTS)
        results.revocation |= {name: {"origin": told, **part} for name, part in parts.items()}
        measured.write(measured.RESULTS, results)
        if "topologies" in parts:
            page.write(parts["topologies"]["faults"])
    found = [part["totals"] for part in parts.values() if "totals" in part]
    too_much = [wrong for each in parts.get("limits", {}).get("faults", ()) for wrong in each["wrong"]]
    is_wrong = any(each[wrong] for each in found for wrong in ("wrong_passes", "wrong_refusals", "not_recovered"))
    return int(bool(too_much) or is_wrong)


def _faults(options: argparse.Namespace) -> Mapping[str, Any]:
    chosen = [fault for fault in FAULTS if not options.fault or f"{fault.system}: {fault.name}" in options.fault]
    if not chosen:
        raise SystemExit("no such fault; there are:\n" + "\n".join(f"{fault.system}: {fault.name}" for fault in FAULTS))

    def tell(phase: Phase) -> None:
        print(f"\r{phase}", flush=True)
        if sys.stderr.isatty():
            done = chosen.index(phase.fault) + 1
            print(f"{done} of {len(chosen)} faults …", end="", file=sys.stderr, flush=True)

    plan = Plan(settings=SETTINGS, source=options.source)
    phases, bugs = asyncio.run(campaign(chosen, plan=plan, seconds=options.seconds, tell=tell))
    return _found(phases, bugs)


def _topologies(options: argparse.Namespace) -> Mapping[str, Any]:
    phases: list[Phase] = []
    bugs = ""
    for name in options.topology or TOPOLOGIES:
        seen, logged = asyncio.run(faced(TOPOLOGIES[name], seconds=options.seconds, source=options.source, tell=print))
        phases += seen
        bugs += logged
    return _found(phases, bugs)


def _found(phases: Sequence[Phase], bugs: str) -> Mapping[str, Any]:
    """Print it."""
    found = totals(phases)
    print("\r" + ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in found.items()))
    for phase in phases:
        for wrong in phase.wrong:
            print(f"{phase.fault.system}: {phase.fault.name}: {wrong}")
    if bugs:
        print("The workers logged tracebacks:\n", bugs, file=sys.stderr)
    return {"totals": found, "tracebacks": bugs.count("Traceback"), "faults": [phase.report() for phase in phases]}


def _told(title: str, told: Mapping[str, Any]) -> Mapping[str, Any]:
    """Print it."""
    print(f"\n{title}")
    for name, value in told.items():
        for each in value if isinstance(value, list) else [value]:
            print(f"  {name}: {each}")
    return told


def _latency(options: argparse.Namespace) -> Mapping[str, Any]:
    return _told("deactivate(), 4 workers, defaults", asyncio.run(single(options.calls, options.source)))


def _bulk(options: argparse.Namespace) -> Mapping[str, Any]:
    return _told("many keys in one call", asyncio.run(bulk(options.keys, options.rounds, options.source)))


def _polling(options: argparse.Namespace) -> Mapping[str, Any]:
    return _told("workers that only poll", asyncio.run(polling(options.workers, 20.0)))


def _limits(options: argparse.Namespace) -> Mapping[str, Any]:
    def tell(seen: limits.Seen) -> None:
        print(f"  {seen}", flush=True)

    print("\nlimits, 4 workers")
    chosen = [fault for fault in limits.FAULTS if not options.fault or fault.name in options.fault]
    told = asyncio.run(limits.campaign(chosen, options.seconds, source=options.source, tell=tell))
    return {"faults": [seen.report() for seen in told]}


PARTS: Mapping[str, Part] = {
    "faults": _faults,
    "topologies": _topologies,
    "limits": _limits,
    "latency": _latency,
    "bulk": _bulk,
    "polling": _polling,
}

if __name__ == "__main__":
    logging.getLogger("asyncmy").setLevel(logging.ERROR)  # MariaDB's notes on tables that are being made
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what it starts in the background ignore it
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # through the ends: no server stays
    sys.exit(main(sys.argv[1:]))
