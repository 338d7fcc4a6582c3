"""What `@requires` guards nothing of: it stands above FastMCP's decorator, which has the function without it. The app's
start has said it of what was there then."""

from collections.abc import Sequence
from inspect import unwrap
from typing import Any

from gatepost.asgi import PermissionCheck, checks_above, checks_of
from gatepost.asgi.routes import mcp_functions, mcp_listings, wrapped_by
from gatepost.base import ConfigurationError

_TOLD = (
    "This server has a @requires that guards nothing, and answers nothing until that is mended: its log tells the line"
)
"""What clients are told: FastMCP sends them the text of an error, and files are none of theirs."""


async def look_over(server: Any) -> None:
    """Raise `ConfigurationError`, whose cause tells the line of each function, where `@requires` stands above the
    decorator that has added it. Of what a server has itself: what is mounted in it has a guard of its own. A function
    that another component has guarded may be open too, as it is. Looks at all of them each time, in memory: some may be
    new, or decorated since."""
    listings = [listing for *_, listing in mcp_listings(server)]
    functions = [each for listing in listings for component in await listing() for each, *_ in mcp_functions(component)]
    missed = [(function, checks) for function in functions if (checks := _missed(function))]
    if not missed:
        return
    wrapped = {id(each) for function in functions for each in wrapped_by(function)}
    if faults := [_fault(function, checks) for function, checks in missed if id(function) not in wrapped]:
        raise ConfigurationError(_TOLD) from ConfigurationError("\n".join(faults))


def _missed(function: Any) -> Sequence[PermissionCheck]:
    """What was to be asked of a function's callers, and is not."""
    below = [function, *wrapped_by(function)]
    asked = [check for each in below for check in checks_of(each)]
    return [check for each in below for check in checks_above(each) if check not in asked]


def _fault(function: Any, checks: Sequence[PermissionCheck]) -> str:
    """A sentence, with the line."""
    found = unwrap([function, *wrapped_by(function)][-1])
    code = getattr(found, "__code__", None)
    where = f"{code.co_filename}:{code.co_firstlineno}: " if code else ""
    names = ", ".join(sorted(frozenset[str]().union(*(check.all_of | check.any_of for check in checks))))
    return (
        f"{where}{getattr(found, '__qualname__', found)} asks nobody for {names}: @requires stands above the decorator "
        "of FastMCP's that adds it, which has the function without it. Move @requires down, directly onto the function"
    )
