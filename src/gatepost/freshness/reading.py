"""What one reading of the change log amounts to: whether it tells of every change since the last."""

from gatepost.database import Event, Position


class LogReading:
    """What a reading of the change log amounted to. `first`: the seq that it begins with.

    `is_invalidated`: an event after the first ends the trust in all before it. `is_whole`: it tells of every seq from
    the first, or from that event, to the position, and ends at its nonce. `has_more`: it was not read to its end.
    `first_nonce`: of the first seq, `None` where its event is not there.
    """

    def __init__(self, first: int) -> None:
        self._first = first
        self._last = first - 1
        self._last_nonce: int | None = None
        self._gap = False
        self.count = 0
        self.first_nonce: int | None = None
        self.is_invalidated = False
        self.is_whole = False
        self.has_more = False

    def add(self, event: Event) -> None:
        """The next event, in order."""
        if event.seq == self._first:
            self.first_nonce = event.nonce
        if event.digest is None and event.seq > self._first:
            self.is_invalidated = True
            self._gap = False
        else:
            self._gap |= event.seq - self._last > 1
        self._last, self._last_nonce = event.seq, event.nonce
        self.count += 1

    def end(self, position: Position) -> None:
        """There are no more up to the position."""
        self.is_whole = not self._gap and (self._last, self._last_nonce) == (position.seq, position.nonce)
