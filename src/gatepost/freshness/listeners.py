"""Who is told by `Freshness` that something is not to be believed any more, the moment its floor rises; and what tells
it to poll.
"""

import asyncio
from typing import Protocol


class Bell(Protocol):
    """A hint that there is news: Redis, or the database."""

    nudged: asyncio.Event

    @property
    def hears(self) -> bool:
        """Whether a ring would be heard now."""


class Memory(Protocol):
    """What a worker remembers: it is told what to forget."""

    def drop(self, digest: bytes, below: int) -> None:
        """Forget what is known of one digest (32 bytes), unless it is as of the seq `below` or later."""

    def clear(self) -> None:
        """Forget everything."""


class LetIn(Protocol):
    """What a worker has let in that goes on: it is told whose key to judge anew."""

    def doubt(self, digest: bytes) -> None:
        """What was known of one digest (32 bytes) counts no more."""

    def doubt_all(self) -> None:
        """Nothing that was known counts any more."""
