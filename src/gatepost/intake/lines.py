"""What stands for one client, whatever it calls itself: customers choose among many addresses of one line."""

from ipaddress import IPv6Address, IPv6Network, ip_address

IPV6_PREFIX = 64
"""Bits of an IPv6 address that one customer line shares (RFC 6177): the rest is for whoever has it to choose."""


def line_of(address: str) -> str:
    """Its IPv4 address, its IPv6 network, or whatever else the server calls it."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(IPv6Network((int(parsed), IPV6_PREFIX), strict=False))
    return str(parsed)
