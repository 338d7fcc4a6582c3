"""What limits do to a request: taken as it is let in, told in its answer, given back if it is refused later.

policies ──> demand ──> keys' limiter ──┬ refused: 429, with the fields of draft-ietf-httpapi-ratelimit-headers-11
                                        └ let in: scope["limits"], the same fields in the answer; slots end with it
"""

import logging
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from math import ceil
from types import MethodType
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatepost.asgi.current import refuse_late
from gatepost.asgi.log import RefusalLog
from gatepost.asgi.responses import QUOTA_EXCEEDED, Problem, unavailable
from gatepost.base import Limit, LimitedRecord, Outcome, Quota, Rate, Record, UnavailableError
from gatepost.keys import APIKeys
from gatepost.limits import Demand, Policies, RequestLimits, Taken, fields_of, of_route
from gatepost.temporary import TemporaryRecord

logger = logging.getLogger("gatepost.middleware")

STARTS = ("http.response.start", "websocket.http.response.start")


class Limiting:
    """What a middleware does about limits. `limits`: as for `Policies`. `keys`: whose limiter takes. `refusal_log`: is
    told of what is refused. Raises `BadInputError`."""

    def __init__(self, limits: Mapping[str, Iterable[Limit]] | None, keys: APIKeys, refusal_log: RefusalLog) -> None:
        self._policies = Policies(limits)
        self._keys = keys
        if self._policies.are_split:
            keys.note_limits()
        self._refusal_log = refusal_log
        self.binds_all = bool(self._policies)
        """Whether a key may have limits that has none of its own."""

    def binds(self, key: Record) -> bool:
        """Whether a request with that key takes from any limit."""
        return (
            type(key) is LimitedRecord
            or (self.binds_all and self._policies.bind(key))
            or (type(key) is TemporaryRecord and key.is_limited)
        )

    def take_one(self, key: Record, scope: Scope) -> RequestLimits | None:
        """As `take`, where one quota is all there is to take from and has units left here; else `None`. No I/O."""
        if self.binds_all or not isinstance(key, LimitedRecord):
            return None
        demand: Demand | None = key.asked
        if demand is None or demand.alone is None:
            return None
        limiter = self._keys.open_limiter
        taken = None if limiter is None else limiter.take_one(demand.alone)
        if taken is None or limiter is None:
            return None
        limits = scope["limits"] = RequestLimits(limiter, demand, taken, key)
        return limits

    def ask(self, key: LimitedRecord, scope: Scope) -> "RequestLimits | Coroutine[Any, Any, RequestLimits | Problem]":
        """As `take`: what is left at once, where that needs no I/O, else what to await."""
        return self.take_one(key, scope) or self.take(key, scope)

    async def take(self, key: Record, scope: Scope) -> RequestLimits | Problem:
        """Take what one request costs from all its limits, and put into the scope what is left; or the refusal."""
        try:
            demand = self._policies.demand(key)
            limiter = self._keys.limiter
            taken = limiter.take_at_once(demand.asked) or await limiter.take(demand.asked, demand.call)
        except UnavailableError as failure:
            return _told(failure)
        if not taken.let_in:
            self._refusal_log.tell(Outcome.LIMIT_EXCEEDED, key, scope)
            return exceeded(taken, fields_of(demand, taken.states))
        limits = scope["limits"] = RequestLimits(limiter, demand, taken, key)
        return limits

    async def spend(self, scope: Scope, limit: Rate | Quota | None, cost: int) -> Problem | None:
        """Take what a route costs beyond the one unit that every request does, and from the route's own limit, which
        counts for each key apart: the refusal, or `None`."""
        key, limits = scope["api_key"], limits_in(scope)
        try:
            refusal = await self._spend(key, limits, limit, cost)
        except UnavailableError as failure:
            refusal = _told(failure)
        if refusal is not None:
            refuse_late(scope, refusal.outcome, self._keys)
            if limits is not None:
                limits.refuse()
            if refusal.outcome is Outcome.LIMIT_EXCEEDED:
                self._refusal_log.tell(Outcome.LIMIT_EXCEEDED, key, scope)
        return refusal

    async def _spend(
        self, key: Record, limits: RequestLimits | None, limit: Rate | Quota | None, cost: int
    ) -> Problem | None:
        if limit is not None:
            demand = of_route(key.id, limit)
            asked = [(bucket, cost) for bucket, _ in demand.asked]
            taken = await self._keys.limiter.take(asked, demand.call if cost == 1 else None)
            if not taken.let_in:
                return exceeded(taken, fields_of(demand, taken.states))
            if limits is not None:
                limits.keep(taken)
        if limits is None or cost == 1:
            return None
        more = await limits.take_more(cost - 1)
        return None if more.let_in else exceeded(more)  # the answer tells of these limits in any case: `announced`


def limits_in(scope: Scope) -> RequestLimits | None:
    """What is left of the limits of the caller that the scope tells of; `None` = there are none. Of another caller are
    those of a middleware outside, or the app's own value of that name."""
    limits, key = scope.get("limits"), scope.get("api_key")
    return limits if isinstance(limits, RequestLimits) and key is not None and limits.key.id == key.id else None


async def undo(limits: RequestLimits, scope: Scope) -> None:
    """The request is not let in after all, or judged anew: what it took is given back, and the scope tells of none."""
    limits.refuse()
    await limits.end()
    scope.pop("limits", None)


def exceeded(taken: Taken, fields: Sequence[tuple[bytes, bytes]] = ()) -> Problem:
    """The refusal of what limits do not let in. `fields`: of the draft, where the answer does not get them anyway."""
    names = [state.limit.name for state in taken.violated]
    wait = str(max(1, ceil(taken.retry_after))).encode()
    extra = {"type": QUOTA_EXCEEDED, "violated-policies": names}
    return Problem(Outcome.LIMIT_EXCEEDED, extra, [(b"retry-after", wait), *fields])


def around(limits: RequestLimits, app: ASGIApp) -> ASGIApp:
    """The app, at whose end the request has ended for its limits too."""

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        finally:
            if limits.has_end:
                await limits.end()

    return limited


def announced(limits: RequestLimits, send: Send) -> Send:
    """`send`, which adds the draft's fields to the answer."""
    return MethodType(_send_announced, (limits, send))


def announce(limits: RequestLimits, message: Message) -> Message:
    """The message to send; where it begins an answer, with the draft's fields."""
    if message["type"] in STARTS:
        return {**message, "headers": [*message.get("headers", ()), *limits.fields]}
    return message


def _send_announced(limits_and_send: tuple[RequestLimits, Send], message: Message) -> Any:
    limits, send = limits_and_send
    return send(announce(limits, message))


def _told(failure: UnavailableError) -> Problem:
    """The refusal where a limit could not be asked, once the log has it: an outage is no fault of ours, so there is no
    traceback per request."""
    logger.error("%s", failure)
    return unavailable(failure.retry_after)
