"""`RefusalLog`: a line in the log for each request that was refused, so that "my key does not work" can be traced."""

import logging

from starlette.types import Scope

from gatepost.addresses import Seen
from gatepost.base import APIKey, BadInputError, Clock, Outcome, boot_clock

logger = logging.getLogger("gatepost.refusals")

PATH_SHOWN_MAX = 200
"""Longest path in a line, in characters."""

MINUTE = 60.0


class RefusalLog:
    """Tells the logger `gatepost.refusals` of each refusal: its code, the key's id where one is known, method and path.
    Never a secret, a query or a header. Of a caller whose address is not on the key's list it tells the address that
    was seen, and by which rule.

    `level`: of the lines, as `logging` has them. `per_minute`: most lines in a minute, of this process, 0 = none; what
    is left out is counted, and told with the first refusal after it. A record also has `outcome`, `key_id` (`None` = no
    key is known by what was sent) and `path` for formatters, and `address` and `address_rule` where they are told.
    Raises `BadInputError`.
    """

    def __init__(self, *, level: int | str = logging.INFO, per_minute: int = 60, clock: Clock = boot_clock) -> None:
        named = logging.getLevelNamesMapping().get(level) if isinstance(level, str) else level
        if type(named) is not int:
            raise BadInputError(f"level must be a level of logging, such as 'INFO' or logging.WARNING, not {level!r}")
        if type(per_minute) is not int or per_minute < 0:
            raise BadInputError(f"per_minute must be a whole number, 0 or more, not {per_minute!r}")
        self._level = named
        self._per_minute = per_minute
        self._clock = clock
        self._ends = 0.0
        self._told = self._left_out = 0

    def tell(self, outcome: Outcome, key: APIKey | None, scope: Scope, seen: Seen | None = None) -> None:
        """One request of `scope` was refused, with that key if it is known. `seen`: where it was from, where that is
        why."""
        if not self._per_minute or not logger.isEnabledFor(self._level) or not self._has_room():
            return
        key_id = None if key is None else key.id
        path = _shown(scope.get("path", ""))
        extra = {"outcome": outcome.value, "key_id": key_id, "path": path}
        where = ""
        if seen is not None:
            extra |= {"address": seen.address, "address_rule": seen.rule}
            where = f", from {seen.address or 'nobody knows where'} ({seen.rule})"
        logger.log(
            self._level,
            "Refused with %s: %s, %s %s%s",
            outcome.value,
            "no key that is known" if key_id is None else f"key {key_id}",
            scope.get("method", "WebSocket"),
            path,
            where,
            extra=extra,
        )

    def _has_room(self) -> bool:
        """Whether one more line may be written in this minute."""
        now = self._clock()
        if now >= self._ends:
            if self._left_out:
                logger.log(self._level, "%d more requests were refused, and not told one by one", self._left_out)
            self._ends = now + MINUTE
            self._told = self._left_out = 0
        if self._told < self._per_minute:
            self._told += 1
            return True
        self._left_out += 1
        return False


def _shown(path: str) -> str:
    """A path in one line: what would be a line or a control of its own is escaped."""
    text = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in path[: PATH_SHOWN_MAX + 1])
    return text if len(path) <= PATH_SHOWN_MAX else f"{text[:PATH_SHOWN_MAX]}..."
