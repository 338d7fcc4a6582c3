"""This worker's counts, until they are written.

    (key, digest, day, route, outcome) -> cell, at most so many; what finds no room goes into one cell per day and
    outcome, of no key, so that no request is left out of the sum

What is let in finds its cell with one look at a dict (`Tally`): by the digest, where the app has no routes, else by
that and the route.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from gatepost.base import ADDRESS_MAX, ROUTE_MAX, Clock, Outcome, Use, secret_id
from gatepost.compiled import Cell, Tally

ENTRIES_MAX = 20_000
"""Most cells, about 400 bytes each. Where they are full, they are written at once: what comes until then has no key."""

DAY_SECONDS = 86400.0

EPOCH = date(1970, 1, 1)

Place = tuple[str, bytes, int, str, Outcome]
"""Key id, digest, days since 1970, route, outcome."""


class UsageCounter(Tally):
    """Counts requests. `clock`: the boot clock, which tells when a request began. `offset`: what added to it gives
    seconds since the epoch, by the database's clock. `wake(full)`: is called when there is a first thing to write, and
    when there is no more room. For one thread: the event loop's."""

    def __init__(
        self,
        clock: Clock,
        offset: Callable[[], float],
        wake: Callable[[bool], None],
        *,
        entries: int = ENTRIES_MAX,
    ) -> None:
        super().__init__()
        self.since = self.until = -math.inf
        self.clock = clock
        self._offset = offset
        self._wake = wake
        self._entries = entries
        self._places: dict[Place, Cell] = {}
        self._taken: dict[Outcome, int] = {}

    def __len__(self) -> int:
        """How many cells there are."""
        return len(self._places)

    def count(  # noqa: PLR0917 - on the path of every request of an app with routes
        self, outcome: Outcome, key_id: str, digest: bytes, began: float, route: str, client: Any
    ) -> None:
        """Count one request. `key_id`, `digest` (32 bytes): empty = not known. `began`: on the boot clock. `route`: the
        template; empty = not known. `client`: the `client` of a scope, or an address; `None` = not known."""
        offset = self._offset()
        day = int((began + offset) // DAY_SECONDS)
        place = (key_id, digest, day, route[:ROUTE_MAX], outcome)
        cell = self._places.get(place)
        if cell is None:
            if len(self._places) >= self._entries:
                self._wake(True)
                place = ("", b"", day, "", outcome)
            elif not self._places:
                self._wake(False)
            cell = self._places.get(place) or self._places.setdefault(place, Cell(began, client))
        cell.count += 1
        if began >= cell.last:
            cell.last, cell.client = began, client
        if place[1] and outcome is Outcome.VALID:
            self._remember((digest, route) if route else digest, day, cell, offset)

    def _remember(self, way: bytes | tuple[bytes, str], day: int, cell: Cell, offset: float) -> None:
        """Let requests of this day that are let in find the cell with one look."""
        since = day * DAY_SECONDS - offset
        if since >= self.until:  # another day has begun
            self.cells = {}
            self.since, self.until = since, since + DAY_SECONDS
        if self.since <= cell.last < self.until:
            self.cells[way] = cell

    def take(self) -> Sequence[Use]:
        """All that was counted since the last time; from now on it is counted anew."""
        places, self._places, self.cells = self._places, {}, {}
        self._taken = _added(self._taken, places)
        offset = self._offset()
        return [_use(place, cell, offset) for place, cell in places.items()]

    def by_outcome(self) -> Mapping[Outcome, int]:
        """All requests that were ever counted here, by what came of them. No I/O; a look at each cell."""
        return _added(self._taken, self._places.copy())  # at once: another thread may ask


def _added(counts: Mapping[Outcome, int], places: Mapping[Place, Cell]) -> dict[Outcome, int]:
    """The counts, and those of the cells."""
    added = dict(counts)
    for place, cell in places.items():
        added[place[4]] = added.get(place[4], 0) + cell.count
    return added


def _use(place: Place, cell: Cell, offset: float) -> Use:
    key_id, digest, day, route, outcome = place
    return Use(
        key_id=key_id,
        secret=secret_id(digest) if digest else "",
        day=EPOCH + timedelta(days=day),
        route=route,
        outcome=outcome.value,
        count=cell.count,
        last_at=datetime.fromtimestamp(cell.last + offset, UTC),
        last_address=_address(cell.client),
    )


def _address(client: Any) -> str | None:
    """The address that a scope's `client` tells, or the text that somebody made of one."""
    if isinstance(client, list | tuple):
        client = client[0] if client else None
    return client[:ADDRESS_MAX] if isinstance(client, str) and client else None
