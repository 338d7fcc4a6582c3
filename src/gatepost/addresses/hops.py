"""What proxies tell of the way of a request: the hops in X-Forwarded-For and in Forwarded, from the right."""

import re
from collections.abc import Iterator

_HOP = re.compile(r"\[(?P<v6>[^\]]*)\](?::\d{1,5})?|(?P<v4>[^:]*)(?::\d{1,5})?|(?P<bare>.*)")


def x_forwarded_for_hops(text: str) -> Iterator[str | None]:
    """The addresses of X-Forwarded-For, from the right; some proxies add a port. There is no standard: what is no
    address is given as it stands. Empty entries are none (RFC 9110, section 5.6.1)."""
    for entry in reversed(text.split(",")):
        hop = entry.strip(" \t")
        if hop:
            found = _HOP.fullmatch(hop)
            yield None if found is None else next(each for each in found.groups() if each is not None)


_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110, section 5.6.2
_PAIR = re.compile(rf'({_TOKEN})=(?:({_TOKEN})|"((?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*)")')
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_PORT = r"(?::(?:\d{1,5}|_[0-9A-Za-z._-]+))?"
_NODE = re.compile(rf"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<v4>\d+\.\d+\.\d+\.\d+)){_PORT}", re.ASCII)


def forwarded_hops(text: str) -> Iterator[str | None] | None:
    """The `for` of each element of Forwarded, from the right; `None` for one that tells no address: `unknown`, a name
    that begins with `_`, or nothing. `None` in place of all where the text is not of RFC 7239's grammar (section 4)."""
    hops: list[str | None] = []
    at, end = 0, len(text)
    while True:
        while at < end and text[at] in " \t,":
            at += 1
        if at == end:
            return reversed(hops)
        pairs: dict[str, str] = {}
        while True:
            pair = _PAIR.match(text, at)
            if pair is not None:
                name, token, quoted = pair.groups()
                if name.lower() in pairs:
                    return None
                pairs[name.lower()] = _QUOTED_PAIR.sub(r"\1", quoted) if token is None else token
                at = pair.end()
            if at == end or text[at] != ";":
                break
            at += 1
        while at < end and text[at] in " \t":
            at += 1
        if at < end and text[at] != ",":
            return None
        node = _NODE.fullmatch(pairs.get("for", ""))
        hops.append(None if node is None else node["v6"] or node["v4"])
