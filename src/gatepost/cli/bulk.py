"""What is done to one key or to many in one transaction: `keys activate`, `deactivate`, `end-grace` and `delete`."""

import sys
from collections.abc import Sequence
from typing import Annotated

from typer import Abort, Argument, Option, Typer

from gatepost.base import AccessDeniedError, BadInputError, KeyNotFoundError, Receipt
from gatepost.cli.help import examples
from gatepost.cli.input import ChangeOptions, NoWait, Timeout, confirmed, ids_of, waiting
from gatepost.cli.output import Phases, print_note, print_receipt
from gatepost.cli.verb import verb
from gatepost.keys import APIKeys

CONFIRM_SHOWN = 10
"""Most keys that are named before they are deleted: what fits above the question."""

app = Typer()

KeyIds = Annotated[
    list[str], Argument(metavar="ID...", help="The keys' ids; - reads them from standard input.", show_default=False)
]


@app.command(epilog=examples("gatepost keys activate 4fT0aK9sQ2Lm"))
@verb
async def activate(options: ChangeOptions, ids: KeyIds) -> None:
    """Switch keys on, in one transaction."""
    options.check_file()
    with Phases(shown=not options.as_json) as phases:
        wanted = ids_of(ids, phases.counted("Reading ids", sys.stdin))
        async with options.keys() as keys:
            phases.tell(f"Switching on {_many(wanted)}")
            receipt = await keys.activate(wanted, actor=options.who())
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
    with Phases(shown=not options.as_json) as phases:
        wanted = ids_of(ids, phases.counted("Reading ids", sys.stdin))
        async with options.keys() as keys:
            phases.tell(f"Switching off {_many(wanted)}{_until(no_wait)}")
            receipt = await keys.deactivate(wanted, actor=options.who(), wait=waiting(no_wait), timeout=timeout)
    _tell(receipt, "deactivated", options)


@app.command("end-grace", epilog=examples("gatepost keys end-grace 4fT0aK9sQ2Lm"))
@verb
async def end_grace(options: ChangeOptions, ids: KeyIds, *, no_wait: NoWait = False, timeout: Timeout = None) -> None:
    """End the old secrets that rotations left working for a while, in one transaction; the current ones stay."""
    options.check_file()
    with Phases(shown=not options.as_json) as phases:
        wanted = ids_of(ids, phases.counted("Reading ids", sys.stdin))
        async with options.keys() as keys:
            phases.tell(f"Ending the old secrets of {_many(wanted)}{_until(no_wait)}")
            receipt = await keys.end_grace(wanted, actor=options.who(), wait=waiting(no_wait), timeout=timeout)
    _tell(receipt, "ended", options)


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
    with Phases(shown=not options.as_json) as phases:
        wanted = ids_of(ids, phases.counted("Reading ids", sys.stdin))
    async with options.keys() as keys:
        if not yes:
            await _confirm_delete(keys, wanted)
        with Phases(shown=not options.as_json) as phases:
            phases.tell(f"Deleting {_many(wanted)}{_until(no_wait)}")
            receipt = await keys.delete(wanted, actor=options.who(), wait=waiting(no_wait), timeout=timeout)
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
    if not confirmed(f"Delete {many} for good?"):
        raise Abort


def _many(ids: Sequence[str]) -> str:
    return "1 key" if len(ids) == 1 else f"{len(ids):,} keys"


def _until(no_wait: bool) -> str:
    """What the verb goes on to wait for. When it begins to, only the verb knows."""
    return "" if no_wait else ", and waiting until every worker acts on it"


def _tell(receipt: Receipt, done: str, options: ChangeOptions) -> None:
    """Print the receipt. Raises `KeyNotFoundError`, `AccessDeniedError` after it for what was not done."""
    print_receipt(receipt, done, as_json=options.as_json)
    if receipt.unknown:
        raise KeyNotFoundError(receipt.unknown)
    if receipt.denied:
        raise AccessDeniedError("; ".join(f"{key_id}: {why}" for key_id, why in receipt.denied.items()))
