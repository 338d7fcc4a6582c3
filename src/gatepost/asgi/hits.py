"""A middleware's memory hits, as compiled code does them: what it is told, and what it hands back to Python."""

from collections.abc import Callable
from functools import partial

from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.addresses import Addresses
from gatepost.asgi.counting import Counting
from gatepost.asgi.current import served_variable, task_of
from gatepost.asgi.ending import end, end_limited
from gatepost.asgi.limits import Limiting, announce, undo
from gatepost.asgi.refusing import Refusing
from gatepost.asgi.responses import Problem
from gatepost.asgi.sources import Extractor
from gatepost.asgi.streams import send_watched
from gatepost.base import BoundedRecord, LimitedRecord, Presented, Record
from gatepost.compiled import let_in
from gatepost.keys import APIKeys
from gatepost.limits import RequestLimits


def hits(
    keys: APIKeys,
    app: ASGIApp,
    extractor: Extractor,
    addresses: Addresses,
    again: ASGIApp,
    *,
    user: str,
    is_watched: bool,
    counting: Counting,
    limiting: Limiting,
    refusing: Refusing,
) -> object:
    """What does the memory hits of a middleware where nothing else is to be asked about a request; `None` = nothing was
    compiled.

    `app`, `user`: as for `gatepost.compiled.let_in`. `extractor`: of secrets that stand in headers alone. `again`: the
    middleware's `__call__` as it is in Python. `is_watched`: whether a response is ended with its key.
    """
    return let_in(
        app,
        extractor.headers or (),
        strip=extractor.strip,
        user=user,
        variable=served_variable,
        finish=end,
        bounded=None if addresses.believes_proxies else BoundedRecord,
        task_of=task_of if is_watched else None,
        send_watched=send_watched,
        count=counting.let_in,
        routes=counting.known_routes,
        limiting=(
            LimitedRecord,
            RequestLimits,
            limiting.ask,
            announce,
            partial(_deny, keys, extractor.take, again, counting, refusing),
            end_limited,
        ),
    )


async def _deny(  # noqa: PLR0917 - as compiled code calls it
    keys: APIKeys,
    take: Callable[[Scope], object],
    again: ASGIApp,
    counting: Counting,
    refusing: Refusing,
    answer: RequestLimits | Problem,
    key: Record,
    digest: bytes,
    scope: Scope,
    receive: Receive,
    send: Send,
    began: float,
) -> None:
    """Go on with a request whose limits have answered: they refuse it, or they do not, but the key has changed
    meanwhile. Then it is judged from the beginning."""
    if isinstance(answer, RequestLimits):
        await undo(answer, scope)
        await again(scope, receive, send)
        return
    take(scope)  # who is refused has no secret in the scope either, for whoever answers
    presented = Presented(digest=digest)
    presented.key_id = key.id
    counting.refused(keys, answer.outcome, presented, scope, began)
    await refusing.answer(answer, scope, receive, send)
