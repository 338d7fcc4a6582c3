"""Where nothing is sent to: this machine, its network, and whatever else is not of the public Internet.

    name ──resolved once──> addresses, all allowed? ──> the connection goes to the first of these, not to the name again

Who may choose what a name leads to could else lead us into our own network after it was checked.
"""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from gatepost.base import GatepostError

_NAT64 = IPv6Network("64:ff9b::/96")
"""IPv4 by way of IPv6 (RFC 6052): the address that counts is in the last 32 bits."""

_OF_NO_INTERNET = tuple(map(IPv6Network, ("64:ff9b:1::/48", "::/96", "::ffff:0:0:0/96", "fec0::/10")))
"""What `is_global` may take for public, and is not: NAT64 of a network's own (RFC 8215), two ways to wrap IPv4 that are
no longer in use (RFC 4291, 2.5.5.1; RFC 2765), site-local addresses (RFC 3879)."""


class ForbiddenHostError(GatepostError):
    """A name leads to where nothing is sent to, or nowhere. The message has no address, which would tell of our
    network.
    """


def is_public(text: str) -> bool:
    """Whether an address is of the public Internet, whatever it is wrapped into."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        if any(address in network for network in _OF_NO_INTERNET):
            return False
        inner = _inner(address)
        if inner is not None:
            address = inner
    return address.is_global and not address.is_multicast


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = None if address.teredo is None else address.teredo[1]
    return address.ipv4_mapped or address.sixtofour or teredo


def is_address(text: str) -> bool:
    """Whether a host is an address, in one of the ways that need no resolver."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


async def resolved(host: str, port: int, *, private: bool) -> str:
    """The address to connect to. `private`: also one that is not public. Raises `ForbiddenHostError` where any
    address of the name is not allowed: a resolver that mixes them is up to something."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # the latter: a label that is empty or too long
        raise ForbiddenHostError("its name leads nowhere") from None
    addresses = [str(each[4][0]) for each in found]
    if not addresses or not (private or all(map(is_public, addresses))):
        raise ForbiddenHostError("its name leads to an address that is not public (allow_private=True allows that)")
    return addresses[0]
