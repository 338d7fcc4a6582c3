"""`gatepost coverage`: which of an app's routes ask for what, and which forgot to."""

import asyncio
import gc
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Exit, Option

from gatepost.base import BadInputError, GatepostError
from gatepost.cli.codes import ExitCode
from gatepost.cli.input import KeysOptions, named_once, parse_seconds
from gatepost.cli.output import is_terminal, print_json, print_line, print_note, print_rows
from gatepost.coverage import (
    Accepted,
    Coverage,
    Gap,
    coverage_of,
    gap_json,
    gone_from,
    grants_of,
    needs_text,
    new_in,
    prove,
    read_baseline,
    write_baseline,
)
from gatepost.keys import APIKeys, load
from gatepost.keys.parts import variables

UNUSED_FOR = "90d"

_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}
_NOTES = {
    "exempt": "exempt, so that no key is asked",
    "unasked": "no route asks for",
    "unheld": "asked for, and no active key has",
    "granted_unasked": "active keys have, and no route asks for",
}
"""What notes of one kind are summed up as, for people."""


def coverage(
    app: Annotated[
        str | None,
        Argument(
            metavar="MODULE:NAME", envvar=variables.APP, help="The app, as a server is given it.", show_default=False
        ),
    ] = None,
    *,
    named: Annotated[
        str | None, Option("--app", metavar="MODULE:NAME", help="The same, as other commands are told it.")
    ] = None,
    probe: Annotated[
        bool, Option("--probe", help="Prove each answer by a request without a key, where no handler can run.")
    ] = False,
    check: Annotated[
        Path | None, Option("--check", metavar="FILE", help="Exit with 1 where something is not in this baseline.")
    ] = None,
    write: Annotated[
        Path | None, Option("--write-baseline", metavar="FILE", help="Accept what there is now, in this file.")
    ] = None,
    database: Annotated[
        str | None, Option("--database", metavar="URL", help="Whose keys to join. Default: the app's own.")
    ] = None,
    no_keys: Annotated[bool, Option("--no-keys", help="Look at the code alone.")] = False,
    unused_for: Annotated[
        str, Option("--unused-for", metavar="SPAN", help="How long a permission must not have been used.")
    ] = UNUSED_FOR,
    as_json: Annotated[bool, Option("--json", help="Print JSON, for programs; errors too, on stderr.")] = False,
    _debug: Annotated[bool, Option("--debug", help="Show where an error comes from.")] = False,
) -> None:
    """Tell which permissions each route of an app asks for, which need only a key, and which need none.

    The app is imported, and nothing is started. With its keys: which permissions nobody has, and which nobody uses.

    Exits 1 with --check where something is found that the baseline does not have.
    """
    if as_json:  # stderr is for the one JSON object of an error
        logging.getLogger("gatepost").addHandler(logging.NullHandler())
    if no_keys and database is not None:
        raise BadInputError("--no-keys and --database exclude each other")
    app = named_once(app, named)
    days = _days(unused_for)
    accepted = None if check is None else read_baseline(check)
    with _nothing_collected():
        looked = _look(app, probe)
        if not no_keys and (database is not None or (check is None and write is None)):
            looked = _joined(looked, database, days)
    if write is not None:
        write_baseline(write, looked.gaps, app or "")
    if accepted is not None:
        _print_check(app, looked, accepted, as_json=as_json)
    elif as_json:
        print_json({"app": app, **looked.as_dict()})
    else:
        _print(looked)


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """An app that is imported stays, and SQLAlchemy too: nothing is gained by looking through all of it for garbage,
    again and again while it grows."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _look(app: str | None, probe: bool) -> Coverage:
    if app is None:
        raise BadInputError("Name the app, as a server is given it: gatepost coverage main:app")
    found: Any = load(app, "The app", "main:app")
    if not callable(found):
        raise BadInputError(f"The app {app!r} is no ASGI app, but {type(found).__name__}")
    looked = coverage_of(found)
    return asyncio.run(prove(found, looked)) if probe else looked


def _print_check(app: str | None, looked: Coverage, accepted: Accepted, *, as_json: bool) -> None:
    """What is new, and exit with 1 where something is."""
    new, gone = new_in(looked.gaps, accepted), gone_from(looked.gaps, accepted)
    if as_json:
        print_json({"app": app, **looked.as_dict(), "new": [gap_json(gap) for gap in new], "gone": gone})
    else:
        _print_gaps(new)
        if is_terminal():
            print_line(_summed(looked))
        if gone:
            print_note(f"In the baseline, and not found any more: {'; '.join(gone)}")
    if new:
        raise Exit(ExitCode.FAILED)


def _days(span: str) -> int:
    days = round(parse_seconds("--unused-for", span) / 86_400)
    if days < 1:
        raise BadInputError(f"--unused-for must be a day or more, for usage is counted by days: {span}")
    return days


def _joined(looked: Coverage, database: str | None, days: int) -> Coverage:
    """The same, with what the keys have and use. Where they are the app's own and cannot be asked, a note says why."""
    around = {id(guard.middleware.keys): guard.middleware.keys for route, _ in looked.routes for guard in route.guards}
    if database is None and len(around) != 1:
        print_note("Keys were not looked at: " + ("no middleware leads to any" if not around else "there are several"))
        return looked
    of_app = next(iter(around.values()), None)
    typed = frozenset[str]() if database is None else frozenset({"database"})
    options = KeysOptions(database=database or "", of_app=of_app, typed=typed)
    try:
        options.check_file()
        counted = of_app is None or of_app.counts_usage
        if not counted:
            print_note("Usage was not looked at: the app does not count it (usage=False)")
        return asyncio.run(_asked(looked, options.keys(redis=None), days, counted=counted))
    except GatepostError as failure:
        if database is not None:
            raise
        print_note(f"Keys were not looked at: {failure}")
        return looked


async def _asked(looked: Coverage, closed: APIKeys, days: int, *, counted: bool) -> Coverage:
    async with closed as keys:
        grants = await grants_of(keys, looked.asked, days, counted=counted)
    return replace(looked, grants=grants, gaps=[*looked.gaps, *grants.gaps(looked.asked)])


def _print(looked: Coverage) -> None:
    rows = [
        (route.subject, needs_text(route, needs), *_proof(looked, route), route.place or route.handler)
        for route, needs in looked.routes
    ]
    proof = ("proof",) if looked.proofs else ()
    print_rows(("route", "needs", *proof, "handler"), rows, cut=("handler",), fold=("needs", "proof"))
    if looked.grants is not None:
        if is_terminal():
            print_line("")
        lines = [(name, looked.grants.line_json(name)) for name in sorted(looked.asked)]
        print_rows(
            ("permission", "routes", "keys that have it", f"used it in {looked.grants.days} days"),
            [
                (
                    name,
                    str(len(looked.asked[name])),
                    str(line["holders"]),
                    "-" if line["used_by"] is None else str(line["used_by"]),
                )
                for name, line in lines
            ],
        )
    if is_terminal():
        print_line("")
    _print_gaps(looked.gaps)
    if is_terminal():
        print_line(_summed(looked))


def _proof(looked: Coverage, route: Any) -> tuple[str, ...]:
    return (looked.proofs[route],) if looked.proofs else ()


def _print_gaps(gaps: Sequence[Gap]) -> None:
    if not is_terminal():
        print_rows((), [(gap.severity, gap.code, gap.subject, gap.sentence, gap.remedy) for gap in gaps])
        return
    for code, same in groupby(gaps, key=lambda gap: gap.code):
        if code in _NOTES:
            print_line(f"note: {_NOTES[code]}: {', '.join(gap.subject for gap in same)}", _STYLES["note"])
            print_line("")
            continue
        for gap in same:
            print_line(f"{gap.severity}: {gap.sentence}", _STYLES[gap.severity])
            print_line(gap.remedy)
            print_line("")


def _summed(looked: Coverage) -> str:
    counts = ", ".join(f"{count} {needs}" for needs, count in looked.counts.items())
    routes = "1 route" if len(looked.routes) == 1 else f"{len(looked.routes)} routes"
    return f"{routes}; needed: {counts}" if counts else routes
