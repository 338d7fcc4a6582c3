"""What of a request runs compiled. Where nothing was built, or `GATEPOST_PURE` is set, everything runs in Python."""

import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from gatepost.compiled.sources import mark_of

if TYPE_CHECKING:
    from contextvars import ContextVar

logger = logging.getLogger("gatepost.compiled")

V = TypeVar("V")
F = TypeVar("F", bound=Callable[..., Any])

PURE = "GATEPOST_PURE"
"""The variable that has everything run in Python; `0`, `false` or nothing = it does not."""

_NO = {"", "0", "false", "no", "off"}


def _load() -> ModuleType | None:
    """The module, ready. A secret is hashed by the functions of the OpenSSL that hashlib has loaded: not where its
    build must be a certified one, which has them only by its newer, slower way in."""
    if os.environ.get(PURE, "").strip().lower() not in _NO:
        return None
    try:
        hit = import_module("gatepost.compiled._hit")
    except ImportError:  # nothing was built, or it was for another Python
        return None
    if mark_of(Path(__file__).parent) not in {None, hit.SOURCES}:
        logger.warning(
            "Memory hits run in Python: what was compiled is of other sources than those beside it. Compile it anew: "
            "make check, or pip install -e ."
        )
        return None
    try:
        import _hashlib  # noqa: PLC0415 - nor is there one in a Python without OpenSSL
    except ImportError:
        return hit
    hit.find_openssl(None if _hashlib.get_fips_mode() else getattr(_hashlib, "__file__", None))
    return hit


_hit = _load()


class Cell:
    """One count. `count`: requests. `last`: when the last of them began, on the boot clock. `client`: the `client` of
    its scope, or an address; `None` = not known."""

    __slots__ = ("client", "count", "last")

    client: Any
    count: int
    last: float

    def __init__(self, last: float, client: Any) -> None:
        self.count = 0
        self.last = last
        self.client = client


class Tally:
    """What requests that were let in are counted in. `cells`: by the secret's digest (32 bytes), in an app that tells
    of no route, else by that and the route. `since`, `until`: the day that they are of, on the boot clock: from the one
    on, before the other."""

    cells: dict[bytes | tuple[bytes, str], Cell]
    since: float
    until: float

    def __init__(self) -> None:
        self.cells = {}
        self.since = self.until = 0.0


if not TYPE_CHECKING and _hit is not None:
    Cell, Tally = _hit.Cell, _hit.Tally  # the same, for C to reach at once


def is_built() -> bool:
    """Whether memory hits run compiled here."""
    return _hit is not None


def memory_hit(
    records: Mapping[bytes, V], temporary: Mapping[bytes, Any], freshness: Any, clock: Callable[[], float]
) -> Callable[[bytes], V | None] | None:
    """From a digest (32 bytes) to its record, if that may be used now, as `Lookup.hit`; `None` = nothing was built.

    `records`, `temporary`: dicts; a middleware also lets in by the second, as `Lookup.temporary_hit`, where nothing is
    left to be asked of a request. `freshness`: its `until` and `offset` are read at each call. `clock`: is called each
    time, unless it only asks the system for CLOCK_BOOTTIME: then it is the system that is asked.
    """
    if _hit is None:
        return None
    answer: Callable[[bytes], V | None] = _hit.MemoryHit(
        records, temporary, freshness, None if _is_boottime(clock) else clock
    )
    return answer


def let_in(
    app: Callable[..., Awaitable[None]],
    names: Sequence[bytes],
    *,
    strip: bool,
    user: str,
    variable: "ContextVar[Any]",
    finish: Callable[..., Awaitable[None]],
    bounded: type | None,
    task_of: Callable[[Any], Any] | None,
    send_watched: Callable[..., Awaitable[None]],
    count: Callable[..., None],
    routes: Mapping[int, tuple[object, str]],
    limiting: tuple[type, type, Callable[..., Any], Callable[..., Any], Callable[..., Any], Callable[..., Any]],
) -> object:
    """How a middleware lets requests in, which it keeps as `_let_in`; `None` = nothing was built.

    `app`: what is served to who is let in. `names`: of the headers that may carry a secret, in lower case; it is looked
    for nowhere else. `strip`: take that header out of the scope. `user`: where in a scope the user goes. `variable`:
    is set to the request being served. `finish(served, outer, raised)`: ends a request that failed, has a stream, or
    was served within another. `bounded`: the class of keys that have bounds, of which one is let in that has judged the
    peer of the connection before, and let it in; `None` = where a request is from is for Python to say.
    `task_of(loop)`: the task that runs there; `None` = responses are not watched.
    `send_watched(served, message)`: passes on what may be of a stream. `count(tally, key, digest, scope, began)`:
    counts a request in the keys' `uses`, where no cell of it is there for that yet. `routes`: a dict that Python fills:
    by the `id` of each route that is known the route itself, and its template.

    `limiting`: the class of keys that have limits, and that of what is left of them; `ask(key, scope)`: takes from
    them, and answers what is left, or a coroutine that does, or that answers something else where they refuse;
    `announce(left, message)`: the message to send, which tells of them where it begins a response;
    `deny(answer, key, digest, scope, receive, send, began)`: goes on with who is not let in; `ended(served, outer,
    raised, left)`: as `finish`, where they have an end too.
    """
    if _hit is None:
        return None
    made: object = _hit.LetIn(
        app,
        tuple(names),
        strip,
        user,
        sha256,
        variable,
        finish,
        bounded,
        task_of,
        send_watched,
        count,
        routes,
        limiting,
    )
    return made


def hit_first(function: F) -> F:
    """Decorates `__call__` of a middleware, an `async def`: who calls the object has memory hits done in C, if it has a
    `_let_in`, and all else done by the function. The attribute is the function."""
    return function if _hit is None else _hit.HitFirst(function)


def _is_boottime(clock: Callable[[], float]) -> bool:
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return (
        isinstance(clock, partial)
        and clock.func is getattr(time, "clock_gettime", None)
        and (clock.args, clock.keywords) == ((boottime,), {})
    )
