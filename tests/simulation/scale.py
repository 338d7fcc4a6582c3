"""How far one database goes: sites of up to ten thousand workers, and what their database has to do.

    python -m tests.simulation.scale [--workers 10 100] [--processors 4] [--poll-interval 1] [--max-staleness 10]
    python -m tests.simulation.scale --write

With `--write` the table and the plot of docs/scale.md are made anew (most of an hour). The figures are virtual time, so
they are the same on any machine; a test makes the small ones again and compares (`test_scale.py`).
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median

from tests.simulation.site import Seen, Site, play

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"
PLOT = PAGE.with_name("images") / "scale.png"
BEGIN, END = "<!-- made by: python -m tests.simulation.scale --write -->", "<!-- until here -->"

SMALL, LARGE = (10, 100), (1_000, 10_000)

KINDS = {
    "Database.read_position": "polls",
    "Database.read_events": "reads of the log",
    "Workers.renew": "acknowledgements and signs of life",
    "Workers.read_after": "watches",
    "Workers.read_all": "looks at all workers' rows",
    "Workers.read_acked": "looks at what they have acknowledged",
}
"""What a statement is for, by the method that asks it; what is not here makes the change."""


def sites(numbers: Sequence[int]) -> Iterator[Site]:
    """What the page tells of: each with and without a doorbell, the large ones also as they were, and the largest as it
    should be set."""
    for workers in numbers:
        for doorbell in (True, False):
            yield Site(workers, doorbell, calls=1 if workers > LARGE[0] else 3)
        if workers >= LARGE[0]:
            yield Site(workers, as_it_was=True, calls=1 if workers > LARGE[0] else 3)
        if workers > LARGE[0]:
            yield Site(workers, poll_interval=5.0, max_staleness=30.0, calls=1)


HEAD = (
    "| workers | | statements/s at rest | busy at rest | statements of one `deactivate()` | rows looked at "
    "| its seconds: median, worst | others wait, at most |\n|---:|---|---:|---:|---:|---:|---:|---:|"
)


def row(seen: Seen) -> str:
    """A line of the page's table."""
    site, rest, calls = seen.site, seen.rest, seen.calls
    seconds = [call.seconds for call in calls]
    statements = median(call.load.statements.total() for call in calls)
    rows = median(call.load.rows.total() for call in calls)
    times = f"{median(seconds):.2f}, {max(seconds):.2f}" if len(calls) > 1 else f"{seconds[0]:.2f}"
    return (
        f"| {site.workers:,} | {name(site)} | {rest.statements.total() / site.period:,.0f} "
        f"| {rest.busy / site.period / site.processors:.1%} | {statements:,.0f} | {rows:,.0f} | {times} "
        f"| {max(call.load.longest_wait for call in calls):.3f} |"
    )


def name(site: Site) -> str:
    """What sets a site apart from others of its size."""
    said = "doorbell" if site.doorbell else "polls only"
    if site.poll_interval != Site(0).poll_interval:
        said += f", `poll_interval={site.poll_interval:g}`, `max_staleness={site.max_staleness:g}`"
    return said + ", as it was" * site.as_it_was


def details(seen: Seen) -> str:
    """What the table has no room for."""
    site, call = seen.site, seen.calls[-1]
    lines = [row(seen), f"  busiest tenth of a second at rest: {seen.rest.peak / site.processors:.1%}"]
    for what, said in KINDS.items():
        at_rest = seen.rest.statements[what] / site.period
        lines.append(f"  {said:38} {at_rest:9,.1f}/s at rest, {call.load.statements[what]:8,} in the last call")
    lines.append(f"  given up after their timeout: {seen.given_up}; acknowledged: {call.acknowledged:,}")
    return "\n".join(lines)


def draw(seen: Sequence[Seen], path: Path) -> None:
    """The plot: what a database does at rest, and how long a call takes, by the number of workers."""
    from benchmarks.report.plots import FAINT, GATEPOST, INK, OTHERS, STYLE  # noqa: PLC0415 - Matplotlib: a second
    from matplotlib import rc_context  # noqa: PLC0415
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    lines: Sequence[tuple[str, str, Callable[[Site], bool]]] = (
        ("with a doorbell", GATEPOST[0], lambda site: site.doorbell and not site.as_it_was),
        ("polls only", OTHERS[1], lambda site: not site.doorbell),
        ("with a doorbell, as it was", OTHERS[0], lambda site: site.as_it_was),
    )
    usual = [each for each in seen if each.site.poll_interval == Site(0).poll_interval]
    with rc_context(STYLE):
        figure = Figure(figsize=(7.6, 3.2), layout="constrained")
        FigureCanvasAgg(figure)
        busy, seconds = figure.subplots(1, 2)
        for said, colour, fits in lines:
            drawn = [each for each in usual if fits(each.site)]
            sizes = [each.site.workers for each in drawn]
            busy.plot(sizes, [each.rest.busy / each.site.period for each in drawn], "o-", color=colour, label=said)
            seconds.plot(sizes, [median(call.seconds for call in each.calls) for each in drawn], "o-", color=colour)
        for axes, title in ((busy, "processors busy at rest"), (seconds, "seconds of deactivate(), median")):
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_title(title, size=9, color=INK, loc="left")
            axes.set_xlabel("workers", color=FAINT)
        busy.legend(frameon=False, fontsize=8)
        figure.savefig(path, metadata={"Software": None})


def table(page: str) -> str:
    """What the page holds between its marks."""
    return page.partition(BEGIN)[2].partition(END)[0].strip()


def write(numbers: Sequence[int]) -> None:
    """Make the page's table and plot anew."""
    with ProcessPoolExecutor(2, max_tasks_per_child=1) as pool:
        seen = []
        for each in pool.map(play, sites(numbers)):
            print(details(each), flush=True)
            seen.append(each)
    page = PAGE.read_text()
    rows = "\n".join([HEAD, *map(row, seen)])
    before, after = page.partition(BEGIN)[0], page.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{rows}\n{END}{after}")
    draw(seen, PLOT)


def main() -> int:
    """Run it; answers the exit code."""
    arguments = argparse.ArgumentParser(prog="python -m tests.simulation.scale", description="Simulates large sites.")
    arguments.add_argument("--workers", type=int, nargs="+", default=[*SMALL, LARGE[0]], help="how many, for each site")
    arguments.add_argument("--processors", type=int, default=Site(0).processors, help="of the database")
    arguments.add_argument("--poll-interval", type=float, default=Site(0).poll_interval, help="seconds")
    arguments.add_argument("--max-staleness", type=float, default=Site(0).max_staleness, help="seconds")
    arguments.add_argument("--write", action="store_true", help="make the page's table and plot anew")
    asked = arguments.parse_args()
    if asked.write:
        write([*SMALL, *LARGE])
        return 0
    for workers in asked.workers:
        for doorbell in (True, False):
            site = Site(workers, doorbell, asked.processors, asked.poll_interval, asked.max_staleness)
            print(details(play(site)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
