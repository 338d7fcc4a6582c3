"""`gatepost webhooks …`: what is told to the outside, and what did not arrive."""

import asyncio
import signal
import sys
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from typer import Abort, Argument, Option, Typer

from gatepost.base import BadInputError, TargetStatus
from gatepost.cli.input import After, DatabaseOptions, EveryPage, Limit, Options, confirmed, examples, named_once, verb
from gatepost.cli.output import collect, is_terminal, note_more, print_json, print_line, print_note, print_rows
from gatepost.keys import APIKeys, load

if TYPE_CHECKING:
    from gatepost.database import Delivery

app = Typer(help="Look at what is told to the outside, and send again what did not arrive.")

TargetName = Annotated[str, Argument(metavar="TARGET", help="The target's name.", show_default=False)]

_STATE_HEADS = ("target", "state", "waiting", "oldest", "given up", "behind")
_DEAD_HEADS = ("target", "message", "type", "key", "attempts", "error")


@app.command(epilog=examples("gatepost webhooks status", "gatepost webhooks status --json"))
@verb
async def status(options: DatabaseOptions) -> None:
    """Tell how each target does: how much is on its way, since when, what was given up."""
    options.check_file()
    async with options.keys() as keys:
        states = await keys.deliveries.read_states()
    if options.as_json:
        print_json({"items": [asdict(each) for each in states]})
    elif states:
        print_rows(_STATE_HEADS, [_state_row(each) for each in states])
    else:
        print_note("Nothing was ever told to the outside")


@app.command(epilog=examples("gatepost webhooks dead", "gatepost webhooks dead siem --all --json"))
@verb
async def dead(
    options: DatabaseOptions,
    target: Annotated[
        str | None, Argument(metavar="TARGET", help="The target's name; all without it.", show_default=False)
    ] = None,
    *,
    limit: Limit = 50,
    after: After = None,
    every: EveryPage = False,
) -> None:
    """List the messages that were given up, the oldest first."""
    from gatepost.webhooks import read_dead  # noqa: PLC0415 - SQLAlchemy is slow to import

    options.check_file()

    async def read(**which: Any) -> Any:
        return await read_dead(keys, target, **which)

    async with options.keys() as keys:
        page = await collect(read, after=after, limit=limit, every=every)
    if options.as_json:
        print_json({"items": [_delivery_json(each) for each in page.items], "next": page.next})
    else:
        print_rows(_DEAD_HEADS, [_delivery_row(each) for each in page.items])
    note_more(page, as_json=options.as_json)


@app.command(epilog=examples("gatepost webhooks resend siem", "gatepost webhooks resend siem change_7_0_1f"))
@verb
async def resend(
    options: DatabaseOptions,
    target: TargetName,
    ids: Annotated[
        list[str] | None, Argument(metavar="MESSAGE...", help="Ids; all without them.", show_default=False)
    ] = None,
) -> None:
    """Send messages that were given up again, from their first attempt on."""
    options.check_file()
    async with options.keys() as keys:
        count = await keys.deliveries.revive(target, ids or None)
        if not count:
            await _check_known(keys, target)
    many = "1 message" if count == 1 else f"{count} messages"
    _tell(options, f"To be sent again: {many}", {"target": target, "count": count})


@app.command(epilog=examples("gatepost webhooks resume siem"))
@verb
async def resume(options: DatabaseOptions, target: TargetName) -> None:
    """Send to a target again that had answered 410."""
    options.check_file()
    async with options.keys() as keys:
        if not await keys.deliveries.stop(target, None):
            await _check_known(keys, target)
    _tell(options, f"Target {target} is sent messages again", {"target": target})


@app.command(epilog=examples("gatepost webhooks forget siem"))
@verb
async def forget(
    options: DatabaseOptions,
    target: TargetName,
    *,
    yes: Annotated[bool, Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a target that no app has any more, with all that was on its way there."""
    options.check_file()
    if not yes and not sys.stdin.isatty():
        raise BadInputError("Nobody can be asked here: say --yes to forget what is on its way")
    if not yes and not confirmed(f"Forget target {target}, and all that is on its way there?"):
        raise Abort
    async with options.keys() as keys:
        if not await keys.deliveries.forget(target):
            await _check_known(keys, target)
    _tell(options, f"Target {target} is forgotten", {"target": target})


@app.command(epilog=examples("gatepost webhooks run main:webhooks", "gatepost webhooks run --app main:app"))
@verb
async def run(
    options: Options,
    name: Annotated[
        str | None,
        Argument(metavar="MODULE:NAME", help="Where your Webhooks are.", show_default=False),
    ] = None,
    *,
    named: Annotated[
        str | None, Option("--app", metavar="MODULE:NAME", help="The same; or the app, in whose module they are.")
    ] = None,
) -> None:
    """Deliver, in a process that does nothing else. Ctrl-C ends it, and another takes over."""
    from gatepost.webhooks import Webhooks  # noqa: PLC0415 - SQLAlchemy is slow to import

    name = named_once(name, named)
    if name is None:
        raise BadInputError("Name your Webhooks: gatepost webhooks run main:webhooks, or --app main:app")
    found = load(name, "webhooks", "main:webhooks")
    if not isinstance(found, Webhooks):
        module = vars(sys.modules[name.partition(":")[0]])
        there = {id(each): each for each in module.values() if isinstance(each, Webhooks)}
        if len(there) != 1:
            told = f"no Webhooks(...), and {len(there) or 'none'} in its module"
            raise BadInputError(f"{name!r} is {told}: name the variable that holds them, such as main:webhooks")
        (found,) = there.values()
    task = asyncio.ensure_future(found.run())
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    if not options.as_json:
        print_note("Delivering; Ctrl-C ends it")
    with suppress(asyncio.CancelledError):
        await task


async def _check_known(keys: APIKeys, target: str) -> None:
    """Raise `BadInputError` for a target that nothing was ever sent to, with those that there are."""
    names = [each.name for each in await keys.deliveries.read_states()]
    if target not in names:
        known = f"there are {', '.join(names)}" if names else "there are none"
        raise BadInputError(f"No target {target!r:.60}: {known}", "target")


def _tell(options: Options, line: str, values: dict[str, Any]) -> None:
    if options.as_json:
        print_json(values)
    else:
        print_line(line)


def _state_row(state: TargetStatus) -> tuple[str, ...]:
    delivers = "nobody delivers" if state.silent_seconds else "ok"
    oldest = f"{state.oldest_seconds:.0f}{' s' if is_terminal() else ''}"
    word = "stopped" if state.stopped else delivers
    return state.name, word, str(state.waiting), oldest, str(state.dead), str(state.behind)


def _delivery_row(one: "Delivery") -> tuple[str, ...]:
    return one.target, one.id, one.type, one.key_id or "-", str(one.attempts), one.error or ""


def _delivery_json(one: "Delivery") -> dict[str, Any]:
    return {**asdict(one), "queued_at": datetime.fromtimestamp(one.queued_at, UTC)}
