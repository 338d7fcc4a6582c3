"""`gatepost keys …`: making keys, looking at them, giving one a new secret."""

from typing import Annotated

from typer import Argument, Option, Typer

from gatepost.base import StillSpreadingError
from gatepost.cli.help import examples
from gatepost.cli.input import (
    After,
    Before,
    ChangeOptions,
    ChoiceOptions,
    EveryPage,
    KeyId,
    KeysOptions,
    Limit,
    Making,
    NoWait,
    Timeout,
    WhichOptions,
    check_one_form,
    format_span,
    parse_seconds,
    verb,
    waiting,
)
from gatepost.cli.output import (
    collect,
    is_terminal,
    note_more,
    print_issued,
    print_json,
    print_key,
    print_keys,
    print_line,
    print_note,
)
from gatepost.keys import key_json

app = Typer()

Quiet = Annotated[bool, Option("--quiet", "-q", help="Print the secret alone.")]


@app.command(
    epilog=examples(
        'gatepost keys create "nightly import" -p FILE_UPLOAD,OBJECTS_LIST',
        'gatepost keys create "CI" -p FILE_UPLOAD --expires 90d --quiet > secret',
        'gatepost keys create "office" --allow 203.0.113.0/24,2001:db8::/32',
        'gatepost keys create "agency" -p FILE_UPLOAD --resource "dir:/spring/*"',
    )
)
@verb
async def create(
    options: ChangeOptions,
    description: Annotated[str, Argument(metavar="DESCRIPTION", help="What tells it from others.")],
    *,
    making: Making,
    quiet: Quiet = False,
) -> None:
    """Make a key, and show its secret, once."""
    check_one_form(quiet, options.as_json)
    given = making.arguments()
    options.check_named()
    keys = options.keys()
    keys.catalogue.check(given["permissions"])  # before a file is made
    file = options.sqlite_file()
    made = file if file is not None and not file.exists() else None
    if made is not None:
        await keys.create_schema()
        if not options.as_json:
            print_note(f"Made the SQLite file {made}, since there was none")
    async with keys:
        issued = await keys.create(description, **given, actor=options.who())
        print_issued(issued, keys, "", as_json=options.as_json, quiet=quiet, made=made)


@app.command(
    "list",
    epilog=examples(
        "gatepost keys list --project acme --active",
        "gatepost keys list --state expiring --sort expires",
        "gatepost keys list --permission FILE_UPLOAD --all --json",
        "gatepost keys list --project acme --all -q | gatepost keys deactivate -",
    ),
)
@verb
async def list_keys(
    options: ChoiceOptions,
    *,
    limit: Limit = 50,
    after: After = None,
    before: Before = None,
    every: EveryPage = False,
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print the ids alone, one a line.")] = False,
) -> None:
    """List keys, newest first unless told otherwise."""
    check_one_form(quiet, options.as_json)
    options.check_file()
    async with options.keys() as keys:
        page = await collect(keys.list, after=after, before=before, limit=limit, every=every, **options.choice())
    if options.as_json:
        told = [key_json(key) for key in page.items]
        print_json({"items": told, "next": page.next, "previous": page.previous})
    else:
        print_keys(page, as_json=False, quiet=quiet)
    note_more(page, as_json=options.as_json)


@app.command(epilog=examples("gatepost keys count --state expired", "gatepost keys count --project acme --json"))
@verb
async def count(options: WhichOptions) -> None:
    """Count keys; of more than 10,000 it says that there are more."""
    options.check_file()
    async with options.keys() as keys:
        total = await keys.count(**options.which())
    if options.as_json:
        print_json({"number": total.number, "exact": total.exact})
    else:
        print_line(str(total) if is_terminal() else f"{total.number}{'' if total.exact else '+'}")


@app.command(epilog=examples("gatepost keys projects", "gatepost keys projects --all --json"))
@verb
async def projects(options: KeysOptions, *, limit: Limit = 100, after: After = None, every: EveryPage = False) -> None:
    """List the projects that have keys, by name."""
    options.check_file()
    async with options.keys() as keys:
        page = await collect(keys.projects, after=after, limit=limit, every=every)
    if options.as_json:
        print_json({"items": page.items, "next": page.next})
    else:
        for name in page.items:
            print_line(name)
    note_more(page, as_json=options.as_json)


@app.command(epilog=examples("gatepost keys show 4fT0aK9sQ2Lm", "gatepost keys show 4fT0aK9sQ2Lm --json"))
@verb
async def show(options: KeysOptions, key_id: KeyId) -> None:
    """Show everything about a key but its secret."""
    options.check_file()
    async with options.keys() as keys:
        print_key(await keys.get(key_id), keys.catalogue, as_json=options.as_json)


@app.command(
    epilog=examples(
        "gatepost keys rotate 4fT0aK9sQ2Lm --grace 1h", "gatepost keys rotate 4fT0aK9sQ2Lm --grace 0 --quiet"
    )
)
@verb
async def rotate(
    options: ChangeOptions,
    key_id: KeyId,
    grace: Annotated[
        str, Option("--grace", metavar="SPAN", help="How long the old secret still works: 1h, 2d, seconds, or 0.")
    ],
    *,
    quiet: Quiet = False,
    no_wait: NoWait = False,
    timeout: Timeout = None,
) -> None:
    """Give a key a new secret, and show it, once."""
    check_one_form(quiet, options.as_json)
    seconds = parse_seconds("--grace", grace)
    options.check_file()
    async with options.keys() as keys:
        late = None
        try:
            issued = await keys.rotate(
                key_id, grace=seconds, actor=options.who(), wait=waiting(no_wait), timeout=timeout
            )
        except StillSpreadingError as error:  # the secret is told now or never
            issued, late = error.result, error
        note = "The old one is dead."
        if seconds:
            note = f"The old one works for {format_span(seconds)} more; gatepost keys end-grace {key_id} ends it now."
        print_issued(issued, keys, note, as_json=options.as_json, quiet=quiet)
    if late is not None:
        raise late
