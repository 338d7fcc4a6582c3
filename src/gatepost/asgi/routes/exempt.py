"""Which paths need no key, and which a fresh look at it. Matched on the path as the app routes it."""

import inspect
import re
import unicodedata
from collections.abc import Callable, Sequence

from starlette.types import Scope

from gatepost.asgi.routes.routing import Routing
from gatepost.base import BadInputError

Exemption = str | Callable[[Scope], bool]


class Pages:
    """A function of the scope, for an `exempt` of ours: HTTP requests for exact paths, each by one method alone, which
    a framework answers itself. What the app answers there by another method is not exempt. `find`: tells them as they
    would be if the app were put together now; `None` = they are told as they come."""

    def __init__(self, find: Callable[[], set[tuple[str, str]]] | None = None) -> None:
        self.known: set[tuple[str, str]] = set()
        """The methods with their paths. May still change."""
        self._find = find

    def look(self) -> None:
        """Find them: before the app is looked over that has not been put together yet."""
        if self._find is not None:
            self.known = self._find()

    def __call__(self, scope: Scope) -> bool:
        return scope["type"] == "http" and (scope.get("method"), scope["path"]) in self.known


_ENCODED_SEPARATOR = re.compile(rb"%2f|%5c", re.IGNORECASE)


class Exemptions:
    """A list of paths, path prefixes and functions of the scope.

    `/health` opens exactly that path. `/public/*` opens what lies below `/public/`, not `/public` itself. A path with
    `.` or `..` as a segment, an empty segment, a backslash, a control character or an encoded slash is never exempt by
    a prefix: apps and servers disagree on what it means. A function answers for the whole scope and is believed where
    it answers `True`. Where `routing` tells of several paths that the request may be routed by, each must be exempt.
    Raises `BadInputError` for a pattern that could not match, or would match more than it says.
    """

    def __init__(self, exempt: Sequence[Exemption], routing: Routing | None = None) -> None:
        self.paths, self.prefixes, self.functions = _sorted("exempt", exempt)
        self._pages = [each for each in self.functions if isinstance(each, Pages)]
        self._asked = [each for each in self.functions if not isinstance(each, Pages)]
        self._routing = routing or Routing()

    def __bool__(self) -> bool:
        return bool(self.paths or self.prefixes or self.functions)

    def match(self, scope: Scope) -> bool:
        """Whether this request needs no key."""
        paths = self._routing.paths(scope)
        if paths and all(self._opens(path, scope) for path in paths):
            return True
        if not self._asked:
            return False
        views = self._routing.views(scope)  # is True: a forgotten coroutine opens nothing
        return any(all(function(view) is True for view in views) for function in self._asked)

    def _opens(self, path: str, scope: Scope) -> bool:
        if path in self.paths:
            return True
        for pages in self._pages:
            if (scope.get("method"), path) in pages.known and scope["type"] == "http":
                return True
        below = any(_is_below(path, prefix) for prefix in self.prefixes)
        return below and not _is_odd(path) and not _ENCODED_SEPARATOR.search(scope.get("raw_path") or b"")


class FreshPaths:
    """A list of paths, path prefixes and functions of the scope, written as for `Exemptions`, matched the other way
    round: what an app might take for one of them is one. A miss would be a hole; a hit too many costs a round trip.

    `/payments` is also `/payments/`, and `/payments/*` also `/payments`, in any case of the letters, wherever the
    slashes stand and whatever stands before: an app may be mounted, under a root path of its own, or find its mounts
    without looking for the slash behind them. A path with `.` or `..` as a segment, an empty segment, a backslash, a
    control character, an encoded slash or anything that could be decoded again always matches. A function matches
    unless it answers `False` or `None`. Raises `BadInputError` as `Exemptions` does.
    """

    def __init__(self, fresh: Sequence[Exemption], routing: Routing | None = None) -> None:
        paths, prefixes, self._functions = _sorted("fresh", fresh)
        self._paths = frozenset(_letters(path) for path in (*paths, *prefixes))
        self._prefixes = tuple(map(_letters, prefixes))
        self._routing = routing or Routing()

    def match(self, scope: Scope) -> bool:
        """Whether this request's key must be judged on the database's word."""
        path: str = scope["path"]
        odd = not path.startswith("/") or "%" in path or _is_odd(path)
        if odd or _ENCODED_SEPARATOR.search(scope.get("raw_path") or b""):
            return True
        routed = self._routing.paths(scope)
        if any(map(self._takes_in, {path, *routed})):
            return True
        if not self._functions:
            return False
        views = self._routing.views(scope)
        return any(function(view) not in (False, None) for view in views for function in self._functions)

    def _takes_in(self, path: str) -> bool:
        segments = path.strip("/").split("/")
        ends = (_letters("".join(segments[start:])) for start in range(len(segments)))
        return any(end in self._paths or end.startswith(self._prefixes) for end in ends)


def _sorted(
    option: str, patterns: Sequence[Exemption]
) -> tuple[frozenset[str], tuple[str, ...], tuple[Callable[[Scope], bool], ...]]:
    """The exact paths, the prefixes (with their last slash) and the functions among the patterns of an option."""
    if isinstance(patterns, str):
        raise BadInputError(f"{option} must be a list of paths, not the single text {patterns!r}: write [{patterns!r}]")
    paths, prefixes, functions = set(), [], []
    for pattern in patterns:
        if not isinstance(pattern, str):
            if not callable(pattern):
                raise BadInputError(f"{option}: {pattern!r} is neither a path nor a function of the scope")
            if inspect.iscoroutinefunction(pattern) or inspect.iscoroutinefunction(type(pattern).__call__):
                raise BadInputError(f"{option}: {pattern!r} is async: give a function that answers at once")
            functions.append(pattern)
            continue
        bare = pattern.removesuffix("*")
        if not pattern.startswith("/") or "*" in bare or (bare != pattern and not bare.endswith("/")):
            raise BadInputError(
                f"{option}: {pattern!r} must begin with '/', and may have '*' only as its whole last segment: '/a/*'"
            )
        if _is_odd(bare):
            raise BadInputError(
                f"{option}: {pattern!r} holds an empty or dot segment, a backslash or a control character, and could "
                "never match"
            )
        if bare == pattern:
            paths.add(pattern)
        else:
            prefixes.append(bare)
    return frozenset(paths), tuple(prefixes), tuple(functions)


def _letters(path: str) -> str:
    """The path as the most lenient of apps might compare it: without its slashes, and in one case."""
    return unicodedata.normalize("NFKC", path).casefold().replace("/", "")


def _is_below(path: str, prefix: str) -> bool:
    return path.startswith(prefix) and path != prefix


def _is_odd(path: str) -> bool:
    inner = path[1:-1] if path.endswith("/") else path[1:]
    if path == "/":
        return False
    return "\\" in path or not path.isprintable() or any(part in {"", ".", ".."} for part in inner.split("/"))
