"""`python -m benchmarks.revocation`: everything, about six minutes; or only the parts that are named."""

import argparse
import asyncio
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.origin import Clocked
from benchmarks.revocation import report
from benchmarks.revocation.campaign import FAULT_SECONDS, SETTINGS, Phase, campaign
from benchmarks.revocation.faults import FAULTS
from benchmarks.revocation.latency import bulk, single
from benchmarks.revocation.polling import polling
from benchmarks.revocation.site import Plan

PARTS = ("faults", "latency", "bulk", "polling")


def main(words: Sequence[str]) -> int:
    """Measure, print, keep; 1 where an answer was wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.revocation", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--seconds", type=float, default=FAULT_SECONDS, help="how long each fault is kept")
    parser.add_argument("--fault", action="append", help="only this one: 'system: fault', as the table names it")
    parser.add_argument("--calls", type=int, default=200, help="of deactivate(), for the latency")
    parser.add_argument("--keys", type=int, default=10_000, help="in one call, for bulk")
    parser.add_argument("--rounds", type=int, default=5, help="of bulk")
    parser.add_argument("--workers", type=int, default=200, help="that poll")
    parser.add_argument("--source", type=Path, help="folder to import gatepost from in the workers, to compare two")
    parser.add_argument("--no-keep", action="store_true", help="do not write the results file")
    options = parser.parse_args(words)
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    wanted = options.parts or PARTS
    clocked = Clocked(shlex.join(["python", "-m", "benchmarks.revocation", *words]), quick=False)
    parts: dict[str, Mapping[str, Any]] = {}
    if "faults" in wanted:
        parts["faults"] = _faults(options)
    if "latency" in wanted:
        parts["latency"] = asyncio.run(single(options.calls, options.source))
        _print("deactivate(), 4 workers, defaults", parts["latency"])
    if "bulk" in wanted:
        parts["bulk"] = asyncio.run(bulk(options.keys, options.rounds, options.source))
        _print("many keys in one call", parts["bulk"])
    if "polling" in wanted:
        parts["polling"] = asyncio.run(polling(options.workers, 20.0))
        _print("workers that only poll", parts["polling"])
    if not options.no_keep:
        report.keep(clocked.origin(), parts)
    totals = parts.get("faults", {}).get("totals", {})
    return int(bool(totals.get("wrong_passes") or totals.get("wrong_refusals") or totals.get("not_recovered")))


def _faults(options: argparse.Namespace) -> Mapping[str, Any]:
    chosen = [fault for fault in FAULTS if not options.fault or f"{fault.system}: {fault.name}" in options.fault]
    if not chosen:
        raise SystemExit("no such fault; there are:\n" + "\n".join(f"{fault.system}: {fault.name}" for fault in FAULTS))
    print(report.HEAD, flush=True)

    def tell(phase: Phase) -> None:
        print("\r" + report.line(phase), flush=True)
        if sys.stderr.isatty():
            done = chosen.index(phase.fault) + 1
            print(f"{done} of {len(chosen)} faults …", end="", file=sys.stderr, flush=True)

    plan = Plan(settings=SETTINGS, source=options.source)
    phases, bugs = asyncio.run(campaign(chosen, plan=plan, seconds=options.seconds, tell=tell))
    totals = report.totals(phases)
    print("\r" + ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in totals.items()))
    for phase in phases:
        for wrong in phase.wrong:
            print(f"{phase.fault.system}: {phase.fault.name}: {wrong}")
    if bugs:
        print("The workers logged tracebacks:\n", bugs, file=sys.stderr)
    return {"totals": totals, "tracebacks": bugs.count("Traceback"), "faults": [phase.report() for phase in phases]}


def _print(title: str, told: Mapping[str, Any]) -> None:
    print(f"\n{title}")
    for name, value in told.items():
        for each in value if isinstance(value, list) else [value]:
            print(f"  {name}: {each}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # through the ends, so that no server outlives it
    sys.exit(main(sys.argv[1:]))
