"""What is said as an app starts: a middleware in another one's way, and routes that refuse everybody, or nobody."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import unwrap
from typing import Protocol, TypeVar

from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.addresses import server_warning
from gatepost.asgi.lifespan import Lifespan, Standing, standing_before
from gatepost.asgi.permission_check import PermissionCheck
from gatepost.asgi.precheck import requirements_of
from gatepost.asgi.requires import Requirement, checks_above, checks_of
from gatepost.asgi.routes import Handler, Within, look_into, only_names, wrapped_by
from gatepost.base import BadInputError, ConfigurationError, UnknownPermissionError
from gatepost.rules import Catalogue

logger = logging.getLogger("gatepost.middleware")

T = TypeVar("T")


class Middleware(Protocol):
    """One that knows where it stands."""

    app: ASGIApp
    standing: Standing


async def serve_other(middleware: Middleware, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve what is no request: a lifespan. Raises `ConfigurationError` for anything else that a server may send."""
    if scope["type"] != "lifespan":
        raise ConfigurationError(f"{scope['type']!r} connections cannot be checked for a key, so none is let in")
    warning = server_warning(receive)
    if warning is not None:
        logger.warning("%s", warning)
    standing = middleware.standing
    await Lifespan(standing.keys, middleware.app, partial(_begin, middleware))(scope, receive, send)


async def open_unasked(middleware: Middleware) -> None:
    """Open the keys at a request, where the server sends no lifespan; or raise what would have kept the app from
    starting, at each request."""
    look_over(Within("", middleware.app), middleware.standing)
    await middleware.standing.keys.open()


def _begin(middleware: Middleware, scope: Scope) -> Scope:
    """The lifespan scope for what is within, once all is looked over."""
    within = middleware.standing.entered(scope)
    look_over(Within("", middleware.app, state=getattr(scope.get("app"), "state", None)), middleware.standing)
    return within


def look_over(app: Within, standing: Standing) -> None:
    """Raise `ConfigurationError` for what is wrong within a middleware, in `app`: each in a line, with where it stands.
    What cannot be read is for the log: an app that works is not kept from starting by that."""
    try:
        found = [*_faults_within(app, standing)]
    except Exception:  # a framework of another version, or an app's own code, may raise anything
        logger.warning("The app's routes could not be looked over, so what is wrong there is not said", exc_info=True)
        return
    for fault in (fault for fault, is_sure in found if not is_sure):
        logger.warning("If requests get there by a function that names it: %s", fault)
    if faults := [fault for fault, is_sure in found if is_sure]:
        raise ConfigurationError("\n".join(faults))


@dataclass(frozen=True, slots=True)
class _Look:
    """An app to be looked into. `standing`: before it. `around`: the ids of the apps around it, which it may know.
    `is_sure`: whether it is handed requests; what a function only names may be there for something else. `is_next`:
    whether it is handed all of them that get through what stands before it."""

    within: Within
    standing: Standing
    around: frozenset[int] = frozenset()
    is_sure: bool = True
    is_next: bool = True


def _faults_within(app: Within, outermost: Standing) -> Iterator[tuple[str, bool]]:
    handlers: list[tuple[Handler, type[Catalogue], bool]] = []
    waiting = [_Look(app, outermost)]
    seen: set[tuple[int, str]] = set()
    while waiting:
        look = waiting.pop()
        within, standing, is_next = look.within, look.standing, look.is_next
        if id(within.app) in look.around or (id(within.app), within.path) in seen:
            continue
        seen.add((id(within.app), within.path))
        around = look.around | {id(within.app)}
        for inner in standing_before(within):
            conflict = None if inner is outermost else inner.conflict_with(standing, within.path, is_next=is_next)
            if conflict is not None:
                yield conflict, look.is_sure
            standing, is_next = inner, True
        if isinstance(getattr(within.app, "standing", None), Standing):
            waiting.append(_Look(Within(within.path, within.app.app), standing, around, look.is_sure))
            continue
        for each in look_into(within):
            if isinstance(each, Handler):
                handlers.append((each, standing.keys.catalogue, look.is_sure))
            else:
                is_sure = look.is_sure and not only_names(within.app, each.app)
                waiting.append(_Look(each, standing, around, is_sure, is_next and _hands_all_on(within.app)))
    yield from faults_among(handlers)


def _hands_all_on(app: ASGIApp) -> bool:
    """Whether an app is a middleware that hands on whatever it does not answer: of others it is not known."""
    return type(app).__module__.startswith(("starlette.middleware.", "fastapi.middleware."))


def faults_among(handlers: Sequence[tuple[Handler, type[Catalogue], T]]) -> Iterator[tuple[str, T]]:
    """What is wrong with each of an app's handlers, behind keys with a catalogue; and what was said of it."""
    wrapped = {id(inner) for each, *_ in handlers for inner in wrapped_by(each.function)}
    for each, catalogue, said in handlers:
        for fault in faults_of(each, catalogue, is_wrapped=id(each.function) in wrapped):
            yield fault, said


def faults_of(handler: Handler, catalogue: type[Catalogue], *, is_wrapped: bool = False) -> Iterator[str]:
    """Sentences about a handler that would refuse everybody, or nobody, each with its line. `is_wrapped`: whether
    another route has the same function guarded: then it is one route as it is."""
    code = getattr(unwrap(handler.function), "__code__", None)
    where = f"{code.co_filename}:{code.co_firstlineno}: " if code else ""
    what = f"{where}{handler.path}"
    try:
        checks = asked_at(handler)
    except UnknownPermissionError as unknown:
        yield f"{what}: the scope {unknown.name!r} is no permission.{_hint(unknown)}"
        return
    except BadInputError as wrong:
        yield f"{what}: {wrong}"
        return
    catalogue = catalogue if handler.keys is None else handler.keys.catalogue
    foreign = _named(check.impossible(catalogue) for check in checks)
    if foreign:
        yield (
            f"{what} asks for {foreign}, which no key can be given: the keys' catalogue {catalogue.__name__} does not "
            "have it. Name one that it has, or give APIKeys the catalogue with it"
        )
    missed = () if is_wrapped else [check for check in checks_above(handler.function) if check not in checks]
    if missed:
        yield (
            f"{what} asks nobody for {_named(check.all_of | check.any_of for check in missed)}: @requires stands above "
            "the decorator that adds the route, which has the function without it. Move @requires down, directly onto "
            "the function; a route that is to be open takes a function of its own"
        )


def asked_at(handler: Handler) -> list[PermissionCheck]:
    """What `requires` asks of callers of a handler. Raises `BadInputError` for scopes that name no permission."""
    asked = [*checks_of(handler.function)]
    for each in handler.before:
        asked += [each.check] if isinstance(each, Requirement) else checks_of(each)
    asked += [requirement.check for _, requirement in requirements_of(handler.dependant)]
    return [*dict.fromkeys(asked)]


def _named(permissions: Iterable[frozenset[str]]) -> str:
    return ", ".join(sorted(frozenset[str]().union(*permissions)))


def _hint(unknown: UnknownPermissionError) -> str:
    return (
        f" Did you mean {unknown.nearest!r}?"
        if unknown.nearest
        else " Is its catalogue declared before the app starts?"
    )
