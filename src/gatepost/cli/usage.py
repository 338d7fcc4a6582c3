"""`gatepost keys usage`, `keys stale`, `keys expiring`: how often keys are used, which are no more, which end soon."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from rich.bar import Bar
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer import Argument, Option, Typer

from gatepost.base import BadInputError, Environment, State, Usage, metadata_of_json
from gatepost.cli.help import examples
from gatepost.cli.input import (
    After,
    EveryPage,
    KeysOptions,
    Limit,
    WhichOptions,
    check_one_form,
    parse_past,
    parse_seconds,
    verb,
)
from gatepost.cli.output import collect, is_terminal, note_more, print_json, print_keys, print_note, print_rows
from gatepost.keys import usage_json

app = Typer()

STALE = "90d"
EXPIRING = "30d"
BAR_WIDTH = 30
"""Characters of the longest bar."""


@app.command(
    epilog=examples(
        "gatepost keys usage 4fT0aK9sQ2Lm",
        "gatepost keys usage 4fT0aK9sQ2Lm --by secret --by outcome --since 7d",
        "gatepost keys usage --owner ann --since 30d",
        "gatepost keys usage --no-key --json",
    )
)
@verb
async def usage(
    options: KeysOptions,
    key_id: Annotated[
        str | None, Argument(metavar="ID", help="The key, also a deleted one.", show_default=False)
    ] = None,
    *,
    no_key: Annotated[bool, Option("--no-key", help="What came without the secret of any key.")] = False,
    owner: Annotated[str | None, Option("--owner", metavar="NAME", help="All keys of this owner, together.")] = None,
    environment: Annotated[
        Environment | None, Option("--environment", metavar="NAME", help="All keys for this one, together.")
    ] = None,
    metadata: Annotated[
        str | None,
        Option("--metadata", metavar="JSON", help='All keys that have each of these members: {"plan": "pro"}.'),
    ] = None,
    by: Annotated[
        list[str] | None, Option("--by", metavar="WHAT", help="day, route, outcome, secret; may be repeated.")
    ] = None,
    since: Annotated[
        str | None, Option("--since", metavar="WHEN", help="Only from that day on: 7d back, 2030-01-31; UTC.")
    ] = None,
    until: Annotated[str | None, Option("--until", metavar="WHEN", help="Only before that day.")] = None,
) -> None:
    """Show how often a key was used, refusals included, with a bar chart. Up to a minute behind."""
    noted = None if metadata is None else metadata_of_json(metadata)
    of_many: dict[str, Any] = {"owner": owner, "environment": environment, "metadata": noted}
    if [key_id is not None, no_key, any(each is not None for each in of_many.values())].count(True) != 1:
        raise BadInputError("Name the key by its id, or keys by --owner, --environment or --metadata, or say --no-key")
    now = datetime.now(UTC)
    first, last = (
        None if text is None else parse_past(option, text, now).date()
        for option, text in (("--since", since), ("--until", until))
    )
    groups = tuple(by or ("day",))
    options.check_file()
    async with options.keys() as keys:
        lines = await keys.usage(key_id, since=first, until=last, by=groups, **of_many)
    if options.as_json:
        print_json({"items": [usage_json(line, groups) for line in lines]})
    elif not is_terminal():
        print_rows((), [_row(line, groups) for line in lines])
    elif lines:
        _print_chart(lines, groups)
    else:
        print_note("Not used, as far as was counted")


@app.command(
    epilog=examples(
        "gatepost keys stale",
        "gatepost keys stale --unused-for 180d --project acme",
        "gatepost keys stale --all -q | gatepost keys deactivate -",
    )
)
@verb
async def stale(
    options: WhichOptions,
    *,
    limit: Limit = 50,
    after: After = None,
    every: EveryPage = False,
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print the ids alone, one a line.")] = False,
) -> None:
    """List the active keys that nobody has used for 90 days (--unused-for), longest first. Keys that are younger are
    not among them."""
    check_one_form(quiet, options.as_json)
    which = options.which()
    if which["state"] is None and which["active"] is None:
        which["active"] = True
    if which["unused_for"] is None and not which["never_used"]:
        which["unused_for"] = parse_seconds("--unused-for", STALE)
    options.check_file()
    async with options.keys() as keys:
        page = await collect(keys.list, after=after, limit=limit, every=every, sort="last_used", **which)
    print_keys(page, as_json=options.as_json, quiet=quiet)
    note_more(page, as_json=options.as_json)


@app.command(
    epilog=examples(
        "gatepost keys expiring",
        "gatepost keys expiring --within 7d --owner ann --json",
        "gatepost keys expiring --all -q",
    )
)
@verb
async def expiring(
    options: WhichOptions,
    *,
    within: Annotated[str, Option("--within", metavar="SPAN", help="How soon they end.")] = EXPIRING,
    limit: Limit = 50,
    after: After = None,
    every: EveryPage = False,
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print the ids alone, one a line.")] = False,
) -> None:
    """List the keys that work and end within 30 days (--within), the first to end first."""
    check_one_form(quiet, options.as_json)
    which = options.which()
    if which["state"] is not None or which["active"] is not None:
        raise BadInputError("keys expiring lists keys that work: leave out their state")
    which |= {"state": State.EXPIRING, "expires_within": parse_seconds("--within", within)}
    options.check_file()
    async with options.keys() as keys:
        page = await collect(keys.list, after=after, limit=limit, every=every, sort="expires", **which)
    print_keys(page, as_json=options.as_json, quiet=quiet)
    note_more(page, as_json=options.as_json)


def _row(line: Usage, groups: Sequence[str]) -> Sequence[str]:
    """A line for a pipe."""
    told = [str(getattr(line, group)) for group in groups]
    return [*told, str(line.count), line.last_at.isoformat(), line.last_address or ""]


def _print_chart(lines: Sequence[Usage], groups: Sequence[str]) -> None:
    """A table for people, with a bar for each line."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for group in groups:
        table.add_column(group.upper(), overflow="fold")
    for head in ("REQUESTS", "", "LAST", "FROM"):
        table.add_column(head, justify="right" if head == "REQUESTS" else "left", no_wrap=True)
    most = max(line.count for line in lines)
    for line in lines:
        table.add_row(
            *(Text(_cell(line, group)) for group in groups),
            f"{line.count:,}",
            Bar(most, 0, line.count, width=BAR_WIDTH),
            f"{line.last_at:%Y-%m-%d %H:%M:%S}",
            Text(line.last_address or ""),
        )
    Console(highlight=False, markup=False, emoji=False).print(table)


def _cell(line: Usage, group: str) -> str:
    """What a line is of, for people."""
    if group == "day" and line.day is not None:
        return f"{line.day:%Y-%m}" if line.by_month else f"{line.day}"
    if group == "secret":
        return f"{line.secret_state or 'unknown'} {line.secret_hint or line.secret or ''}".rstrip()
    return str(getattr(line, group)) or "(not known)"
