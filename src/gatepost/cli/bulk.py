"""What is done to one key or to many in one transaction: `keys edit`, `activate`, `deactivate`, `end-grace` and
`delete`."""

import sys
from collections.abc import Sequence
from typing import Annotated

from typer import Abort, Option, Typer

from gatepost.base import BadInputError, KeyNotFoundError, Receipt
from gatepost.cli.help import examples
from gatepost.cli.input import (
    Editing,
    KeyIds,
    NoWait,
    SelectingOptions,
    Timeout,
    WhereOptions,
    confirmed,
    ids_of,
    verb,
    waiting,
)
from gatepost.cli.output import Phases, print_key, print_note, tell_receipt
from gatepost.keys import APIKeys, Selection

CONFIRM_SHOWN = 10
"""Most keys that are named before they are deleted: what fits above the question."""

app = Typer()


@app.command(
    epilog=examples(
        'gatepost keys edit 4fT0aK9sQ2Lm --description "hourly import"',
        "gatepost keys edit 4fT0aK9sQ2Lm -p OBJECTS_LIST --never-expires",
        "gatepost keys edit --where-owner ann --owner bob --preview",
        "gatepost keys list --owner ann -q | gatepost keys edit - --owner bob",
    )
)
@verb
async def edit(
    options: WhereOptions, ids: KeyIds = None, *, changes: Editing, no_wait: NoWait = False, timeout: Timeout = None
) -> None:
    """Change a key, or give several the same, in one transaction. What is not named stays as it is."""
    given = changes.arguments()
    if not given:
        raise BadInputError(f"Nothing to change: name {changes.options()}")
    options.check_file()
    with Phases(shown=not options.as_json) as phases:
        wanted = _wanted(options, ids, phases)
        is_single = ids is not None and "-" not in ids and len(ids) == 1 and not options.preview
        async with options.keys() as keys:
            phases.tell(f"Editing {_many(wanted)}{_until(no_wait)}")
            edited = await keys.update(
                ids[0] if ids and is_single else wanted,
                **given,
                preview=options.preview,
                actor=options.who(),
                wait=waiting(no_wait),
                timeout=timeout,
            )
    if isinstance(edited, Receipt):
        tell_receipt(edited, "edited", as_json=options.as_json)
    else:
        print_key(edited, keys.catalogue, as_json=options.as_json)


@app.command(epilog=examples("gatepost keys activate 4fT0aK9sQ2Lm"))
@verb
async def activate(options: SelectingOptions, ids: KeyIds = None) -> None:
    """Switch keys on, in one transaction."""
    options.check_file()
    with Phases(shown=not options.as_json) as phases:
        wanted = _wanted(options, ids, phases)
        async with options.keys() as keys:
            phases.tell(f"Switching on {_many(wanted)}")
            receipt = await keys.activate(wanted, preview=options.preview, actor=options.who())
    tell_receipt(receipt, "activated", as_json=options.as_json)


@app.command(
    epilog=examples(
        "gatepost keys deactivate 4fT0aK9sQ2Lm 0BzR3nWq81Ye",
        "gatepost keys deactivate --owner ann --preview",
        "gatepost keys list --project acme --all -q | gatepost keys deactivate -",
    )
)
@verb
async def deactivate(
    options: SelectingOptions, ids: KeyIds = None, *, no_wait: NoWait = False, timeout: Timeout = None
) -> None:
    """Switch keys off, in one transaction: who uses them gets an error, on every worker once this returns."""
    options.check_file()
    with Phases(shown=not options.as_json) as phases:
        wanted = _wanted(options, ids, phases)
        async with options.keys() as keys:
            phases.tell(f"Switching off {_many(wanted)}{_until(no_wait)}")
            receipt = await keys.deactivate(
                wanted, preview=options.preview, actor=options.who(), wait=waiting(no_wait), timeout=timeout
            )
    tell_receipt(receipt, "deactivated", as_json=options.as_json)


@app.command("end-grace", epilog=examples("gatepost keys end-grace 4fT0aK9sQ2Lm"))
@verb
async def end_grace(
    options: SelectingOptions, ids: KeyIds = None, *, no_wait: NoWait = False, timeout: Timeout = None
) -> None:
    """End the old secrets that rotations left working for a while, in one transaction; the current ones stay."""
    options.check_file()
    with Phases(shown=not options.as_json) as phases:
        wanted = _wanted(options, ids, phases)
        async with options.keys() as keys:
            phases.tell(f"Ending the old secrets of {_many(wanted)}{_until(no_wait)}")
            receipt = await keys.end_grace(
                wanted, preview=options.preview, actor=options.who(), wait=waiting(no_wait), timeout=timeout
            )
    tell_receipt(receipt, "ended", as_json=options.as_json)


@app.command(
    epilog=examples(
        "gatepost keys delete 4fT0aK9sQ2Lm",
        "gatepost keys list --inactive --all -q | gatepost keys delete - --yes",
    )
)
@verb
async def delete(
    options: SelectingOptions,
    ids: KeyIds = None,
    *,
    yes: Annotated[bool, Option("--yes", "-y", help="Do not ask.")] = False,
    no_wait: NoWait = False,
    timeout: Timeout = None,
) -> None:
    """Remove keys for good, in one transaction. The change log remembers them."""
    options.check_file()
    if not (yes or options.preview) and not sys.stdin.isatty():
        raise BadInputError("Nobody can be asked here: say --yes to delete for good")
    with Phases(shown=not options.as_json) as phases:
        wanted = _wanted(options, ids, phases)
    async with options.keys() as keys:
        if not (yes or options.preview):
            if isinstance(wanted, Selection):  # what is confirmed is what is deleted
                wanted = (await keys.delete(wanted, preview=True, actor=options.who())).changed
            if wanted:
                await _confirm_delete(keys, wanted)
        with Phases(shown=not options.as_json) as phases:
            phases.tell(f"Deleting {_many(wanted)}{_until(no_wait)}")
            receipt = await keys.delete(
                wanted, preview=options.preview, actor=options.who(), wait=waiting(no_wait), timeout=timeout
            )
    tell_receipt(receipt, "deleted", as_json=options.as_json)


def _wanted(options: SelectingOptions, ids: Sequence[str] | None, phases: Phases) -> Sequence[str] | Selection:
    """The keys that are meant, with the ids that standard input holds. Raises `BadInputError`."""
    return options.chosen(ids_of(ids, phases.counted("Reading ids", sys.stdin)) if ids else None)


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
    if not confirmed(f"Delete {many} for good?"):
        raise Abort


def _many(ids: Sequence[str] | Selection) -> str:
    if isinstance(ids, Selection):
        return "the keys that fit"
    return "1 key" if len(ids) == 1 else f"{len(ids):,} keys"


def _until(no_wait: bool) -> str:
    """What the verb goes on to wait for. When it begins to, only the verb knows."""
    return "" if no_wait else ", and waiting until every worker acts on it"
