"""Which paths need no key, and which a fresh look at it. Pure. Matched on the path as it is routed."""

import inspect
import re
import unicodedata
from collections.abc import Callable, Sequence

from gatepost.errors import BadInputError
from gatepost.sources import Scope

Exemption = str | Callable[[Scope], bool]


_ENCODED_SEPARATOR = re.compile(rb"%2f|%5c", re.IGNORECASE)


class Exemptions:
    """A list of paths, path prefixes and functions of the scope.

    `/health` opens exactly that path. `/public/*` opens what lies below `/public/`, not `/public` itself. A path with
    `.` or `..` as a segment, an empty segment, a backslash, a control character or an encoded slash is never exempt by
    a prefix: apps and servers disagree on what it means. A function answers for the whole scope and is believed where
    it answers `True`.
    Raises `BadInputError` for a pattern that could not match, or would match more than it says.
    """

    def __init__(self, exempt: Sequence[Exemption]) -> None:
        self._paths, self._prefixes, self._functions = _sorted("exempt", exempt)

    def __bool__(self) -> bool:
        return bool(self._paths or self._prefixes or self._functions)

    def match(self, scope: Scope) -> bool:
        """Whether this request needs no key."""
        path = _routed_path(scope)
        if path in self._paths:
            return True
        below = any(_is_below(path, prefix) for prefix in self._prefixes)
        if below and not _is_odd(path) and not _ENCODED_SEPARATOR.search(scope.get("raw_path") or b""):
            return True
        return any(function(scope) is True for function in self._functions)  # a forgotten coroutine opens nothing


class FreshPaths:
    """A list of paths, path prefixes and functions of the scope, written as for `Exemptions`, matched the other way
    round: what an app might take for one of them is one. A miss would be a hole; a hit too many costs a round trip.

    `/payments` is also `/payments/`, and `/payments/*` also `/payments`, in any case of the letters. A path with `.` or
    `..` as a segment, an empty segment, a backslash, a control character, an encoded slash or anything that could be
    decoded again, and one that frameworks find differently below the `root_path`, always matches. A function matches
    unless it answers `False` or `None`. Raises `BadInputError` as `Exemptions` does.
    """

    def __init__(self, fresh: Sequence[Exemption]) -> None:
        paths, prefixes, self._functions = _sorted("fresh", fresh)
        self._paths = frozenset(_folded(path).rstrip("/") for path in (*paths, *prefixes))
        self._prefixes = tuple(map(_folded, prefixes))

    def match(self, scope: Scope) -> bool:
        """Whether this request's key must be judged on the database's word."""
        path, routed = scope["path"], _routed_path(scope)
        odd = not routed or not path.startswith("/") or "%" in path or _is_odd(path) or _is_odd(routed)
        if odd or _ENCODED_SEPARATOR.search(scope.get("raw_path") or b""):
            return True
        for each in {_folded(path), _folded(routed)}:
            if each.rstrip("/") in self._paths or each.startswith(self._prefixes):
                return True
        return any(function(scope) not in (False, None) for function in self._functions)


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


def _folded(path: str) -> str:
    """The path as the most lenient of apps might compare it."""
    return unicodedata.normalize("NFKC", path).casefold()


def _routed_path(scope: Scope) -> str:
    """`scope["path"]` without the `root_path` that the app is mounted at, as frameworks route it.

    Empty, which no pattern matches, where frameworks disagree: the root stands elsewhere in the path (Litestar routes
    `/public/api/admin` under the root `/api` as `/admin`), or ends with a slash (Starlette then keeps all of the path).
    """
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root in {"", "/"}:
        return path
    if path.startswith(root + "/") and not root.endswith("/"):
        return path[len(root) :]
    return "" if root.rstrip("/") in path else path


def _is_below(path: str, prefix: str) -> bool:
    return path.startswith(prefix) and path != prefix


def _is_odd(path: str) -> bool:
    inner = path[1:-1] if path.endswith("/") else path[1:]
    if path == "/":
        return False
    return "\\" in path or not path.isprintable() or any(part in {"", ".", ".."} for part in inner.split("/"))
