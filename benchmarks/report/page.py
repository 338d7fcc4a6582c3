"""The page `docs/benchmarks.md`: how to measure, what holds, where others are ahead, and all that was measured.

Its parts are what is shown at the terminal: a scenario once it is measured, at the end the numbers to hold.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmarks.measured import Measured, Origin, Results, Series, Table
from benchmarks.report import figures
from benchmarks.report.ahead import GATEPOST, Ahead, ahead
from benchmarks.report.limits import Limit, limits, what
from benchmarks.scenarios import NAMES, told

MARKS = {True: "✓", False: "**✗**"}

PLOTS_MAX = 2
"""Of a scenario: a page of plots that nobody looks at helps nobody."""


def markdown(results: Results) -> str:
    """The page's text, of the scenarios that there are now."""
    found = {name: results.scenarios[name] for name in NAMES if name in results.scenarios}
    usual = _usual([measured.origin for measured in found.values()])
    return _render(
        "page",
        machine=_machine(usual, [measured.origin for measured in found.values()]),
        limits=limits(results, found),
        ahead=_condensed(ahead(results, found)),
        scenarios=[_scenario(name, measured, usual) for name, measured in found.items()],
    )


def plotted(name: str, tables: Sequence[Table]) -> dict[str, Table]:
    """The tables of a scenario that deserve a plot, by its file's name: the first that have something to compare."""
    comparing = {
        f"benchmark-{name}-{number}.png": table
        for number, table in enumerate(tables, 1)
        if sum(bool(series.runs) for series in table.series) > 1
    }
    return dict(islice(comparing.items(), PLOTS_MAX))


def scenario(name: str, measured: Measured) -> str:
    """The part on one of them, without its plots and versions."""
    told = _scenario(name, measured, _versions(measured.origin))
    return _render("scenario", scenario=told | {"tables": [table | {"plot": ""} for table in told["tables"]]})


def held(found: Sequence[Limit]) -> str:
    """The part on the numbers to hold."""
    return _render("limits", limits=found)


def _render(template: str, **told: Any) -> str:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # Markdown, of texts in this repository
        trim_blocks=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    made.filters |= {"row": _row, "cell": _cell, "text": _text, "mark": MARKS.get, "title_of": _title}
    made.filters["anchor"] = lambda name: _title(name).lower().replace(" ", "-")
    return made.get_template(f"{template}.md.j2").render(**told)


def _text(told: str) -> str:
    """In a line, where nothing that is meant as it stands is taken for HTML."""
    return " ".join(told.split()).replace("<", "&lt;")


def _cell(told: str) -> str:
    return _text(told).replace("|", "\\|")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _facts(origin: Origin) -> dict[str, str]:
    """What may differ from scenario to scenario, as it is told, by what it is called."""
    return {
        "commit": f"commit `{origin.commit}`",
        "CPU": origin.cpu,
        "CPUs": f"{origin.cpus} CPU{'s' * (origin.cpus != 1)}",
        "system": origin.system,
        "Python": origin.python,
        **_versions(origin),
    }


def _versions(origin: Origin) -> dict[str, str]:
    return {name: f"{name} {version}" for name, version in origin.versions.items()}


def _usual(origins: Sequence[Origin]) -> dict[str, str]:
    """What most scenarios were measured with."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for origin in origins:
        for name, value in _facts(origin).items():
            counts[name][value] += 1
    return {name: values.most_common(1)[0][0] for name, values in counts.items()}


def _machine(usual: Mapping[str, str], origins: Sequence[Origin]) -> str:
    if not origins:
        return "Nothing was measured yet."
    days = sorted({origin.began[:10] for origin in origins})
    commit, cpu, cpus, system, python, *versions = usual.values()
    return (
        f"Measured {' to '.join(dict.fromkeys((days[0], days[-1])))} on {cpu}, {cpus}, {system}, with {python}; "
        f"{commit}. Versions: {', '.join(versions)}. A scenario that was measured otherwise says so."
    )


def _origin(origin: Origin, usual: Mapping[str, str]) -> str:
    quick = "A quick first look: few rounds. " if origin.quick else ""
    facts = _facts(origin)
    other = [told for name, told in facts.items() if usual.get(name) != told]
    other += [f"no {name}" for name in usual if name not in facts]
    otherwise = f" With {', '.join(other)}." if other else ""
    return f"{quick}Measured {origin.began[:10]}, in {origin.seconds:.0f} s: `{origin.command}`.{otherwise}"


def _condensed(found: Iterable[Ahead]) -> list[dict[str, str]]:
    """A row a contestant and table: with an axis, the figures of where it is furthest ahead."""
    rows: dict[tuple[str, str, str], list[Ahead]] = defaultdict(list)
    for each in found:
        rows[each.scenario, each.table.title, each.theirs.name].append(each)
    return [_ahead(places) for places in rows.values()]


def _ahead(places: Sequence[Ahead]) -> dict[str, str]:
    most = max(places, key=lambda each: each.times)
    who, unit, ours = most.theirs.name, most.table.unit, most.ours.name
    at = [figures.place(each.theirs.at) for each in places if each.theirs.at is not None]
    if at:
        who += f", at {' and '.join(filter(None, [', '.join(at[:-1]), at[-1]]))} {most.table.axis}"
        who += f" (figures: {figures.place(most.theirs.at)})" * (len(at) > 1)
    unsure = "" if most.clear else "within the spread: the middle halves overlap"
    return {
        "scenario": most.scenario,
        "table": most.table.title,
        "who": who,
        "theirs": figures.median(most.theirs, unit),
        "ours": figures.median(most.ours, unit) + f" ({ours})" * (ours != GATEPOST),
        "times": figures.NOTHING if most.times == float("inf") else figures.number(most.times),
        "note": "; ".join(filter(None, [most.theirs.note, unsure])),
    }


def _scenario(name: str, measured: Measured, usual: Mapping[str, str]) -> dict[str, Any]:
    plots = {id(table): file for file, table in plotted(name, measured.tables).items()}
    return {
        "name": name,
        "about": told(name),
        "origin": _origin(measured.origin, usual),
        "tables": [_table(table) | {"plot": plots.get(id(table), "")} for table in measured.tables],
    }


def _table(table: Table) -> dict[str, Any]:
    rows = _by_axis(table) if table.axis else _by_name(table)
    return {
        "title": table.title,
        "said": f"{figures.said(table)}.",
        "rows": rows,
        "numbers": len(rows[0]) - (1 if table.axis else 2),
        "ratios": [
            (what(each, table.axis), figures.median(each, ""), figures.middle(each, ""), _wanted(each, "", ""))
            for each in table.ratios
        ],
        "figures": table.figures,
        "said_of": _notes(table) if table.axis else {},
        "note": table.note,
    }


def _by_name(table: Table) -> list[list[str]]:
    """A row a contestant: its median, the middle half where there is one, and what is to be said of it."""
    several = table.rounds > 1
    rows = [["", "median", "middle half", ""] if several else ["", "measured", ""]]
    for series in table.series:
        note = "; ".join(filter(None, [_wanted(series, "to hold: ", table.unit), series.note]))
        middle = [figures.middle(series, table.unit)] if several else []
        rows.append([_name(series.name), figures.median(series, table.unit), *middle, note])
    return rows


def _by_axis(table: Table) -> list[list[str]]:
    """A row a contestant, a column a place."""
    rows = [[table.axis, *map(figures.place, table.places)]]
    return rows + [[_name(name), *(_spread(each, table.unit) for each in table.row(name))] for name in table.names]


def _name(name: str) -> str:
    return f"**{name}**" if name.startswith(GATEPOST) else name


def _wanted(told: Any, words: str, unit: str) -> str:
    return "" if told.limit is None else f"{MARKS[bool(told.holds)]} {words}{figures.bound(told, unit)}"


def _spread(series: Series | None, unit: str) -> str:
    if series is None:
        return ""
    if not series.runs:
        return figures.NOTHING
    middle, mark = figures.middle(series, unit), "" if series.limit is None else f" {MARKS[bool(series.holds)]}"
    return f"{figures.brief(series.spread.median, unit)}{mark}{f' ({middle})' if middle else ''}"


def _notes(table: Table) -> dict[str, str]:
    """What is said about contestants, once, wherever on the axis it was said; by the names of whom it is said."""
    whose: dict[str, list[str]] = {}
    for name in table.names:
        said = dict.fromkeys(series.note for series in table.series if series.name == name and series.note)
        if said:
            whose.setdefault("; ".join(said), []).append(name)
    return {" and ".join(names): text for text, names in whose.items()}
