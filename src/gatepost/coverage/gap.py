"""`Gap`: something that a look over an app's routes brought up, each with a name by which it can be accepted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import orjson

from gatepost.coverage.needs import Judge, Needs, Opened, dead_entries, told
from gatepost.coverage.route import Route
from gatepost.rules import ACCESS_MANAGE, ACCESS_READ, DAM, Catalogue

Severity = Literal["error", "warning", "note"]

CODES: Sequence[str] = (
    "disproved",
    "guard_above",
    "scopes_ignored",
    "open",
    "exempt_refuses",
    "foreign_permission",
    "two_keys",
    "key_only",
    "opaque",
    "optional",
    "partly_exempt",
    "exempt",
    "dead_exempt",
    "unasked",
)
"""What the code alone tells, the gravest first: what a baseline may accept."""

GRANT_CODES: Sequence[str] = ("unheld", "granted_unasked", "unused")
"""What the keys tell, where they were asked: no business of a baseline, since it is another thing in each database."""


OF_OURS = frozenset({ACCESS_READ, ACCESS_MANAGE})
"""What gatepost's own apps ask for, which may be served elsewhere, with `gatepost serve` say: that no route of this
app's asks for it, or that nobody used it there, tells nothing."""


@dataclass(frozen=True, slots=True)
class Gap:
    """`code`: one of `CODES` or `GRANT_CODES`. `subject`: of what, as `Route.subject`, an entry of `exempt=`, or a
    permission. `sentence`: what is the matter; `remedy`: what to do, with the line; `place`: that line, `None` = not
    known."""

    code: str
    severity: Severity
    subject: str
    sentence: str
    remedy: str
    place: str | None = None


def gaps_of(routes: Sequence[Route], judge: Judge, asked: frozenset[str]) -> Sequence[Gap]:
    """What the code of the app tells. `asked`: the permissions that its routes ask."""
    found = [gap for route in routes for gap in _of_route(route, judge)]
    found += _of_permissions(routes, asked)
    for entry, _ in dead_entries(routes):
        found.append(
            Gap(
                "dead_exempt",
                "warning",
                entry,
                f"exempt= names {entry}, and no route answers there",
                "Take it out of exempt=: a route that comes there later would be open",
            )
        )
    return sorted(found, key=lambda gap: CODES.index(gap.code))


def _of_route(route: Route, judge: Judge) -> Iterator[Gap]:
    needs, subject, place = judge.needs_of(route), route.subject, route.place
    where = route.handler if place is None else f"{route.handler} ({place})"
    for check in route.above:
        yield Gap(
            "guard_above",
            "error",
            subject,
            f"{subject} does not ask for {told(check)}: @requires stands above the framework's decorator, which has "
            "registered the function without it",
            f"{place or route.handler}: move @requires below the framework's decorator, directly on the function",
            place,
        )
    if route.ignored:
        scopes = ", ".join(route.ignored)
        yield Gap(
            "scopes_ignored",
            "error",
            subject,
            f"{subject} does not ask for {scopes}: Security(requires(...), scopes=[...]) goes by what requires names",
            f'{place or route.handler}: write Depends(requires("A", "B")) or Security(requires, scopes=["A", "B"])',
            place,
        )
    if needs is Needs.OPEN:
        yield Gap(
            "open",
            "error",
            subject,
            f"{subject} is not behind APIKeyMiddleware"
            + (": requires answers 500 to everybody there" if route.checks else ": whoever asks is answered"),
            f"Wrap what holds {where} in APIKeyMiddleware(app, keys)",
            place,
        )
    elif needs is Needs.EXEMPT:
        if route.checks:
            yield _refusing(route, "exempt", where)
        else:
            yield Gap(
                "exempt", "note", subject, f"{subject} is exempt: no key is asked", "Fine where it is meant", place
            )
    elif needs in {Needs.PARTLY, Needs.ASKED_PARTLY}:
        yield from _partly(route, judge.opened_of(route), where)
    elif needs is Needs.OPTIONAL:
        yield Gap(
            "optional",
            "warning",
            subject,
            f"{subject} lets in who has no key: the middleware is optional, and the route asks for no permission",
            f'Put @requires("...") directly on {where}, or take optional=True away',
            place,
        )
    elif needs is Needs.KEY:
        yield from _asking_nothing(route, where)


def _asking_nothing(route: Route, where: str) -> Iterator[Gap]:
    """What needs a key, and asks for no permission."""
    subject, place = route.subject, route.place
    if route.kind == "app":
        yield Gap(
            "opaque",
            "warning",
            subject,
            f"{subject} needs a key, and tells of no routes: what {route.handler} asks within is not seen",
            "Look at it yourself, or put @requires on it where one permission fits all of it",
            place,
        )
    elif not route.above:
        yield Gap(
            "key_only",
            "warning",
            subject,
            f"{subject} needs only a key: {route.handler} asks for no permission",
            _remedy(route, where),
            place,
        )


def _partly(route: Route, opened: Opened | None, where: str) -> Iterator[Gap]:
    """What is exempt in part. Where it asks for nothing that is a gap of its own: who has accepted that it is exempt in
    part has not accepted that the guard of the rest is lost."""
    subject, place = route.subject, route.place
    if opened is not None and not route.checks:
        yield _partly_mounted(subject, opened, place)
        return
    if opened is not None:
        yield _refusing(route, f"exempt at {' and '.join(opened.own) or f'{opened.root}/*'}", where)
        return
    refused = ": nobody has the permissions there that it asks for, so everybody is refused" if route.checks else ""
    yield Gap(
        "partly_exempt",
        "warning",
        subject,
        f"{subject} is exempt on some of the paths that it takes, or a function says so{refused}",
        "Give what is open a route of its own before it, for all of its methods, and exempt exactly that",
        place,
    )
    if not route.checks:
        yield from _asking_nothing(route, where)


def _refusing(route: Route, exempt: str, where: str) -> Gap:
    """What is exempt and asks for permissions."""
    return Gap(
        "exempt_refuses",
        "error",
        route.subject,
        f"{route.subject} is {exempt} and asks for {_all_told(route)}: nobody has permissions there, so everybody is "
        "refused",
        f"Take it out of exempt=, or @requires off {where}",
        route.place,
    )


def _partly_mounted(subject: str, opened: Opened, place: str | None) -> Gap:
    """What is exempt of a mount, with its paths: a note, since no more of it is open than `exempt=` says."""
    own, closed, root = " and ".join(opened.own), " and ".join(opened.closed), opened.root
    every = [root, f"{root}/"] if root else ["/"]
    if opened.below:
        sentence = f"{subject} is exempt below {root}/, and needs a key at {closed}"
        remedy = (
            f"Fine where nobody without a key asks for that; to open it too: exempt={_typed([*every, f'{root}/*'])}"
        )
    elif opened.closed:
        sentence = f"{subject} is exempt at {own} alone"
        remedy = f"To open its page: exempt={_typed(every)}; to open all of it: exempt={_typed([*every, f'{root}/*'])}"
    else:
        sentence = f"{subject} is exempt at {own} alone: below, it needs a key"
        remedy = (
            f"For an app with one page, as prometheus_client's is, these are enough. "
            f"{_typed([f'{root}/*'])[1:-1]} beside them in exempt= opens all of it"
        )
    return Gap("partly_exempt", "note", subject, sentence, remedy, place)


def _typed(paths: Sequence[str]) -> str:
    """A list as it is typed."""
    return orjson.dumps(paths).decode().replace('","', '", "')


def _remedy(route: Route, where: str) -> str:
    """What to do about a route that asks for no permission."""
    if route.place is None and route.call:
        return 'Write a handler of connect with @requires("..."), or accept it in a baseline'
    if route.place is None:
        return "It is not of your code: take it away, exempt it, or accept it in a baseline"
    if route.call and not route.call.startswith("event "):
        return f'Give {where} extensions=[Requires("...")], of gatepost.integrations.strawberry'
    return f'Put @requires("...") directly on {where}, below the framework\'s decorator'


def _of_permissions(routes: Sequence[Route], asked: frozenset[str]) -> Iterator[Gap]:
    catalogues = catalogues_of(routes)
    for route in routes:
        if not route.guards:
            continue
        catalogue = route.guards[-1].middleware.catalogue
        checks = (*route.checks, *route.later)
        foreign = {name for check in checks for name in check.all_of if name not in catalogue}
        for check in checks:
            if check.any_of and check.any_of.isdisjoint(catalogue):
                foreign |= check.any_of
        for name in sorted(foreign):
            yield Gap(
                "foreign_permission",
                "error",
                f"{route.subject} {name}",
                f"{route.subject} asks for {name}, which no key can have: it is not in the catalogue "
                f"{catalogue.__name__} of its keys",
                f"{route.place or route.handler}: name one that it has, or give APIKeys the catalogue with it",
                route.place,
            )
        if len({id(guard.middleware.keys) for guard in route.guards}) > 1:
            yield Gap(
                "two_keys",
                "error",
                route.subject,
                f"{route.subject} is behind {len(route.guards)} middlewares with different APIKeys: one secret would "
                "have to be of both, and the outer one takes it out of the request",
                "Leave one of the middlewares away, or have both use the same APIKeys",
                route.place,
            )
    for catalogue in catalogues:
        built_in = frozenset(DAM) if issubclass(catalogue, DAM) else frozenset[str]()  # nobody's to edit
        for permission in catalogue:
            if permission not in asked | built_in | OF_OURS:
                name = str(permission)
                yield Gap(
                    "unasked",
                    "note",
                    name,
                    f"No route asks for {name} ({permission.sentence})",
                    "Take it out of the catalogue, or ask for it where it is meant",
                )


def catalogues_of(routes: Sequence[Route]) -> Sequence[type[Catalogue]]:
    """Those of the keys around the routes."""
    found: list[type[Catalogue]] = []
    for route in routes:
        for guard in route.guards:
            if guard.middleware.catalogue not in found:
                found.append(guard.middleware.catalogue)
    return found


def _all_told(route: Route) -> str:
    return ", ".join(map(told, route.checks))
