"""The networks that a key may be used from, and whether an address is in one of them. Pure.

An address is text, as servers and proxies give it. An IPv4 address that is written as IPv6 (`::ffff:203.0.113.9`, RFC
4291, section 2.5.5.2) is the IPv4 address, in lists and in requests alike. What is no address is in no network.
"""

import logging
from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
    ip_address,
    ip_network,
)

import orjson

from gatepost.base.errors import BadInputError

logger = logging.getLogger("gatepost.networks")

NETWORKS_MAX = 100
"""Most networks in one list: more than an office, a cloud region and its peers have, and 4.6 KB of text at most."""

JUDGED_MAX = 32
"""Most addresses that a list remembers its answer for: some 4 KB. Then all are forgotten, so that a flood of addresses
costs time, but no memory."""

_MAPPED = IPv6Network("::ffff:0:0/96")

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


class Networks:
    """The networks of one list, and whether an address is in one of them.

    `texts`: as `checked_networks` gives them; none = no address is. `judged`: what was asked about before. About 0.1 µs
    for an address that was asked about before, some microseconds for another.
    """

    __slots__ = ("_ranges", "judged", "texts")

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = tuple(texts)
        parsed = [ip_network(text) for text in self.texts]
        self._ranges = {
            version: [(int(each.netmask), int(each.network_address)) for each in parsed if each.version == version]
            for version in (4, 6)
        }
        self.judged: dict[str | None, bool] = {}

    def __contains__(self, address: object) -> bool:
        """Whether an address (text) is in one of the networks; never for `None` and for what is no address."""
        judged = self.judged.get(address)  # type: ignore[call-overload]  # whatever it is
        return self._judge(address) if judged is None else judged

    def _judge(self, text: object) -> bool:
        address = address_of(text)
        if address is None or not isinstance(text, str):
            return False
        number = int(address)
        judged = any(number & mask == start for mask, start in self._ranges[address.version])
        if len(self.judged) >= JUDGED_MAX:
            self.judged.clear()
        self.judged[text] = judged
        return judged


@lru_cache(maxsize=4096)
def address_of(text: object) -> Address | None:
    """The address that a text is, IPv4 where it is mapped into IPv6; `None` for anything else: a host's name,
    `unknown`, an address with a zone (`fe80::1%eth0`), which says nothing on another machine."""
    if not isinstance(text, str) or "%" in text:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def checked_networks(name: str, networks: Iterable[str] | None) -> tuple[str, ...] | None:
    """A list of networks as it may be stored: each once, in CIDR notation (RFC 4632), in order; `None` = none is named.
    An address stands for itself alone. Raises `BadInputError`, which names the entry and what to write in its place."""
    if networks is None:
        return None
    if isinstance(networks, str | bytes) or not isinstance(networks, Iterable):
        raise BadInputError(
            f"{name} must be a list of networks, such as ['203.0.113.0/24', '2001:db8::/32'], not {networks!r:.60}",
            name,
        )
    given = list(networks)
    if len(given) > NETWORKS_MAX:
        raise BadInputError(
            f"{name} must have at most {NETWORKS_MAX} networks, not {len(given)}: write wider ones", name
        )
    parsed = {_parsed(f"{name}[{number}]", each, name) for number, each in enumerate(given)}
    return tuple(map(str, sorted(parsed, key=lambda each: (each.version, each.network_address, each.prefixlen))))


def covers(outer: Sequence[str] | None, inner: Sequence[str] | None) -> bool:
    """Whether every address that `inner` allows is allowed by `outer` too. `None` = anywhere, empty = nowhere."""
    if outer is None or (inner is not None and not inner):
        return True
    if inner is None:
        return False
    wide = _collapsed(outer)
    return all(any(_is_within(each, other) for other in wide) for each in _collapsed(inner))


@lru_cache(maxsize=1024)
def networks_of(text: str) -> Networks:
    """The list that a column or a payload tells of: JSON. What is no list, since somebody has written it there by hand,
    is told to the log, and lets nobody in. Keys with the same list share the answer."""
    try:
        told = orjson.loads(text)
        if not isinstance(told, list):
            raise BadInputError(f"allow must be a JSON array of networks, not {text!r:.60}", "allow")
        return Networks(checked_networks("allow", told) or ())
    except ValueError as wrong:  # BadInputError is one too
        logger.error("A list of addresses cannot be read, so its keys are refused everywhere: %s", wrong)  # noqa: TRY400
        return Networks(())


def allow_of(text: str | None) -> tuple[str, ...] | None:
    """The networks that a column tells of, as a key has them: `None` = anywhere, empty = nowhere."""
    return None if text is None else networks_of(text).texts


def networks_text(networks: Sequence[str] | None) -> str | None:
    """What the column holds of a list: JSON; `None` for `None`."""
    return None if networks is None else orjson.dumps(networks).decode()


def _parsed(place: str, text: object, field: str) -> Network:
    """One network. Raises `BadInputError`."""
    if not isinstance(text, str):
        raise BadInputError(f"{place} must be a text such as '203.0.113.0/24', not {text!r:.60}", field)
    if "%" in text:
        raise BadInputError(
            f"{place} {text!r:.60} has a zone, which means nothing elsewhere: write {text.split('%')[0]!r:.60}", field
        )
    host, slash, length = text.partition("/")
    if slash and not (length.isascii() and length.isdigit()):
        raise BadInputError(f"{place} {text!r:.60} must end in a number of bits: write '203.0.113.0/24'", field)
    try:
        network = ip_network(text, strict=False)
        start = ip_address(host)
    except ValueError:
        raise BadInputError(
            f"{place} {text!r:.60} is no network: write '203.0.113.0/24', '2001:db8::/32' or an address", field
        ) from None
    if network.network_address != start:
        raise BadInputError(
            f"{place} {text!r:.60} has bits set beyond its /{network.prefixlen}: write {str(_unmapped(network))!r} for "
            f"the network, or {host!r} for that address alone",
            field,
        )
    return _unmapped(network)


def _unmapped(network: Network) -> Network:
    """The IPv4 network that one of mapped addresses is; any other as it is."""
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        start = network.network_address.ipv4_mapped
        return ip_network((int(start or 0), network.prefixlen - _MAPPED.prefixlen))
    return network


def _collapsed(texts: Sequence[str]) -> Sequence[Network]:
    """The fewest networks that hold the same addresses."""
    parsed = [ip_network(text) for text in texts]
    ours: list[Network] = [*collapse_addresses(each for each in parsed if isinstance(each, IPv4Network))]
    return [*ours, *collapse_addresses(each for each in parsed if isinstance(each, IPv6Network))]


def _is_within(inner: Network, outer: Network) -> bool:
    if isinstance(inner, IPv4Network) and isinstance(outer, IPv4Network):
        return inner.subnet_of(outer)
    return isinstance(inner, IPv6Network) and isinstance(outer, IPv6Network) and inner.subnet_of(outer)
