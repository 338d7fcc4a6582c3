"""`Route`: one thing that an app answers, and what stands before it."""

import inspect
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

from starlette import authentication

from gatepost.asgi import APIKeyMiddleware, PermissionCheck, Requirement, checks_above, checks_of
from gatepost.coverage.template import ROOT, Template

Kind = Literal["http", "websocket", "app"]

ANY_ARGUMENTS = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS

_TAKEN = {"websocket": frozenset({"WS"}), "app": frozenset({"ANY", "WS"})}

DEPTH_MAX = 3
"""Most functions within each other that are looked into for what a decorator hides."""


@dataclass(frozen=True, slots=True, eq=False)
class Guard:
    """A middleware on the way to a route. `above`: the template of the path at which it stands."""

    middleware: APIKeyMiddleware
    above: Template


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """`kind`: `app` = an app that tells of no routes, at this path and below. `methods`: of HTTP, without those that
    frameworks add. `handler`: where it is, dotted. `file`, `line`: where it begins; `None` = not in this folder.
    `checks`: what `requires` asks before it runs. `above`: what `requires` was to ask, and does not: it stands above
    the framework's decorator. `guards`: the middlewares on the way, the outermost first. `own`: an app of gatepost's,
    which asks for keys, or whatever it goes by, itself. `endpoint`: what was registered. `host`: the only one that it
    is of, as the framework writes it; empty = whichever. `taken`: the methods that no later route is asked for at a
    path that this one takes, those that frameworks add among them; `ANY` = all, `WS` = those of WebSockets. `branches`:
    of wrappers that may hand a request to several apps, which one this is in, by the wrapper's `id`. `later`: what
    `requires` asks of messages of a WebSocket that is open by then. `ignored`: scopes of FastAPI's that nothing asks
    for. `call`: which one of the many that are answered at the path, a field of GraphQL's say; empty = there is one."""

    kind: Kind
    methods: Sequence[str]
    template: Template
    handler: str
    file: str | None
    line: int | None
    checks: Sequence[PermissionCheck]
    above: Sequence[PermissionCheck]
    guards: Sequence[Guard]
    own: bool
    endpoint: Any
    host: str
    taken: frozenset[str]
    branches: Mapping[int, int]
    later: Sequence[PermissionCheck]
    ignored: Sequence[str]
    call: str

    @property
    def handled(self) -> frozenset[str]:
        """The methods that its handler is called for."""
        return frozenset(self.methods) if "ANY" in self.taken and self.kind == "http" else self.taken

    def is_chosen_from(self, other: "Route") -> bool:
        """Whether a wrapper decides which one of the two is asked, and not their order."""
        return any(self.branches.get(wrapper, branch) != branch for wrapper, branch in other.branches.items())

    @property
    def path(self) -> str:
        """As the framework writes it."""
        return self.template.text or "/"

    @property
    def subject(self) -> str:
        """What it is called in reports and baselines: `GET /files/{id}`, `WS /feed`, `APP /static/*`; of a host's,
        `GET api.example.org/files`; of a call, `POST /graphql Query.files`."""
        words = {"websocket": "WS", "app": "APP"}
        told = f"{words.get(self.kind) or ','.join(self.methods)} {self.host}{self.path}"
        return f"{told} {self.call}" if self.call else told

    @property
    def place(self) -> str | None:
        """`main.py:12`; `None` = not known."""
        return None if self.file is None else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in an app something is: `above`, the template of the path there; what stands on the way."""

    above: Template = ROOT
    guards: tuple[Guard, ...] = ()
    checks: tuple[PermissionCheck, ...] = ()
    host: str = ""
    branches: Mapping[int, int] = field(default_factory=dict)

    def below(self, template: Template) -> "Place":
        """The place at a path below."""
        return replace(self, above=self.above + template)

    def behind(self, *middlewares: APIKeyMiddleware) -> "Place":
        """The place behind these."""
        return replace(self, guards=(*self.guards, *(Guard(each, self.above) for each in middlewares)))

    def at_host(self, host: str) -> "Place":
        """The place at a host, as the framework writes it."""
        return replace(self, host=host)

    def within(self, wrapper: Any, branch: int) -> "Place":
        """The place in one of several apps that a wrapper may hand a request to."""
        return replace(self, branches={**self.branches, id(wrapper): branch})

    def asked(self, checks: Sequence[PermissionCheck]) -> "Place":
        """The place before which these are asked too."""
        return replace(self, checks=(*self.checks, *checks))

    def route(
        self,
        kind: Kind,
        methods: Sequence[str],
        template: Template,
        endpoint: Any,
        *,
        checks: Sequence[PermissionCheck] = (),
        own: bool = False,
        taken: Iterable[str] = (),
        later: Sequence[PermissionCheck] = (),
        ignored: Sequence[str] = (),
        call: str = "",
    ) -> Route:
        """The route there that leads to `endpoint`. `checks`: what is asked beside what the endpoint itself asks.
        `taken`, `later`, `ignored`, `call`: as of `Route`; no `taken` = the methods."""
        asked: list[PermissionCheck] = []
        for check in (*self.checks, *checks, *asked_by(endpoint)):
            if check not in asked:
                asked.append(check)
        file, line = place_of(endpoint)
        return Route(
            kind,
            tuple(sorted(methods)),
            self.above + template,
            name_of(endpoint),
            file,
            line,
            tuple(asked),
            tuple(check for check in checks_above(endpoint) if check not in asked),
            self.guards,
            own,
            endpoint,
            self.host,
            _TAKEN.get(kind) or frozenset(taken) or frozenset(methods),
            self.branches,
            later,
            ignored,
            call,
        )

    def socket(self, template: Template, shown: type, starts: Sequence[str], messages: Sequence[str]) -> Route:
        """The route there that leads to the class of a WebSocket. Only what is asked at its start guards it: who has
        connected is sent what it sends. `starts`, `messages`: the methods for these, where it has them."""
        found = [getattr(shown, name) for name in starts if hasattr(shown, name)]
        ours = [each for each in found if place_of(each) != (None, None)]
        handler = next(filter(asked_by, found), None) or next(iter(ours), shown)
        later = [check for name in messages for check in asked_by(getattr(shown, name, None))]
        return self.route("websocket", (), template, handler, later=later)


@dataclass(frozen=True, slots=True)
class Below:
    """An app at a place, to be looked into."""

    app: Any
    place: Place


def asked_by(endpoint: Any, depth: int = 0) -> tuple[PermissionCheck, ...]:
    """What `requires` asks when this is called: also below decorators that tell what they wrap, and below those that do
    not, but look as if they called it (`_hidden_in`)."""
    checks = told_by(endpoint)
    if checks or depth == DEPTH_MAX:
        return checks
    hidden = _hidden_in(endpoint.func if isinstance(endpoint, partial) else endpoint)
    return () if hidden is None else asked_by(hidden, depth + 1)


def told_by(endpoint: Any) -> tuple[PermissionCheck, ...]:
    """What `requires` asks, of itself and of what decorators tell that they wrap. What a function closes over asks
    nothing: the function may call it or not."""
    if isinstance(endpoint, Requirement):
        return (endpoint.check,)
    if isinstance(endpoint, partial):
        endpoint = endpoint.func
    return (*checks_of(endpoint), *_starlettes_own(endpoint))


def _hidden_in(function: Any) -> Any:
    """What a decorator wraps that does not tell it: the one thing to be called that its function closes over, where it
    takes whatever comes, `*args, **kwargs`: most do nothing but hand that on, though nothing keeps one from answering
    without it. `None` = there is none, or it may be another thing than a decorator's."""
    if not inspect.isfunction(function):
        return None
    code = function.__code__
    named = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    if named not in {(), ("self",)} or ANY_ARGUMENTS & ~code.co_flags:
        return None
    try:
        held = [cell.cell_contents for cell in function.__closure__ or ()]
    except ValueError:  # not there yet
        return None
    called = [each for each in held if callable(each)]
    return called[0] if len(called) == 1 and inspect.isroutine(called[0]) else None


def _starlettes_own(endpoint: Any) -> Iterator[PermissionCheck]:
    """What Starlette's `requires` asks: it goes by the permissions too."""
    while endpoint is not None:
        code = getattr(endpoint, "__code__", None)
        if code is not None and "scopes_list" in code.co_freevars and code.co_filename == authentication.__file__:
            scopes = endpoint.__closure__[code.co_freevars.index("scopes_list")].cell_contents
            yield PermissionCheck(frozenset(scopes), frozenset())
        endpoint = getattr(endpoint, "__wrapped__", None)


def innermost(endpoint: Any) -> Any:
    """The function behind decorators and partials."""
    while isinstance(endpoint, partial):
        endpoint = endpoint.func
    return inspect.unwrap(endpoint) if callable(endpoint) else endpoint


def name_of(endpoint: Any) -> str:
    """Where it is, dotted; of an object, where its class is."""
    found = innermost(endpoint)
    named = found if hasattr(found, "__qualname__") else type(found)
    return f"{named.__module__}.{named.__qualname__}"


def place_of(endpoint: Any) -> tuple[str | None, int | None]:
    """The file, from the current folder, and the line that it begins in, its decorators too; `None` twice where it is
    not below that folder: what is a library's is nobody's to mend."""
    found = innermost(endpoint)
    found = getattr(found, "__func__", found)
    code = getattr(found, "__code__", None)
    if code is None:
        return None, None
    here, file = os.getcwd() + os.sep, code.co_filename  # noqa: PTH109 - for each of a thousand routes
    if not file.startswith(here) or "site-packages" in file:
        return None, None
    return file.removeprefix(here), code.co_firstlineno
