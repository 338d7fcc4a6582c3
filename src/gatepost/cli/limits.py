"""`gatepost keys limits`, `keys reset-limits`: how much of a key's limits is left, and counting anew."""

from typer import Typer

from gatepost.base import limit_text
from gatepost.cli.help import examples
from gatepost.cli.input import ChangeOptions, KeyId, KeysOptions, NoWait, Timeout, verb, waiting
from gatepost.cli.output import is_terminal, print_json, print_key, print_note, print_rows
from gatepost.limits import LimitState

app = Typer()

_BAR = 20
"""Characters."""


@app.command(epilog=examples("gatepost keys limits 4fT0aK9sQ2Lm"))
@verb
async def limits(options: KeysOptions, key_id: KeyId) -> None:
    """Show how much of a key's limits is left."""
    options.check_file()
    async with options.keys() as keys:
        states = await keys.limits(key_id)
    if options.as_json:
        print_json(
            [{"name": s.limit.name, "type": s.limit.type, "units": s.limit.units, "left": s.left} for s in states]
        )
    elif states:
        print_rows(("limit", "left", "of"), [_row(state) for state in states])
    else:
        print_note("It has no limits")


@app.command("reset-limits", epilog=examples("gatepost keys reset-limits 4fT0aK9sQ2Lm"))
@verb
async def reset_limits(
    options: ChangeOptions, key_id: KeyId, *, no_wait: NoWait = False, timeout: Timeout = None
) -> None:
    """Count anew for all limits of a key."""
    options.check_file()
    async with options.keys() as keys:
        key = await keys.reset_limits(key_id, actor=options.who(), wait=waiting(no_wait), timeout=timeout)
        print_key(key, keys.catalogue, as_json=options.as_json)


def _row(state: LimitState) -> tuple[str, str, str]:
    word, most = limit_text(state.limit), getattr(state.limit, "burst", state.limit.units)
    if state.left is None:
        return word, "each worker counts its part" if is_terminal() else "", str(most)
    if not is_terminal():
        return word, str(state.left), str(most)
    full = min(_BAR, round(_BAR * state.left / most))
    return word, f"{'█' * full}{'░' * (_BAR - full)} {state.left:,}", f"{most:,}"
