"""`gatepost keys …`: the verbs of `APIKeys`."""

import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from typer import Abort, Argument, Option, Typer, confirm

from gatepost.cli.arguments import format_span, parse_expiry, parse_grace, read_ids, split_names
from gatepost.cli.help import examples
from gatepost.cli.options import ChangeOptions, KeysOptions
from gatepost.cli.output import is_terminal, print_json, print_line, print_note, print_rows
from gatepost.cli.verb import verb
from gatepost.cli.views import LIST_HEADS, key_json, key_row, print_issued, print_key, print_receipt
from gatepost.errors import BadInputError, KeyNotFoundError, StillSpreadingError
from gatepost.keyring import PAGE_MAX, UNSET, APIKeys, Wait
from gatepost.models import APIKey, Receipt

CONFIRM_SHOWN = 10
"""Most keys that are named before they are deleted: what fits above the question."""

app = Typer(help="Make and manage API keys.")

KeyId = Annotated[str, Argument(metavar="ID", help="The key's id, 12 characters.")]
KeyIds = Annotated[
    list[str], Argument(metavar="ID...", help="The keys' ids; - reads them from standard input.", show_default=False)
]
Permissions = Annotated[
    list[str] | None,
    Option("--permission", "-p", metavar="NAME", help="What its bearer may do; repeat it, or put commas between."),
]
Expires = Annotated[
    str | None,
    Option("--expires", metavar="WHEN", help="90d, 12h, 2030-01-31, 2030-01-31T18:00Z; UTC where no zone is named."),
]
Quiet = Annotated[bool, Option("--quiet", "-q", help="Print the secret alone.")]
NoWait = Annotated[bool, Option("--no-wait", help="Return once it is committed; tell by when every worker acts on it.")]
Timeout = Annotated[
    float | None,
    Option(
        "--timeout", metavar="SECONDS", min=0, help="Longest wait for the workers; then exit with 6. Default: none."
    ),
]


@app.command(
    epilog=examples(
        'gatepost keys create "nightly import" -p FILE_UPLOAD,OBJECTS_LIST',
        'gatepost keys create "CI" -p FILE_UPLOAD --expires 90d --quiet > secret',
    )
)
@verb
async def create(
    options: ChangeOptions,
    description: Annotated[str, Argument(metavar="DESCRIPTION", help="What tells it from others.")],
    *,
    permission: Permissions = None,
    project: Annotated[str | None, Option("--project", metavar="NAME", help="Default: every project.")] = None,
    expires: Expires = None,
    quiet: Quiet = False,
) -> None:
    """Make a key, and show its secret: now, and never again."""
    _check_one_form(quiet, options.as_json)
    expires_at = None if expires is None else parse_expiry(expires, datetime.now(UTC))
    file = options.sqlite_file()
    makes_file = file is not None and not file.exists()
    keys = options.keys()
    permissions = keys.catalogue.check(split_names(permission or ()))  # before a file is made
    async with keys:
        if makes_file and not options.as_json:
            print_note(f"Made the SQLite file {file}")
        issued = await keys.create(
            description,
            permissions,
            project=project,
            expires_at=expires_at,
            actor=options.actor_name(),
        )
        print_issued(issued, keys.catalogue, "", as_json=options.as_json, quiet=quiet)


@app.command(
    "list",
    epilog=examples(
        "gatepost keys list --project acme --active",
        "gatepost keys list --permission FILE_UPLOAD --all --json",
        "gatepost keys list --project acme --all -q | gatepost keys deactivate -",
    ),
)
@verb
async def list_keys(
    options: KeysOptions,
    *,
    project: Annotated[str | None, Option("--project", metavar="NAME", help="Only keys of this project.")] = None,
    active: Annotated[
        bool | None, Option("--active/--inactive", help="Only keys that are switched on, or off.", show_default=False)
    ] = None,
    permission: Annotated[
        str | None, Option("--permission", "-p", metavar="NAME", help="Only keys that have this permission.")
    ] = None,
    search: Annotated[
        str | None, Option("--search", metavar="TEXT", help="Only keys with this in the description, or with this id.")
    ] = None,
    limit: Annotated[int, Option("--limit", metavar="N", min=1, max=PAGE_MAX, help="Most keys on a page.")] = 50,
    after: Annotated[
        str | None, Option("--after", metavar="PLACE", help="Go on from there: the `next` of the page before.")
    ] = None,
    every: Annotated[bool, Option("--all", help="Every page, not only one.")] = False,
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print the ids alone, one a line.")] = False,
) -> None:
    """List keys, newest first."""
    _check_one_form(quiet, options.as_json)
    options.check_file()
    found: list[APIKey] = []
    async with options.keys() as keys:
        while True:
            page = await keys.list(
                project=project,
                active=active,
                permission=permission,
                search=search,
                after=after,
                limit=PAGE_MAX if every else limit,
            )
            found.extend(page.items)
            after = page.next
            if after is None or not every:
                break
    if options.as_json:
        print_json({"items": [key_json(key) for key in found], "next": after})
    elif quiet:
        for key in found:
            print_line(key.id)
    elif found or not is_terminal():
        print_rows(LIST_HEADS, [key_row(key) for key in found], cut=("description", "project"))
    else:
        print_note("No keys")
    if after is not None and not options.as_json:
        print_note(f"There are more: go on with --after {after}, or list them with --all")


@app.command(epilog=examples("gatepost keys show 4fT0aK9sQ2Lm", "gatepost keys show 4fT0aK9sQ2Lm --json"))
@verb
async def show(options: KeysOptions, key_id: KeyId) -> None:
    """Show everything about a key but its secret, which is not kept."""
    options.check_file()
    async with options.keys() as keys:
        print_key(await keys.get(key_id), keys.catalogue, as_json=options.as_json)


@app.command(
    epilog=examples(
        'gatepost keys edit 4fT0aK9sQ2Lm --description "hourly import"',
        "gatepost keys edit 4fT0aK9sQ2Lm -p OBJECTS_LIST --never-expires",
    )
)
@verb
async def edit(
    options: ChangeOptions,
    key_id: KeyId,
    *,
    description: Annotated[str | None, Option("--description", metavar="TEXT", help="A new description.")] = None,
    permission: Annotated[
        list[str] | None,
        Option(
            "--permission", "-p", metavar="NAME", help="The permissions from now on, all of them; -p '' takes all away."
        ),
    ] = None,
    expires: Expires = None,
    never_expires: Annotated[bool, Option("--never-expires", help="Let it live for ever.")] = False,
    no_wait: NoWait = False,
    timeout: Timeout = None,
) -> None:
    """Change a key. What is not named stays as it is."""
    if expires is not None and never_expires:
        raise BadInputError("--expires and --never-expires exclude each other")
    if description is None and not permission and expires is None and not never_expires:
        raise BadInputError("Nothing to change: name --description, --permission, --expires or --never-expires")
    options.check_file()
    moment = None if never_expires else UNSET if expires is None else parse_expiry(expires, datetime.now(UTC))
    async with options.keys() as keys:
        key = await keys.update(
            key_id,
            description=description,
            permissions=split_names(permission) if permission else None,
            expires_at=moment,
            actor=options.actor_name(),
            wait=_wait(no_wait),
            timeout=timeout,
        )
        print_key(key, keys.catalogue, as_json=options.as_json)


@app.command(epilog=examples("gatepost keys activate 4fT0aK9sQ2Lm"))
@verb
async def activate(options: ChangeOptions, ids: KeyIds) -> None:
    """Switch keys on, in one transaction."""
    options.check_file()
    async with options.keys() as keys:
        receipt = await keys.activate(read_ids(ids), actor=options.actor_name())
    _tell(receipt, "activated", options)


@app.command(
    epilog=examples(
        "gatepost keys deactivate 4fT0aK9sQ2Lm 0BzR3nWq81Ye",
        "gatepost keys list --project acme --all -q | gatepost keys deactivate -",
    )
)
@verb
async def deactivate(options: ChangeOptions, ids: KeyIds, *, no_wait: NoWait = False, timeout: Timeout = None) -> None:
    """Switch keys off, in one transaction: who uses them gets an error, on every worker once this returns."""
    options.check_file()
    async with options.keys() as keys:
        receipt = await keys.deactivate(read_ids(ids), actor=options.actor_name(), wait=_wait(no_wait), timeout=timeout)
    _tell(receipt, "deactivated", options)


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
    """Give a key a new secret, and show it: now, and never again."""
    _check_one_form(quiet, options.as_json)
    seconds = parse_grace(grace)
    options.check_file()
    async with options.keys() as keys:
        late = None
        try:
            issued = await keys.rotate(
                key_id, grace=seconds, actor=options.actor_name(), wait=_wait(no_wait), timeout=timeout
            )
        except StillSpreadingError as error:  # the secret is told now or never
            issued, late = error.result, error
        note = f"The old one works for {format_span(seconds)} more." if seconds else "The old one is dead."
        print_issued(issued, keys.catalogue, note, as_json=options.as_json, quiet=quiet)
    if late is not None:
        raise late


@app.command(
    epilog=examples(
        "gatepost keys delete 4fT0aK9sQ2Lm",
        "gatepost keys list --inactive --all -q | gatepost keys delete - --yes",
    )
)
@verb
async def delete(
    options: ChangeOptions,
    ids: KeyIds,
    *,
    yes: Annotated[bool, Option("--yes", "-y", help="Do not ask.")] = False,
    no_wait: NoWait = False,
    timeout: Timeout = None,
) -> None:
    """Remove keys for good, in one transaction. The change log remembers them."""
    options.check_file()
    if not yes and not sys.stdin.isatty():
        raise BadInputError("Nobody can be asked here: say --yes to delete for good")
    wanted = read_ids(ids)
    async with options.keys() as keys:
        if not yes:
            await _confirm_delete(keys, wanted)
        receipt = await keys.delete(wanted, actor=options.actor_name(), wait=_wait(no_wait), timeout=timeout)
    _tell(receipt, "deleted", options)


async def _confirm_delete(keys: APIKeys, ids: Sequence[str]) -> None:
    """Name the keys and ask. Raises `Abort` unless the answer is yes."""
    for key_id in ids[:CONFIRM_SHOWN]:
        try:
            key = await keys.get(key_id)
        except KeyNotFoundError:
            print_note(f"  {key_id}  (unknown)")
        else:
            print_note(f"  {key_id}  {key.description}")
    if len(ids) > CONFIRM_SHOWN:
        print_note(f"  … and {len(ids) - CONFIRM_SHOWN} more")
    many = f"these {len(ids)} keys" if len(ids) > 1 else "this key"
    if not _confirmed(f"Delete {many} for good?"):
        raise Abort


def _confirmed(question: str) -> bool:
    """Ask. Ctrl-C ends it at once: the handler of asyncio would wait until the question is answered."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return confirm(question, err=True)
    finally:
        signal.signal(signal.SIGINT, before)


def _wait(no_wait: bool) -> Wait:
    return "commit" if no_wait else "everywhere"


def _check_one_form(quiet: bool, as_json: bool) -> None:
    if quiet and as_json:
        raise BadInputError("--quiet and --json exclude each other")


def _tell(receipt: Receipt, done: str, options: ChangeOptions) -> None:
    """Print the receipt. Raises `KeyNotFoundError` after it where an id was unknown."""
    print_receipt(receipt, done, as_json=options.as_json)
    if receipt.unknown:
        raise KeyNotFoundError(receipt.unknown)
