"""The page `docs/benchmarks.md`: how to measure, what holds, where others are ahead, and all that was measured."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmarks.measured import Measured, Origin, Ratio, Results, Series, Table
from benchmarks.report import figures
from benchmarks.report.ahead import GATEPOST, Ahead, ahead
from benchmarks.report.limits import limits, pair
from benchmarks.report.matrix import Matrix, heads, notes, rounds, spread_out
from benchmarks.report.plots import file_name, plotted
from benchmarks.scenarios import NAMES, told

MARKS = {True: "✓", False: "**✗**"}


def write(results: Results, path: Path) -> None:
    """Make the page anew."""
    path.write_text(markdown(results), encoding="utf-8")


def markdown(results: Results) -> str:
    """The page's text, of the scenarios that there are now."""
    names = [name for name in NAMES if name in results.scenarios]
    origins = {name: results.scenarios[name].origin for name in names}
    usual = _usual(list(origins.values()))
    found = limits(results, names)
    return (
        _environment()
        .get_template("page.md.j2")
        .render(
            machine=_machine(usual, list(origins.values())),
            limits=found,
            held=sum(limit.held for limit in found),
            ahead=_condensed(ahead(results, names)),
            scenarios=[_scenario(name, results.scenarios[name], usual) for name in names],
        )
    )


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # Markdown, of texts in this repository
        trim_blocks=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    made.filters |= {"cell": _cell, "text": _text, "mark": MARKS.get, "title_of": _title, "anchor": _anchor}
    return made


def _text(told: str) -> str:
    """In a line, where nothing that is meant as it stands is taken for HTML."""
    return " ".join(told.split()).replace("<", "&lt;")


def _cell(told: str) -> str:
    return _text(told).replace("|", "\\|")


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _anchor(name: str) -> str:
    """What a heading of that scenario is linked by."""
    return _title(name).lower().replace(" ", "-")


def _machine(usual: Mapping[str, str], origins: Sequence[Origin]) -> str:
    if not origins:
        return "Nothing was measured yet."
    days = sorted({origin.began[:10] for origin in origins})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    stays = {name: version for name, version in usual.items() if name not in PLACE}
    versions = ", ".join(f"{name} {version}" for name, version in stays.items())
    return (
        f"Measured {when} on {usual['CPU']}, {usual['CPUs']}, {usual['system']}, with {usual['Python']}; commit "
        f"`{usual['commit']}`. Versions: {versions}. A scenario that was measured otherwise says so."
    )


PLACE = ("commit", "CPU", "CPUs", "system", "Python")


def _facts(origin: Origin) -> dict[str, str]:
    """What may differ from scenario to scenario, by what it is called."""
    return {
        "commit": origin.commit,
        "CPU": origin.cpu,
        "CPUs": f"{origin.cpus} CPU{'s' * (origin.cpus != 1)}",
        "system": origin.system,
        "Python": origin.python,
        **origin.versions,
    }


def _usual(origins: Sequence[Origin]) -> dict[str, str]:
    """What most scenarios were measured with."""
    counts: dict[str, Counter[str]] = {}
    for origin in origins:
        for name, value in _facts(origin).items():
            counts.setdefault(name, Counter())[value] += 1
    return {name: values.most_common(1)[0][0] for name, values in counts.items()}


def _origin(origin: Origin, usual: Mapping[str, str]) -> str:
    quick = "A quick first look: few rounds. " if origin.quick else ""
    facts = _facts(origin)
    other = [_told(name, value) for name, value in facts.items() if usual[name] != value]
    other += [f"no {name}" for name in usual if name not in facts]
    otherwise = f" With {', '.join(other)}." if other else ""
    return f"{quick}Measured {origin.began[:10]}, in {origin.seconds:.0f} s: `{origin.command}`.{otherwise}"


def _told(name: str, value: str) -> str:
    return f"commit `{value}`" if name == "commit" else value if name in PLACE else f"{name} {value}"


def _condensed(found: Iterable[Ahead]) -> list[dict[str, str]]:
    """A row a contestant and table: with an axis, the figures of where it is furthest ahead."""
    rows: dict[tuple[str, str, str], list[Ahead]] = {}
    for each in found:
        rows.setdefault((each.scenario, each.table.title, each.theirs.name), []).append(each)
    return [_row(places) for places in rows.values()]


def _row(places: Sequence[Ahead]) -> dict[str, str]:
    most = max(places, key=lambda each: each.times)
    who = most.theirs.name
    at = [figures.place(each.theirs.at) for each in places if each.theirs.at is not None]
    if at:
        who += f", at {' and '.join(filter(None, [', '.join(at[:-1]), at[-1]]))} {most.table.axis}"
        if len(at) > 1 and most.theirs.at is not None:
            who += f" (figures: {figures.place(most.theirs.at)})"
    against = "" if most.ours.name == GATEPOST else f" ({most.ours.name})"
    unsure = [] if most.clear else ["within the spread: the middle halves overlap"]
    return {
        "scenario": most.scenario,
        "table": most.table.title,
        "who": who,
        "theirs": figures.figure(most.theirs.spread.median, most.table.unit),
        "ours": figures.figure(most.ours.spread.median, most.table.unit) + against,
        "times": figures.NOTHING if most.times == float("inf") else figures.number(most.times),
        "note": "; ".join([*filter(None, [most.theirs.note]), *unsure]),
    }


def _scenario(name: str, measured: Measured, usual: Mapping[str, str]) -> dict[str, Any]:
    plots = {number: file_name(name, number) for number, _ in plotted(measured.tables)}
    return {
        "name": name,
        "about": told(name),
        "origin": _origin(measured.origin, usual),
        "tables": [_table(table, plots.get(number, "")) for number, table in enumerate(measured.tables, 1)],
    }


def _table(table: Table, plot: str) -> dict[str, Any]:
    unit = figures.heading(table.unit)
    said = f"{unit}{', ' * bool(unit)}{table.better} is better; {rounds(table)}."
    return {
        "title": table.title,
        "said": f"{said[0].upper()}{said[1:]}",
        "plot": plot,
        "rows": _by_axis(table) if table.axis else _by_name(table),
        "ratios": [_ratio(ratio, table) for ratio in table.ratios],
        "figures": table.figures,
        "said_of": notes(table) if table.axis else {},
        "note": table.note,
    }


def _by_name(table: Table) -> str:
    middle = ["middle half"] * spread_out(table)
    rows = [_line("", "median" if middle else "measured", *middle, "") + "\n|---|--:|" + "--:|" * len(middle) + "---|"]
    for series in table.series:
        found = _found(series, table.unit)[: 1 + len(middle)]
        rows.append(_line(_name(series.name), *found, _said(series, table)))
    return "\n".join(rows)


def _by_axis(table: Table) -> str:
    matrix = Matrix(table)
    rows = [_line(table.axis, *heads(matrix.places)) + "\n|---|" + "--:|" * len(matrix.places)]
    rows += [_line(_name(name), *(_spread(each, table) for each in matrix.series(name))) for name in matrix.names]
    return "\n".join(rows)


def _line(*cells: str) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _name(name: str) -> str:
    return f"**{name}**" if name.startswith(GATEPOST) else name


def _found(series: Series, unit: str) -> tuple[str, str]:
    if not series.runs:
        return "not measured", ""
    return figures.figure(series.spread.median, unit), _middle(series, unit)


def _middle(told: Series | Ratio, unit: str = "") -> str:
    return figures.quartiles(told.spread, unit) if len(told.runs) > 1 else ""


def _said(series: Series, table: Table) -> str:
    held = []
    if series.limit is not None:
        held.append(f"{MARKS[bool(series.holds)]} to hold: {figures.bound(series, table.unit)}")
    return "; ".join([*held, *filter(None, [series.note])])


def _spread(series: Series | None, table: Table) -> str:
    if series is None:
        return ""
    if not series.runs:
        return figures.NOTHING
    middle = _middle(series, table.unit)
    mark = "" if series.limit is None else f" {MARKS[bool(series.holds)]}"
    return f"{figures.brief(series.spread.median, table.unit)}{mark}{' (' * bool(middle)}{middle}{')' * bool(middle)}"


def _ratio(ratio: Ratio, table: Table) -> dict[str, str]:
    wanted = f"{MARKS[bool(ratio.holds)]} {figures.bound(ratio)}" if ratio.limit is not None else ""
    return {
        "what": pair(ratio, table.axis),
        "found": figures.ratio(ratio) if ratio.runs else "not measured",
        "middle": _middle(ratio),
        "wanted": wanted,
    }
