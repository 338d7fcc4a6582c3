"""Checks `freshness.pml` with Spin: the protocol must keep its promise, and without any one of its rules it must not.

    python docs/model/check.py [--quick | --long] [--mutant NAME ...] [--jobs N]

Needs `spin` and `gcc`; works in a temporary folder, installs nothing. Exit code 1 where the protocol fails, where a
part of the model is never reached (it would prove nothing), or where a mutant survives.
"""  # noqa: INP001 - a script, not a package

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

MODEL = Path(__file__).with_name("freshness.pml")

DEPTH = 1_000_000
"""Longest path, in steps; the deepest that was ever needed is below 10,000."""

MEMORY = 4_000
"""MB that one run may take."""

SECONDS = 1_800
"""Longest time of one run: some ten times what the largest takes."""

QUICK, USUAL, LONG = range(3)

ABSENT = "spin or gcc is missing: apt-get install spin gcc"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the model. `switches`: defined for Spin. `breaks`: whether a counterexample is what should come out.

    `effort`: `QUICK` = the tests make it too; `LONG` = only where asked for.
    """

    name: str
    kind: str
    switches: tuple[str, ...]
    breaks: bool
    effort: int


@dataclass(frozen=True, slots=True)
class Result:
    """What a run gave. `fault`: why it is not what it should be; empty = it is. `seconds`: of the search alone."""

    run: Run
    states: int
    seconds: float
    told: str
    fault: str


PROTOCOL = (
    Run("changes, L=1", "protocol", ("L=1",), breaks=False, effort=QUICK),
    Run("changes, L=2", "protocol", ("L=2",), breaks=False, effort=USUAL),
    Run("changes, L=3", "protocol", ("L=3",), breaks=False, effort=USUAL),
    Run("temporary, L=1", "protocol", ("L=1", "TEMPORARY"), breaks=False, effort=QUICK),
    Run("temporary, L=2", "protocol", ("L=2", "TEMPORARY"), breaks=False, effort=USUAL),
    Run("restore, L=1", "protocol", ("L=1", "RESTORE"), breaks=False, effort=USUAL),
    Run("restore, L=2", "protocol", ("L=2", "RESTORE"), breaks=False, effort=LONG),
)

CHANGES_MUTANTS = (
    "ACK_BEFORE_APPLYING",
    "BEAT_FROM_ANSWER",
    "COUNTER_BEFORE_ROW",
    "FILL_UNCHECKED",
    "GC_EARLY",
    "GC_UNCONDITIONAL",
    "JOINED_FLOOR_UNCHECKED",
    "JOINED_LEASE_UNCHECKED",
    "LEASE_AT_JOIN",
    "LEASE_BEFORE_APPLYING",
    "LEASE_FROM_ANSWER",
    "LEASE_ON_OLD_BEAT",
    "LEASE_WITHOUT_ROW",
    "LEAVE_ROW_FIRST",
    "MEMBERS_BEFORE_COMMIT",
    "MEMORY_LEASE_UNCHECKED",
    "MEMORY_NOT_DROPPED",
    "NO_FLOORS_AT_START",
    "OBSERVER_STAMPS_EARLY",
    "REDIS_FLOOR_UNCHECKED",
    "REDIS_LEASE_UNCHECKED",
    "SAME_ID",
    "TORN_READ",
    "WAIT_FROM_BEFORE_COMMIT",
    "WAIT_SKIPPED",
)

TEMPORARY_MUTANTS = ("TEMPORARY_AS_ISSUED", "TEMPORARY_LEASE_UNCHECKED", "TEMPORARY_OUTLIVES")

RESTORE_MUTANTS = (
    "ACK_UNCONDITIONAL",
    "DISTRUST_KEEPS_FLOOR",
    "DISTRUST_SKIPPED",
    "NONCE_UNCHECKED",
    "REJOIN_KEEPS_LEASE",
    "ROW_UNSEEN",
)

RESTORE_LIMITS = ("BEAT_REPEATS", "LOST_VALUES")
"""What the header of the model takes for granted about a database put back: without it the promise does not hold."""


def runs() -> Iterator[Run]:
    """Every run, in the order of the table. A mutant must break even the weaker promise (`REFUSES`: a key switched off
    is let in), except for the one that concerns the record of a key that is on."""
    yield from PROTOCOL
    for name in CHANGES_MUTANTS:
        yield Run(name, "mutant", ("L=1", "REFUSES", name), breaks=True, effort=QUICK)
    yield Run("NET_EFFECT_ONLY", "mutant", ("L=1", "NET_EFFECT_ONLY"), breaks=True, effort=QUICK)
    for name in TEMPORARY_MUTANTS:
        yield Run(name, "mutant", ("L=1", "REFUSES", "TEMPORARY", name), breaks=True, effort=QUICK)
    for name in RESTORE_MUTANTS:
        yield Run(name, "mutant", ("L=1", "REFUSES", "RESTORE", name), breaks=True, effort=QUICK)
    for name in RESTORE_LIMITS:
        yield Run(name, "limit", ("L=1", "REFUSES", "RESTORE", name), breaks=True, effort=QUICK)


def check(run: Run) -> Result:
    """Make the verifier of one run and let it search. Raises `subprocess.CalledProcessError` where the model does not
    compile, `TimeoutExpired`."""
    with tempfile.TemporaryDirectory(prefix="freshness-") as name:
        folder = Path(name)
        shutil.copy(MODEL, folder)
        _call(folder, "spin", "-a", *(f"-D{switch}" for switch in run.switches), MODEL.name)
        smaller = () if run.effort == QUICK else ("-DCOLLAPSE",)  # states take half the room and twice the time
        _call(folder, "gcc", "-O1", "-w", "-DSAFETY", *smaller, f"-DMEMLIM={MEMORY}", "-o", "pan", "pan.c")
        begin = time.monotonic()
        output = _call(folder, "./pan", "-E", f"-w{20 if run.effort == QUICK else 25}", f"-m{DEPTH}")
        return _judge(run, output, time.monotonic() - begin)


def unreached(output: str) -> Sequence[str]:
    """The statements that a search never came to, but for the ends of processes that have none."""
    report = output.partition("unreached in ")[2]
    return [line.strip() for line in report.splitlines() if ".pml:" in line and '"-end-"' not in line]


def _judge(run: Run, output: str, seconds: float) -> Result:
    found = re.search(r"(\d+) states, stored", output)
    errors = re.search(r"errors: (\d+)", output)
    states = int(found[1]) if found else 0
    violated = "assertion violated" in output
    if errors is None or (violated != (errors[1] != "0")):
        told = fault = "the search failed: " + " / ".join(output.split("\n")[:3])
    elif violated:
        told = "counterexample"
        fault = "" if run.breaks else "the promise is broken"
    elif "too small" in output or "not completed" in output:
        told = fault = "the search did not end"
    else:
        never = [] if run.breaks else unreached(output)
        told = f"never reached: {never}" if never else "no violation"
        fault = "it survives" if run.breaks else (told if never else "")
    return Result(run, states, seconds, told, fault)


def _call(folder: Path, *command: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own words, no shell
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False
    )
    if done.returncode and command[0] != "./pan":
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout)
    return done.stdout


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 = all is as it should be, 1 = not, 2 = cannot be told."""
    known = list(runs())
    parser = argparse.ArgumentParser(description="Check the model of the rule of freshness with Spin.")
    effort = parser.add_mutually_exclusive_group()
    effort.add_argument("--quick", action="store_true", help="the smallest configuration, and every mutant")
    effort.add_argument("--long", action="store_true", help="the largest configuration too: 2.5 GB, some minutes")
    parser.add_argument("--mutant", action="append", metavar="NAME", help="only this one; may be repeated")
    parser.add_argument(
        "--jobs", type=int, default=min(2, os.cpu_count() or 1), help="runs at a time (up to 1 GB each)"
    )
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error("--jobs must be 1 or more")
    if shutil.which("spin") is None or shutil.which("gcc") is None:
        sys.stderr.write(ABSENT + "\n")
        return 2
    most = QUICK if options.quick else LONG if options.long else USUAL
    chosen = [run for run in known if run.effort <= most]
    if options.mutant:
        breaking = {run.name: run for run in known if run.breaks}
        strange = [name for name in options.mutant if name not in breaking]
        if strange:
            parser.error(f"no such mutant: {', '.join(strange)}; there are {', '.join(breaking)}")
        chosen = [breaking[name] for name in options.mutant]
    return _check_all(chosen, options.jobs)


def _check_all(chosen: Sequence[Run], jobs: int) -> int:
    results = {}
    with ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(check, run) for run in chosen]
        try:
            for number, ready in enumerate(as_completed(waiting), 1):
                result = ready.result()
                results[result.run] = result
                sys.stderr.write(f"{number}/{len(chosen)} {result.run.name}: {result.fault or result.told}\n")
        except subprocess.SubprocessError as failure:
            pool.shutdown(cancel_futures=True)
            sys.stderr.write(f"{failure}\n{getattr(failure, 'output', '') or ''}\n")
            return 2
    _print_table([results[run] for run in chosen])
    return 1 if any(result.fault for result in results.values()) else 0


def _print_table(results: Sequence[Result]) -> None:
    rows = [("", "kind", "states", "seconds", "result")]
    for result in results:
        verdict = f"FAILS: {result.fault}" if result.fault else result.told
        rows.append((result.run.name, result.run.kind, f"{result.states:,}", f"{result.seconds:.1f}", verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for name, kind, states, seconds, verdict in rows:
        cells = (name.ljust(widths[0]), kind.ljust(widths[1]), states.rjust(widths[2]), seconds.rjust(widths[3]))
        sys.stdout.write("  ".join((*cells, verdict)) + "\n")


if __name__ == "__main__":
    sys.exit(main())
