"""What a caller needs for a route: permissions, only a key, or nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gatepost.asgi import PermissionCheck
from gatepost.asgi.routes import Pages
from gatepost.coverage.route import Guard, Route
from gatepost.coverage.template import Template


class Needs(StrEnum):
    """What a caller needs for a route."""

    PERMISSIONS = "permissions"
    """A key that has what `requires` asks."""
    KEY = "a key"
    """Any usable key, whatever it may do."""
    PARTLY = "a key, but for exempt paths"
    """Some of the paths that the route takes are exempt, or a function decides; and nothing else is asked."""
    ASKED_PARTLY = "permissions, but for exempt paths"
    """The same, and `requires` asks there: nobody has permissions on the paths that are exempt, so nobody is let in."""
    EXEMPT = "nothing: exempt"
    """The middleware does not look at these requests."""
    OPTIONAL = "nothing: optional"
    """The middleware lets in who shows no key."""
    OPEN = "nothing: no middleware"
    """No `APIKeyMiddleware` is on the way."""
    OWN = "its own"
    """An app of gatepost's, which says itself who may."""


_ASKED = {Needs.KEY: Needs.PERMISSIONS, Needs.PARTLY: Needs.ASKED_PARTLY}
"""What a route needs that asks for permissions, by what it would need else."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What of a mount is exempt, in the paths of its middleware. `root`: where it is, without a slash at the end;
    `own`: its own paths, with and without that slash, that are; `closed`: those that are not; `below`: whether the rest
    is."""

    root: str
    own: Sequence[str]
    closed: Sequence[str]
    below: bool


class Judge:
    """Says what a caller needs for each of these routes."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._fixed: dict[tuple[int, str], list[tuple[int, Route]]] = {}
        """By middleware and path below it, the routes that take that path alone, each with its number."""
        self._known: dict[Route, Needs] = {}
        self._numbers = {route: number for number, route in enumerate(routes)}
        exempt = {id(guard): guard.middleware.exempt for route in routes for guard in route.guards}
        for pages in {each for one in exempt.values() if one for each in one.functions if isinstance(each, Pages)}:
            pages.look()
        for number, route in enumerate(routes):
            for guard in route.guards if route.template.is_fixed else ():
                at = _at(guard, route.template.without(guard.above).text)
                self._fixed.setdefault(at, []).append((number, route))

    def needs_of(self, route: Route) -> Needs:
        """What a caller needs for the route."""
        known = self._known.get(route)
        if known is None:
            known = self._known[route] = self._needs_of(route)
        return known

    def _needs_of(self, route: Route) -> Needs:
        states = [self.state_of(guard, route) for guard in route.guards]
        if route.own:
            return Needs.OWN
        if not states:
            return Needs.OPEN
        for state in (Needs.KEY, Needs.PARTLY):
            if state in states:
                return _ASKED[state] if route.checks else state
        if Needs.OPTIONAL in states:
            return Needs.PERMISSIONS if route.checks else Needs.OPTIONAL
        return Needs.EXEMPT

    def state_of(self, guard: Guard, route: Route) -> Needs:
        """What one middleware makes of requests for a route: `KEY`, `PARTLY`, `EXEMPT` or `OPTIONAL`."""
        exempt = guard.middleware.exempt
        otherwise = Needs.OPTIONAL if guard.middleware.optional else Needs.KEY
        if exempt is None:
            return otherwise
        seen = route.template.without(guard.above)
        mount = self._opened(guard, seen)
        is_open = seen.is_fixed and seen.sample in exempt.paths
        if is_open or any(map(seen.is_below, exempt.prefixes)):
            return Needs.PARTLY if mount is not None and mount.closed else Needs.EXEMPT
        opened = exempt_by_function(guard, route)
        if opened:
            return Needs.EXEMPT
        takes_one = any(seen.takes(path) and not self._is_taken_before(path, guard, route) for path in exempt.paths)
        if opened is None or takes_one or any(map(seen.may_be_below, exempt.prefixes)):
            return Needs.PARTLY
        return Needs.PARTLY if mount is not None and mount.own else otherwise

    def opened_of(self, route: Route) -> Opened | None:
        """Of a mount that is exempt in part: which part. `None` = it is none, or more than its own paths, or all but
        these, are exempt."""
        partly = [guard for guard in route.guards if self.state_of(guard, route) is Needs.PARTLY]
        exempt = partly[0].middleware.exempt if len(partly) == 1 else None
        if route.kind != "app" or exempt is None or not all(isinstance(each, Pages) for each in exempt.functions):
            return None
        seen = route.template.without(partly[0].above)
        opened = self._opened(partly[0], seen)
        if opened is None or opened.below:
            return opened
        others = any(seen.takes(path) for path in exempt.paths.difference(opened.own))
        return None if others or any(map(seen.may_be_below, exempt.prefixes)) else opened

    def _opened(self, guard: Guard, seen: Template) -> Opened | None:
        """What of the mount `seen` a middleware opens; `None` = it is no mount."""
        exempt, root = guard.middleware.exempt, seen.root
        if exempt is None or root is None:
            return None
        paths = [path for path in ((root, f"{root}/") if root else ("/",)) if not self._fixed.get(_at(guard, path))]
        own = [
            path
            for path in paths
            if path in exempt.paths or any(path != each and path.startswith(each) for each in exempt.prefixes)
        ]
        return Opened(root, own, [path for path in paths if path not in own], any(map(seen.is_below, exempt.prefixes)))

    def _is_taken_before(self, path: str, guard: Guard, route: Route) -> bool:
        """Whether earlier routes of that path alone take all the requests for it that the route would take."""
        taken: set[str] = set()
        for number, other in self._fixed.get(_at(guard, path), ()):
            is_before = number < self._numbers[route] and other.host in {"", route.host}
            if is_before and not route.is_chosen_from(other):
                taken |= other.taken
        return all(method in taken or ("ANY" in taken and method != "WS") for method in route.handled)


def is_page(route: Route) -> bool:
    """Whether it is a page that a framework's `Guard` opens by itself, as `/docs`, by all of its methods."""
    if route.checks:
        return False
    for guard in route.guards:
        exempt, path = guard.middleware.exempt, route.template.without(guard.above).sample
        for pages in exempt.functions if exempt is not None and route.template.is_fixed else ():
            if isinstance(pages, Pages) and all((method, path) in pages.known for method in route.handled):
                return True
    return False


def _at(guard: Guard, path: str) -> tuple[int, str]:
    return id(guard.middleware), path


def exempt_by_function(guard: Guard, route: Route) -> bool | None:
    """Whether a function of `exempt=` opens the route, asked about a request of its kind that nobody has sent; `None` =
    it raised, or no path of the route is known."""
    exempt = guard.middleware.exempt
    if exempt is None or not exempt.functions:
        return False
    path = route.template.without(guard.above).sample
    if path is None:
        return None
    scope = scope_of(route, path)
    try:
        return any(function(scope) is True for function in exempt.functions)
    except Exception:  # noqa: BLE001 - a function of the app's may raise anything
        return None


LOCALHOST = "localhost"
"""The host that is asked of routes that are of whichever."""


def is_plain(host: str) -> bool:
    """Whether it is the name of one host, and not a pattern or nothing."""
    return host != "" and not {*host} & {*"{}<>"}


def scope_of(route: Route, path: str) -> dict[str, Any]:
    """The scope of a request for the route without a key."""
    scope: dict[str, Any] = {
        "type": "websocket" if route.kind == "websocket" else "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws" if route.kind == "websocket" else "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", (route.host if is_plain(route.host) else LOCALHOST).encode())],
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
        "state": {},
    }
    if route.kind == "websocket":
        return scope | {"subprotocols": [], "extensions": {"websocket.http.response": {}}}
    method = next(iter(route.methods), "GET")
    return scope | {"method": "GET" if method == "ANY" else method}


def dead_entries(routes: Sequence[Route]) -> Iterator[tuple[str, Guard]]:
    """The paths and prefixes of `exempt=` that no route answers, each with its middleware. Functions are not judged.

    A path without the slash at its end, or with it, is of what the other one is of, where that is exempt too, and of
    a mount there, or of what is below, as `Admin.paths` names them: frameworks answer, or redirect."""
    guards = {id(guard.middleware): guard for route in routes for guard in route.guards}
    for guard in guards.values():
        exempt = guard.middleware.exempt
        if exempt is None:
            continue
        seen = [
            route.template.without(each.above)
            for route in routes
            for each in route.guards
            if each.middleware is guard.middleware
        ]
        roots = {each.root for each in seen}
        prefixes = {each for each in exempt.prefixes if any(route.may_be_below(each) for route in seen)}
        paths = {path for path in exempt.paths if any(each.takes(path) for each in seen)}
        for path in sorted(exempt.paths - paths):
            bare = path.removesuffix("/")
            if bare not in roots and not {bare, f"{bare}/"} & paths and f"{bare}/" not in prefixes:
                yield path, guard
        for prefix in exempt.prefixes:
            if prefix not in prefixes:
                yield f"{prefix}*", guard


def told(check: PermissionCheck) -> str:
    """A check in words: `A, B, one of C or D`."""
    parts = [*sorted(check.all_of)]
    if check.any_of:
        parts.append(f"one of {' or '.join(sorted(check.any_of))}")
    return ", ".join(parts)
