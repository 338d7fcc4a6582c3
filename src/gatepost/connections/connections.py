"""The connections that outlive their let-in: WebSockets and streaming responses, by the digest that opened them.

Pure: nothing here judges a key. `Freshness` says which digests are in doubt, exactly where it drops them from memory;
the guard judges those anew and ends what must not go on.
"""

import asyncio
from collections.abc import Callable, Sequence

from gatepost.base import NEVER, Outcome
from gatepost.temporary import Claims

End = Callable[[Outcome], None]
"""Ends a connection, for that reason. Returns at once; called once at most."""


def _ended(_outcome: Outcome) -> None:
    """What is over already."""


class Connection:
    """One open connection. `digest`: 32 bytes, of the secret that opened it. `usable_until`: seconds since the epoch by
    the database's clock, as of the record that was judged last. `address`: where it is from; `None` = not known.
    `claims`: of a temporary secret, where such a one opened it; `digest` is that of what it was made from then."""

    __slots__ = ("address", "claims", "digest", "end", "usable_until")

    def __init__(
        self, digest: bytes, usable_until: float, end: End, address: str | None = None, claims: Claims | None = None
    ) -> None:
        self.digest = digest
        self.claims = claims
        self.address = address
        self.usable_until = usable_until
        self.end = end


class Connections:
    """What is open in this process. Every method costs the same however many there are, but for those that answer
    lists. `wake`: set when something is in doubt."""

    def __init__(self) -> None:
        self._open: dict[bytes, set[Connection]] = {}
        self._expiring: set[Connection] = set()
        self._doubted: set[bytes] = set()
        self._count = 0
        self.wake = asyncio.Event()

    def __len__(self) -> int:
        return self._count

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._open.get(connection.digest, ())

    def add(self, connection: Connection) -> None:
        """From now on it may be in doubt."""
        self._open.setdefault(connection.digest, set()).add(connection)
        self._count += 1
        self.set_usable_until(connection, connection.usable_until)

    def remove(self, connection: Connection) -> None:
        """It is over. Nothing where it was removed already."""
        same = self._open.get(connection.digest)
        if same is None or connection not in same:
            return
        same.remove(connection)
        connection.end = _ended  # whose end it was may hold it: a circle that only the garbage collector would find
        self._count -= 1
        self._expiring.discard(connection)
        if not same:
            del self._open[connection.digest]
            self._doubted.discard(connection.digest)

    def set_usable_until(self, connection: Connection, usable_until: float) -> None:
        """Its key has been judged anew."""
        connection.usable_until = usable_until
        if usable_until == NEVER:
            self._expiring.discard(connection)
        else:
            self._expiring.add(connection)

    def doubt(self, digest: bytes) -> None:
        """What was known of the digest counts no more."""
        if digest in self._open:
            self._doubted.add(digest)
            self.wake.set()

    def doubt_all(self) -> None:
        """Nothing that was known counts any more."""
        if self._open:
            self._doubted.update(self._open)
            self.wake.set()

    def take_doubted(self) -> set[bytes]:
        """The digests in doubt, which are so no longer: whoever takes them judges them."""
        doubted, self._doubted = self._doubted, set()
        return doubted

    def digests(self) -> Sequence[bytes]:
        """All that have something open."""
        return list(self._open)

    def of(self, digest: bytes) -> Sequence[Connection]:
        """What the digest has open."""
        return list(self._open.get(digest, ()))

    def expired(self, now: float) -> Sequence[Connection]:
        """Those whose `usable_until` has come at `now`, the database's clock."""
        return [connection for connection in self._expiring if now >= connection.usable_until]
