"""`gatepost keys …`: making keys, looking at them, changing one."""

import sys
from datetime import UTC, datetime
from typing import Annotated

from typer import Argument, Option, Typer

from gatepost.base import (
    BadInputError,
    Environment,
    Receipt,
    StillSpreadingError,
    limit_of_text,
    metadata_of_json,
)
from gatepost.cli.help import examples
from gatepost.cli.input import (
    After,
    Allow,
    Before,
    ChangeOptions,
    ChoiceOptions,
    EveryPage,
    Expires,
    KeyId,
    KeysOptions,
    Limit,
    Limits,
    Metadata,
    NoWait,
    Owner,
    Permissions,
    Roles,
    Timeout,
    WhichOptions,
    check_one_form,
    complete_permission,
    format_span,
    ids_of,
    parse_seconds,
    parse_when,
    split_names,
    verb,
    waiting,
)
from gatepost.cli.output import (
    LIST_HEADS,
    collect,
    is_terminal,
    key_row,
    note_more,
    print_issued,
    print_json,
    print_key,
    print_line,
    print_note,
    print_rows,
    tell_receipt,
)
from gatepost.keys import key_json
from gatepost.rules import UNSET

app = Typer()

Quiet = Annotated[bool, Option("--quiet", "-q", help="Print the secret alone.")]


@app.command(
    epilog=examples(
        'gatepost keys create "nightly import" -p FILE_UPLOAD,OBJECTS_LIST',
        'gatepost keys create "CI" -p FILE_UPLOAD --expires 90d --quiet > secret',
        'gatepost keys create "office" --allow 203.0.113.0/24,2001:db8::/32',
    )
)
@verb
async def create(
    options: ChangeOptions,
    description: Annotated[str, Argument(metavar="DESCRIPTION", help="What tells it from others.")],
    *,
    permission: Permissions = None,
    role: Roles = None,
    project: Annotated[str | None, Option("--project", metavar="NAME", help="Default: every project.")] = None,
    expires: Expires = None,
    allow: Allow = None,
    limit: Limits = None,
    owner: Owner = None,
    environment: Annotated[
        Environment | None,
        Option("--environment", metavar="NAME", help="What it is for, as its secret says: live, or test."),
    ] = None,
    metadata: Metadata = None,
    inactive: Annotated[bool, Option("--inactive", help="Switched off, until it is activated.")] = False,
    quiet: Quiet = False,
) -> None:
    """Make a key, and show its secret, once."""
    check_one_form(quiet, options.as_json)
    expires_at = None if expires is None else parse_when("--expires", expires, datetime.now(UTC))
    options.check_named()
    keys = options.keys()
    permissions = keys.catalogue.check(split_names(permission or ()))  # before a file is made
    file = options.sqlite_file()
    made = file if file is not None and not file.exists() else None
    if made is not None:
        await keys.create_schema()
        if not options.as_json:
            print_note(f"Made the SQLite file {made}, since there was none")
    async with keys:
        issued = await keys.create(
            description,
            permissions,
            roles=split_names(role or ()),
            project=project,
            expires_at=expires_at,
            active=not inactive,
            allow=split_names(allow) if allow else None,
            limits=[limit_of_text(each) for each in split_names(limit or ())],
            owner=owner or None,
            environment=environment or UNSET,
            metadata=metadata_of_json(metadata or "{}"),
            actor=options.who(),
        )
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
    if before is not None and every:
        raise BadInputError("--before and --all exclude each other")
    options.check_file()
    async with options.keys() as keys:
        if before is not None:
            page = await keys.list(**options.choice(), after=after, before=before, limit=limit)
        else:
            page = await collect(keys.list, after=after, limit=limit, every=every, **options.choice())
    if options.as_json:
        told = [key_json(key) for key in page.items]
        print_json({"items": told, "next": page.next, "previous": page.previous})
    elif quiet:
        for key in page.items:
            print_line(key.id)
    elif page.items or not is_terminal():
        print_rows(LIST_HEADS, [key_row(key) for key in page.items], cut=("description", "project"))
    else:
        print_note("No keys")
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
        'gatepost keys edit 4fT0aK9sQ2Lm --description "hourly import"',
        "gatepost keys edit 4fT0aK9sQ2Lm -p OBJECTS_LIST --never-expires",
        "gatepost keys list --owner ann -q | gatepost keys edit - --owner bob",
    )
)
@verb
async def edit(
    options: ChangeOptions,
    ids: Annotated[list[str], Argument(metavar="ID...", help="The keys' ids; - reads them from standard input.")],
    *,
    description: Annotated[str | None, Option("--description", metavar="TEXT", help="A new description.")] = None,
    permission: Annotated[
        list[str] | None,
        Option(
            "--permission",
            "-p",
            metavar="NAME",
            help="The permissions from now on, all of them; -p '' takes all away.",
            autocompletion=complete_permission,
        ),
    ] = None,
    role: Roles = None,
    expires: Expires = None,
    never_expires: Annotated[bool, Option("--never-expires", help="Let it live for ever.")] = False,
    allow: Allow = None,
    anywhere: Annotated[bool, Option("--anywhere", help="Let it be used from anywhere.")] = False,
    limit: Limits = None,
    owner: Owner = None,
    metadata: Metadata = None,
    preview: Annotated[bool, Option("--preview", help="Change nothing; show what would become of each key.")] = False,
    no_wait: NoWait = False,
    timeout: Timeout = None,
) -> None:
    """Change a key, or give several the same, in one transaction. What is not named stays as it is."""
    if expires is not None and never_expires:
        raise BadInputError("--expires and --never-expires exclude each other")
    if allow and anywhere:
        raise BadInputError("--allow and --anywhere exclude each other")
    told = any(each is not None for each in (description, owner, metadata))
    if not (told or permission or role or allow or anywhere or limit or never_expires or expires):
        raise BadInputError(
            "Nothing to change: name --description, --permission, --role, --expires, --never-expires, --allow, "
            "--anywhere, --limit, --owner or --metadata"
        )
    options.check_file()
    moment = (
        None if never_expires else UNSET if expires is None else parse_when("--expires", expires, datetime.now(UTC))
    )
    wanted = ids_of(ids, sys.stdin)
    is_single = len(wanted) == 1 and "-" not in ids and not preview
    async with options.keys() as keys:
        edited = await keys.update(
            wanted[0] if is_single else wanted,
            preview=preview,
            description=description,
            permissions=split_names(permission) if permission else None,
            roles=split_names(role) if role else UNSET,
            expires_at=moment,
            allow=split_names(allow) if allow else None if anywhere else UNSET,
            limits=[limit_of_text(each) for each in split_names(limit)] if limit else UNSET,
            owner=UNSET if owner is None else owner or None,
            metadata=UNSET if metadata is None else metadata_of_json(metadata),
            actor=options.who(),
            wait=waiting(no_wait),
            timeout=timeout,
        )
        if isinstance(edited, Receipt):
            tell_receipt(edited, "edited", as_json=options.as_json)
        else:
            print_key(edited, keys.catalogue, as_json=options.as_json)


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
