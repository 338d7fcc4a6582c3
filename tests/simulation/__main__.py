"""Runs the simulation for as long as it is told to, on seeds that are new each time.

    python -m tests.simulation [--seconds 60] [--seed 12r] [--from 1000] [--breaks]

`--seed`: replay one, and show the end of its trace. `--breaks`: put each known defect into the code and tell how soon
it is found. Exit code 1 where a promise is broken, or a defect is not found.
"""

import argparse
import sys
import time
from collections import Counter

from tests.simulation.breaks import BREAKS
from tests.simulation.scenario import Report, plan, plan_of, play

PASTS = ("", "t", "m", "o", "r")
"""In every fifth run each: temporary secrets, templates, roles that keys hold, a database that is restored now and
then."""


def main() -> int:
    """Run it; answers the exit code."""
    arguments = argparse.ArgumentParser(prog="python -m tests.simulation", description="Runs the simulation.")
    arguments.add_argument("--seconds", type=float, default=60.0, help="how long")
    arguments.add_argument("--seed", help="replay this one")
    arguments.add_argument("--from", type=int, default=int(time.time()), dest="first", help="number of the first run")
    arguments.add_argument("--breaks", action="store_true", help="find the known defects")
    asked = arguments.parse_args()
    if asked.breaks:
        return find_breaks()
    if asked.seed is not None:
        report = play(plan_of(asked.seed))
        print(report.trace)
        return judge(report)
    return soak(asked.seconds, asked.first)


def soak(seconds: float, first: int) -> int:
    """Play new runs until the time is over, or a promise is broken."""
    counts: Counter[str] = Counter()
    began = time.monotonic()
    requests = runs = 0
    while time.monotonic() - began < seconds:
        report = play(plan(first + runs, PASTS[runs % len(PASTS)]))
        runs += 1
        requests += report.requests
        counts += report.counts
        if report.violation is not None:
            print(f"\n{report.trace}")
            return judge(report)
        if sys.stderr.isatty():
            print(f"\r{time.monotonic() - began:6.0f} s  {runs} runs, {requests} requests", end="", file=sys.stderr)
    print(f"\n{summary(runs, requests, counts)}")
    return 0


def judge(report: Report) -> int:
    """Tell how one run went; answers the exit code."""
    print(f"seed {report.seed}: {report.requests} requests, fingerprint {report.fingerprint}")
    if report.violation is None:
        return 0
    print(f"BROKEN: {report.violation}\nReplay it: .venv/bin/python -m tests.simulation --seed {report.seed}")
    return 1


def find_breaks() -> int:
    """Put in every defect in turn; answers the exit code."""
    missed = 0
    print(f"{'defect':68} {'seed':>5} {'requests':>9} {'in all':>9} {'seconds':>8}")
    for each in BREAKS:
        began = time.monotonic()
        requests = 0
        for number in each.numbers:
            with each.applied():
                report = play(plan(number, each.past))
            requests += report.requests
            if report.violation is not None:
                took = time.monotonic() - began
                print(f"{each.name:68} {report.seed:>5} {report.requests:>9} {requests:>9} {took:>8.1f}")
                break
        else:
            print(f"{each.name:68} NOT FOUND in {len(each.numbers)} runs, {requests} requests")
            missed += 1
    return min(missed, 1)


def summary(runs: int, requests: int, counts: Counter[str]) -> str:
    """What happened in all, a line each."""
    lines = [f"{runs} runs, {requests} requests: no promise broken"]
    lines += [f"{count:>10} {what}" for what, count in sorted(counts.items())]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
