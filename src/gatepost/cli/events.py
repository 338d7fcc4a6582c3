"""`gatepost keys events`, `keys made-by`: the audit log, and what it tells of who made which key."""

from datetime import UTC, datetime
from typing import Annotated, Any

from typer import Argument, Option, Typer

from gatepost.base import EVENT_KINDS, ActorKind, BadInputError, Environment, metadata_of_json
from gatepost.cli.help import examples
from gatepost.cli.input import After, EveryPage, KeyId, KeysOptions, Limit, QuietIds, check_one_form, parse_past, verb
from gatepost.cli.output import (
    EVENT_HEADS,
    collect,
    event_row,
    is_terminal,
    note_more,
    print_json,
    print_keys,
    print_line,
    print_note,
    print_rows,
)
from gatepost.keys import event_json

app = Typer()


@app.command(
    epilog=examples(
        "gatepost keys events",
        "gatepost keys events 4fT0aK9sQ2Lm --all",
        "gatepost keys events --by-key 4fT0aK9sQ2Lm --kind rotated --since 7d",
        "gatepost keys events --by-kind person --by-id 17 --limit 500 --json",
    )
)
@verb
async def events(
    options: KeysOptions,
    key_id: Annotated[
        str | None, Argument(metavar="ID", help="Only of this key, also a deleted one.", show_default=False)
    ] = None,
    *,
    kind: Annotated[
        str | None, Option("--kind", metavar="WHAT", help=f"Only what was done so: {', '.join(EVENT_KINDS)}.")
    ] = None,
    project: Annotated[str | None, Option("--project", metavar="NAME", help="Only to keys of this project.")] = None,
    owner: Annotated[
        str | None, Option("--owner", metavar="NAME", help="Only to keys that were of this owner before it.")
    ] = None,
    environment: Annotated[
        Environment | None, Option("--environment", metavar="NAME", help="Only to keys for this one: live, or test.")
    ] = None,
    metadata: Annotated[
        str | None,
        Option("--metadata", metavar="JSON", help='Only to keys that have each of these members now: {"plan": "pro"}.'),
    ] = None,
    by_key: Annotated[str | None, Option("--by-key", metavar="ID", help="Only by this key.")] = None,
    by_kind: Annotated[
        str | None, Option("--by-kind", metavar="KIND", help=f"Only by such a one: {', '.join(ActorKind)}.")
    ] = None,
    by_id: Annotated[
        str | None,
        Option("--by-id", metavar="ID", help="Only by whom this tells: a key's id, a person's, an operator's name."),
    ] = None,
    since: Annotated[
        str | None,
        Option("--since", metavar="WHEN", help="Only from then on: 12h back, 2030-01-31, 2030-01-31T18:00Z."),
    ] = None,
    until: Annotated[str | None, Option("--until", metavar="WHEN", help="Only before then.")] = None,
    limit: Limit = 50,
    after: After = None,
    every: EveryPage = False,
    quiet: QuietIds = False,
) -> None:
    """Tell who changed which key, when, from where, and what, newest first."""
    check_one_form(quiet, options.as_json)
    if by_key is not None and (by_kind, by_id) != (None, None):
        raise BadInputError("--by-key says all of --by-kind and --by-id: leave those out")
    now = datetime.now(UTC)
    choice: dict[str, Any] = {
        "kind": kind,
        "project": project,
        "owner": owner,
        "environment": environment,
        "metadata": None if metadata is None else metadata_of_json(metadata),
        "by_kind": by_kind if by_key is None else ActorKind.KEY,
        "by_id": by_id if by_key is None else by_key,
        "since": None if since is None else parse_past("--since", since, now),
        "until": None if until is None else parse_past("--until", until, now),
    }
    options.check_file()
    async with options.keys() as keys:
        page = await collect(keys.events, key_id=key_id, after=after, limit=limit, every=every, **choice)
    if options.as_json:
        print_json({"items": [event_json(event) for event in page.items], "next": page.next})
    elif quiet:
        for told in dict.fromkeys(event.key_id for event in page.items if event.key_id is not None):
            print_line(told)
    elif page.items or not is_terminal():
        print_rows(EVENT_HEADS, [event_row(event) for event in page.items], cut=("who", "from"), fold=("change",))
    else:
        print_note("No events")
    note_more(page, as_json=options.as_json)


@app.command(
    "made-by",
    epilog=examples(
        "gatepost keys made-by 4fT0aK9sQ2Lm",
        "gatepost keys made-by 4fT0aK9sQ2Lm --all -q | gatepost keys deactivate -",
    ),
)
@verb
async def made_by(
    options: KeysOptions,
    key_id: KeyId,
    *,
    limit: Limit = 50,
    after: After = None,
    every: EveryPage = False,
    quiet: QuietIds = False,
) -> None:
    """List the keys that a key made, those that these made, and so on: what is left of a key that leaked."""
    check_one_form(quiet, options.as_json)
    options.check_file()
    async with options.keys() as keys:
        page = await collect(keys.made_by, key_id=key_id, after=after, limit=limit, every=every)
    print_keys(page, as_json=options.as_json, quiet=quiet)
    note_more(page, as_json=options.as_json)
