"""Where in a request a secret may stand, and taking it out of there. One scan of the header list."""

import re
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from gatepost.asgi.sources.spans import overwrite_query
from gatepost.base import BLANKS, BadInputError, Outcome

Scope = MutableMapping[str, Any]

REDACTED = b"REDACTED"
"""What stands for a secret in a query that is told to somebody: as OpenTelemetry's conventions have it."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")  # RFC 9110, section 5.6.2


@dataclass(frozen=True, slots=True)
class Bearer:
    """`Authorization: Bearer <secret>` (RFC 6750). Other schemes in that header are left to the app."""


@dataclass(frozen=True, slots=True)
class Header:
    """A header that holds the secret and nothing else, such as `X-API-Key`. Names are case-insensitive."""

    name: str

    def __post_init__(self) -> None:
        if not _TOKEN.match(self.name):
            raise BadInputError(f"{self.name!r} is no header name (RFC 9110, section 5.6.2)")
        if self.name.lower() == "authorization":
            raise BadInputError("the Authorization header is read by Bearer(), not by Header()")


@dataclass(frozen=True, slots=True)
class Query:
    """A query parameter, such as `?api_key=…`. Secrets in URLs end up in logs: only for clients that can do no other.

    Taken out of `scope["query_string"]` unless `strip=False`; and always out of the URL that OpenTelemetry's span of
    the request has recorded.
    """

    name: str

    def __post_init__(self) -> None:
        if not self.name:
            raise BadInputError("Query() needs the parameter's name")


@dataclass(frozen=True, slots=True)
class Subprotocol:
    """One of the subprotocols that a WebSocket client offers: `prefix` and then the secret.

    For browsers, which cannot set headers on a WebSocket: `new WebSocket(url, ["chat", "gatepost.key.<secret>"])`.
    Taken out of what the app sees, unless `strip=False`, so that it accepts one of the others.
    """

    prefix: str = "gatepost.key."

    def __post_init__(self) -> None:
        if not _TOKEN.match(self.prefix):
            raise BadInputError(f"{self.prefix!r} cannot begin a subprotocol (RFC 6455, section 4.1)")


Source = Bearer | Header | Query | Subprotocol


def shown(source: Source) -> str:
    """How a caller sends a secret by this source, for people."""
    match source:
        case Bearer():
            return "'Authorization: Bearer <key>'"
        case Header(name):
            return f"'{name}: <key>'"
        case Query(name):
            return f"the query parameter '{name}'"
        case Subprotocol(prefix):
            return f"the WebSocket subprotocol '{prefix}<key>'"


_SUBPROTOCOL_HEADER = b"sec-websocket-protocol"


class Extractor:
    """Takes the secret out of a scope, from whichever of the sources it stands in.

    `sources`: one or more, none twice. `strip`: remove what carried the secret from the scope.
    """

    def __init__(self, sources: Sequence[Source], *, strip: bool = True) -> None:
        if isinstance(sources, Source):
            raise BadInputError(f"sources must be a list, not the single {sources!r}: write [{sources!r}]")
        if not sources:
            raise BadInputError("sources is empty: where should a secret stand? For example sources=(Bearer(),)")
        for source in sources:
            if not isinstance(source, Source):
                raise BadInputError(
                    f"{source!r} is no source: give Bearer(), Header(name), Query(name) or Subprotocol()"
                )
        if len(set(sources)) != len(sources):
            raise BadInputError("sources holds the same source twice")
        self.strip = strip
        """Whether what carried the secret is taken out of the scope."""
        self._bearer = Bearer() in sources
        self._names = frozenset(s.name.lower().encode() for s in sources if isinstance(s, Header)) | (
            {b"authorization"} if self._bearer else frozenset()
        )
        self._queries = frozenset(s.name.encode() for s in sources if isinstance(s, Query))
        self._subprotocols = tuple(s.prefix for s in sources if isinstance(s, Subprotocol))
        self.headers = None if self._queries or self._subprotocols else tuple(sorted(self._names))
        """The names of the headers that may carry a secret, if it can stand nowhere else; else `None`."""
        self.take: Callable[[Scope], bytes | Outcome] = (
            self._take_any if self.headers is None else self._take_from_header
        )
        """The secret's bytes, `Outcome.MISSING` where there is none, `Outcome.AMBIGUOUS` for two secrets or a header
        that stands twice. Spaces and tabs around a secret may be left; where there is nothing but these, it is none."""

    def _take_from_header(self, scope: Scope) -> bytes | Outcome:
        """`take` where one header is all that there should be: on the path of every request."""
        names = self._names
        headers = scope["headers"]
        carrier = None
        place = 0
        for name, content in headers:
            if name in names:
                if carrier is not None:
                    return self._take_any(scope)
                carrier, value, carrier_place = name, content, place
            place += 1  # noqa: SIM113 - enumerate makes a tuple for each header
        if carrier is None:
            return Outcome.MISSING
        if carrier == b"authorization":
            if value[:7] != b"Bearer ":
                value = value.lstrip(BLANKS)
                if value[:7].lower() != b"bearer ":
                    return Outcome.MISSING
            value = value[7:]
        if self.strip:
            kept = [*headers]
            del kept[carrier_place]
            scope["headers"] = kept
        return value  # type: ignore[no-any-return]  # ASGI: bytes

    def _take_any(self, scope: Scope) -> bytes | Outcome:
        """`take` for several headers, query parameters and subprotocols. The same secret in several of them is one:
        clients that are generated from an OpenAPI document fill in each of its alternatives."""
        lines = [line for line in scope["headers"] if line[0] in self._names]
        carriers = [line[0] for line in lines if line[1].strip(BLANKS)]
        found: list[bytes] = []
        for line in lines:
            value = line[1]
            if line[0] == b"authorization":
                value = value.lstrip(BLANKS)
                if value[:7].lower() != b"bearer ":
                    continue
                value = value[7:]
            found.append(value)
            if self.strip:
                scope["headers"] = [kept for kept in scope["headers"] if kept is not line]
        beyond = self._take_query(scope) if self._queries else []
        if self._subprotocols and scope["type"] == "websocket":
            beyond += self._take_subprotocol(scope)
        carriers += [carrier for carrier, value in beyond if value.strip(BLANKS)]
        found += [value for _, value in beyond]
        secrets = {value.strip(BLANKS) for value in found} - {b""}
        if len(secrets) > 1 or len(set(carriers)) < len(carriers):
            return Outcome.AMBIGUOUS
        return next((value for value in found if value.strip(BLANKS)), found[0]) if found else Outcome.MISSING

    def hide(self, scope: Scope) -> None:
        """Have no trace tell the secret of a request that is not asked for one. The request stays as it is."""
        if self._queries:
            self._read_query(scope)

    def _take_query(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """The parameters' names and values."""
        found, kept = self._read_query(scope)
        if found and self.strip:
            scope["query_string"] = b"&".join(kept)
        return found

    def _read_query(self, scope: Scope) -> tuple[list[tuple[bytes, bytes]], list[bytes]]:
        """The parameters' names and values, and what else there is."""
        found, kept, told = [], [], []
        for part in scope.get("query_string", b"").split(b"&"):
            quoted, _, value = part.partition(b"=")
            name = unquote_to_bytes(quoted.replace(b"+", b" "))
            if name in self._queries:
                found.append((b"?" + name, unquote_to_bytes(value.replace(b"+", b" "))))
                told.append(quoted + b"=" + REDACTED)
            else:
                kept.append(part)
                told.append(part)
        if found:
            overwrite_query(b"&".join(told))
        return found, kept

    def _take_subprotocol(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """The prefixes and what follows them."""
        found, kept = [], []
        for offered in scope.get("subprotocols", ()):
            prefix = next((p for p in self._subprotocols if offered.startswith(p)), None)
            if prefix is None:
                kept.append(offered)
            else:
                found.append((prefix.encode(), offered.removeprefix(prefix).encode("latin-1", "replace")))
        if found and self.strip:
            scope["subprotocols"] = kept
            others = [line for line in scope["headers"] if line[0] != _SUBPROTOCOL_HEADER]
            scope["headers"] = others + ([(_SUBPROTOCOL_HEADER, ", ".join(kept).encode("latin-1"))] if kept else [])
        return found
