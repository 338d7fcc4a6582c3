"""`Addresses`: where a request is from. The one place that says so: for the check of keys, the audit log and the brake
of the page's sign-in.

    the connection's peer ─┬ no proxies are trusted ───────────────────────────────────> the peer
                           ├ is no trusted proxy ──────────────────────────────────────> the peer
                           └ is one: the header, read from its right end ─┬ a trusted proxy: go on to the left
                                                                          └ anything else: that, if it is an address

What stands further left was sent by whoever is there, who may have made it up. Where no hop is left nobody vouches for
an address, and there is none. One header is read, never both: the other may have come from the client.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from starlette.types import Scope

from gatepost.addresses.hops import forwarded_hops, x_forwarded_for_hops
from gatepost.base import BadInputError, Networks, address_of, checked_networks

X_FORWARDED_FOR = "x-forwarded-for"
FORWARDED = "forwarded"
"""The headers that proxies tell their clients' addresses in: by custom, and by RFC 7239."""

UNIX = "unix"
"""What stands for a proxy that connects through a UNIX socket, and so has no address, among the trusted ones."""

HEADERS_MAX, HEADER_CHARS_MAX = 1024, 200
"""Most headers that are remembered with what they tell, and the longest: some 300 KB. Those of a client are alike, and
reading one takes some microseconds."""

PEER = "the peer of the connection"


class Seen(NamedTuple):
    """Where a request is from, and how that is known. `address`: IPv4 or IPv6 as text; `None` = nobody knows. `rule`:
    what decided, in words for operators."""

    address: str | None
    rule: str


class Addresses:
    """Tells where requests are from.

    `trusted_proxies`: networks of proxies whose `header` is believed, or single addresses, and `unix` for one that
    comes through a UNIX socket. None = the connection's peer is the client. `header`: `x-forwarded-for`, or `forwarded`
    (RFC 7239). Raises `BadInputError`.
    """

    def __init__(self, trusted_proxies: Iterable[str] = (), header: str = X_FORWARDED_FOR) -> None:
        if header not in (X_FORWARDED_FOR, FORWARDED):
            raise BadInputError(f"header must be {X_FORWARDED_FOR!r} or {FORWARDED!r}, not {header!r:.60}", "header")
        given = [trusted_proxies] if isinstance(trusted_proxies, str) else list(trusted_proxies)
        if "*" in given:
            raise BadInputError(
                "trusted_proxies must name the networks of your proxies: '*' would believe whatever a client writes",
                "trusted_proxies",
            )
        if isinstance(trusted_proxies, str):
            raise BadInputError(f"trusted_proxies must be a list: write [{trusted_proxies!r:.60}]", "trusted_proxies")
        networks = checked_networks("trusted_proxies", [each for each in given if each != UNIX]) or ()
        everybody = next((each for each in networks if each.endswith("/0")), None)
        if everybody is not None:
            raise BadInputError(
                f"trusted_proxies must name the networks of your proxies: {everybody!r} would believe whatever a "
                "client writes",
                "trusted_proxies",
            )
        if header == FORWARDED and not given:
            raise BadInputError("header is read from trusted proxies only: name them, trusted_proxies=[...]", "header")
        self._trusted = Networks(networks)
        self._unix_is_trusted = UNIX in given
        self.believes_proxies = bool(given)
        """Whether a header may count: else the peer is the client."""
        self._name = header.encode()
        self.header = header
        """The one that is read, in lower case."""
        self._seen_behind = lru_cache(HEADERS_MAX)(self._read)
        self._hops = forwarded_hops if header == FORWARDED else x_forwarded_for_hops

    @property
    def rule(self) -> str:
        """Whose word counts, in words for operators."""
        return f"{PEER}; from trusted proxies {self.header}" if self.believes_proxies else PEER

    def of(self, scope: Scope) -> str | None:
        """Where a request is from, to be held against `Networks`: where no proxies are trusted the peer as the server
        tells it, an address or not, in whatever way it is written. `None` = nobody knows. About 0.1 µs then."""
        if self.believes_proxies:
            return self.seen(scope).address
        client = scope.get("client")
        return client[0] if client else None

    def seen(self, scope: Scope) -> Seen:
        """The address that a request is from, and by which rule."""
        client = scope.get("client")
        host = client[0] if client else ""
        peer = _text_of(host)
        if not self.believes_proxies:
            return Seen(peer, PEER if peer else _no_peer(host))
        if not (peer in self._trusted or (self._unix_is_trusted and not host)):
            return Seen(peer, f"{PEER}, which is no trusted proxy" if peer else _no_peer(host))
        lines = [value.decode("latin-1") for name, value in scope["headers"] if name == self._name]
        if not lines:
            return Seen(None, f"there is no {self.header}, though {PEER} is a trusted proxy")
        text = ", ".join(lines)
        return self._seen_behind(text) if len(text) <= HEADER_CHARS_MAX else self._read(text)

    def _read(self, text: str) -> Seen:
        """What the header of a request that a trusted proxy sent tells."""
        hops = self._hops(text)
        if hops is None:
            return Seen(None, f"{self.header} is malformed")
        for hop in hops:
            address = _text_of(hop)
            if address is None:
                return Seen(None, f"the rightmost hop of {self.header} that is no trusted proxy tells no address")
            if address not in self._trusted:
                return Seen(address, f"the rightmost hop of {self.header} that is no trusted proxy")
        return Seen(None, f"every hop of {self.header} is a trusted proxy")


def _no_peer(host: object) -> str:
    return f"{PEER} is not told as an address" if host else "the connection has no address, as through a UNIX socket"


@lru_cache(maxsize=4096)
def _text_of(host: object) -> str | None:
    """An address in the one way in which it is written; `None` for what is none."""
    address = address_of(host)
    return None if address is None else str(address)
