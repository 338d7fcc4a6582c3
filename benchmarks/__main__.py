"""Measure gatepost and what people would use instead, on this machine, and report it: `make bench`."""

import argparse
import asyncio
import shlex
import signal
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.servers.programs import ProgramMissingError

from benchmarks import measured
from benchmarks.measured import RESULTS, Measured, Results, Table
from benchmarks.origin import ROOT, origin
from benchmarks.progress import progress
from benchmarks.report import terminal
from benchmarks.rounds import Plan
from benchmarks.scenarios import NAMES, about, load

QUICK_RESULTS = RESULTS.with_name("quick.json")
"""Kept apart, and out of git: a first look does not replace what was measured with care."""

LEFT_OUT_OF_QUICK = frozenset({"connections", "servers", "websocket", "outage", "footprint", "startup"})
"""Unless they are named: others give a first look at the same, or they cannot be short."""

DOCS = ROOT / "docs"
INTERRUPTED = 130
"""The shell's exit code for what Ctrl-C ended: 128 + SIGINT."""


def main(words: Sequence[str]) -> int:
    """Measure, keep, report. 1 where a number is not held or a scenario could not be measured; 130 after Ctrl-C."""
    options = _options(words)
    if options.list:
        for name in NAMES:
            print(f"{name:18}{about(name)}")
        return 0
    path = options.results or (QUICK_RESULTS if options.quick else RESULTS)
    try:
        return _report(path, options.scenarios) if options.report else _measure(path, options, words)
    except KeyboardInterrupt:
        kept = f" What was measured before is kept in {_near(path)}." if path.exists() else ""
        print(f"Interrupted.{kept}", file=sys.stderr)
        return INTERRUPTED


def _measure(path: Path, options: argparse.Namespace, words: Sequence[str]) -> int:
    results = measured.read(path)
    left_out = LEFT_OUT_OF_QUICK if options.quick else frozenset()
    names = list(dict.fromkeys(options.scenarios)) or [name for name in NAMES if name not in left_out]
    command = shlex.join(["make", "bench", *([f"ARGS={shlex.join(words)}"] if words else [])])
    failed: dict[str, str] = {}
    for number, name in enumerate(names):
        began = datetime.now(UTC)
        try:
            with progress(name, number, len(names)) as tell:
                tables = asyncio.run(_tables(name, Plan(quick=options.quick, tell=tell)))
        except ProgramMissingError as missing:
            failed[name] = str(missing)
        except ModuleNotFoundError as missing:
            failed[name] = f"{missing}: `make bench` installs it"
        except Exception as wrong:  # noqa: BLE001 - what is wrong with one scenario is told, and the others go on
            failed[name] = f"{type(wrong).__name__}: {wrong}"
            traceback.print_exc()
        else:
            results.scenarios[name] = Measured(origin=origin(command, began, quick=options.quick), tables=tuple(tables))
            measured.write(path, results)
            terminal.show(name, results.scenarios[name])
    lacking = [f"{name}: not measured: {why}" for name, why in failed.items()]
    if left_out and not options.scenarios:
        print(f"Left out of a quick run unless named: {', '.join(sorted(left_out))}.", file=sys.stderr)
    return _conclude(path, results, [name for name in names if name not in failed], lacking)


async def _tables(name: str, plan: Plan) -> Sequence[Table]:
    """Measure one scenario. Ctrl-C reaches the servers that were started too, and ends may fail when these are gone:
    such failures are not told."""
    try:
        return await load(name)(plan)
    except Exception:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError from None
        raise


def _report(path: Path, scenarios: Sequence[str]) -> int:
    """From what was measured before."""
    results = measured.read(path)
    names = [name for name in dict.fromkeys(scenarios or NAMES) if name in results.scenarios]
    for name in names:
        terminal.show(name, results.scenarios[name])
    lacking = [f"{name}: not measured yet" for name in dict.fromkeys(scenarios) if name not in names]
    lacking = lacking if results.scenarios else ["nothing was measured yet"]
    return _conclude(path, results, names, [f"{told} ({_near(path)})" for told in lacking])


def _conclude(path: Path, results: Results, names: Sequence[str], lacking: Sequence[str]) -> int:
    """Tell what holds, make the plots and the page of what was measured with care, and tell what is lacking."""
    missed = terminal.verdict(results, names)
    if path == RESULTS and results.scenarios:
        from benchmarks.report import page, plots  # noqa: PLC0415 - Matplotlib would burden what is measured

        plots.draw(results, DOCS / "images")
        (DOCS / "benchmarks.md").write_text(page.markdown(results), encoding="utf-8")
        print(f"{_near(DOCS / 'benchmarks.md')} and its plots are up to date.", file=sys.stderr)
    for told in lacking:
        print(told, file=sys.stderr)
    return int(bool(lacking) or missed > 0)


def _near(path: Path) -> Path:
    """As one calls it from here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="scenario", help="only these; `--list` tells which there are")
    parser.add_argument("--list", action="store_true", help="what is measured")
    parser.add_argument("--quick", action="store_true", help="a first look, in about a minute; docs stay as they are")
    parser.add_argument("--report", action="store_true", help="measure nothing: tell, plot and write what was measured")
    parser.add_argument("--results", type=Path, metavar="FILE", help="another file to keep the results in; docs stay")
    options = parser.parse_args(words)
    if unknown := sorted(set(options.scenarios) - set(NAMES)):
        parser.error(f"no such scenario: {', '.join(unknown)}; there are: {', '.join(NAMES)}")
    return options


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what it starts in the background ignore it
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # through the ends: no server stays
    sys.exit(main(sys.argv[1:]))
