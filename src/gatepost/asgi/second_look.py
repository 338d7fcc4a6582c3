"""A second look at a key, once a request has waited for its limits: it may have been switched off meanwhile."""

from collections.abc import Awaitable, Callable

from gatepost.asgi.limits import undo
from gatepost.asgi.responses import Problem
from gatepost.asgi.sources import Scope
from gatepost.base import Record
from gatepost.keys import APIKeys
from gatepost.limits import RequestLimits

Admitted = tuple[bytes | None, Record | None]
"""The digest that lets a request in, and its key; `None` twice = no key is needed, and none was shown."""


async def still(
    keys: APIKeys,
    admitted: Admitted,
    taken: RequestLimits,
    scope: Scope,
    admit: Callable[[], Awaitable[Admitted | Problem]],
) -> Admitted | Problem:
    """Who is let in now that limits were taken from; or the refusal, and what was taken is given back.

    Whoever switched a key off while its request waited was told perhaps that nobody lets it in any more. So the key
    counts only if nothing is known of a change to it (no I/O), else it is asked for anew (`admit`): nothing is awaited
    between that and the app. For a hit that is compiled `asked` in `request.c` looks, and `hits.py` goes on.
    """
    digest, key = admitted
    if digest is None or key is None or keys.stands(digest, key):
        return admitted
    again: Admitted | Problem | None = None
    try:
        again = await admit()
    finally:
        if again is None or isinstance(again, Problem):
            await undo(taken, scope)
    return again
