"""What a request touches, as `requires(on=)` says it: a text with path parameters, a function, or several of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import iscoroutinefunction
from pathlib import PurePath
from string import Formatter
from typing import Any, Self
from urllib.parse import unquote_plus
from uuid import UUID

from starlette.requests import HTTPConnection

from gatepost.asgi.sources import Scope
from gatepost.base import BadInputError, checked_resources

On = str | Callable[[HTTPConnection], Any] | Sequence[str | Callable[[HTTPConnection], Any]]
"""`"dir:/{path}"`, of a path parameter; a function of the request that answers a resource, or several (none = it cannot
be told); or a sequence of these, all of which are touched: empty = nothing, or the handler asks itself
(`APIKey.permits`)."""

PLAIN = (str, int, UUID, PurePath)
"""What path parameters may be: what has one text."""


@dataclass(frozen=True, slots=True)
class Touched:
    """What a route touches. `parts`: texts with parameters in braces, and functions."""

    parts: tuple[str | Callable[[HTTPConnection], Any], ...]

    @classmethod
    def checked(cls, on: On | None) -> Self | None:
        """As `requires` is given it; `None` = it is not told. Raises `BadInputError`."""
        if on is None:
            return None
        parts = (*on,) if isinstance(on, Sequence) and not isinstance(on, str) else (on,)  # hashable, as checks are
        for part in parts:
            if isinstance(part, str):
                _check_text(part)
            elif iscoroutinefunction(part):
                raise BadInputError(f"on: {part!r:.60} is async: what is touched is told without waiting", "on")
            elif not callable(part):
                raise BadInputError(
                    f"on must be a text such as 'dir:/{{path}}', or a function of the request, not {part!r:.60}", "on"
                )
        return cls(parts)

    def by(self, scope: Scope, arguments: Mapping[str, Any]) -> Sequence[str] | None:
        """The resources that a request touches; `None` where that cannot be told. `arguments`: those of the handler by
        name, which have the path parameters of frameworks whose scopes do not."""
        found: list[str] = []
        given = _parameters(scope, arguments)
        for part in self.parts:
            told = _filled(part, given) if isinstance(part, str) else _asked(part, scope)
            each = [told] if isinstance(told, str) else told
            if not isinstance(each, Sequence) or not each or not all(isinstance(one, str) for one in each):
                return None
            found += each
        return found


def _parameters(scope: Scope, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """The path parameters: as Starlette, FastAPI and Litestar put them into the scope, or Channels and Datasette, or
    else those of the handler (Django, Quart)."""
    said = scope.get("url_route")
    routed: Mapping[str, Any] = said if isinstance(said, Mapping) else {}
    of_route = routed.get("kwargs")
    given = next((each for each in (scope.get("path_params"), of_route) if isinstance(each, Mapping)), arguments)
    if given is of_route and "args" not in routed:  # Datasette's; of Channels' they are there, and all is decoded
        return {name: _tilde_decoded(value) for name, value in given.items()}
    return given


def _tilde_decoded(value: Any) -> Any:
    """As Datasette's handlers read it, which writes what is no letter, figure, `-` or `_` with a tilde for a percent
    sign."""
    return unquote_plus(value.replace("%", "%25").replace("~", "%")) if isinstance(value, str) else value


def _check_text(text: str) -> None:
    """Raise `BadInputError` for what is no resource, whatever its parameters are."""
    wrong = BadInputError(
        f"on: {text!r:.60} must be a kind, a colon and a name, with path parameters in braces: 'dir:/{{path}}'", "on"
    )
    try:
        pieces = [*Formatter().parse(text)]
    except ValueError:
        raise wrong from None
    if any(name is not None and (not name.isidentifier() or form or change) for _, name, form, change in pieces):
        raise wrong
    if not pieces or ":" not in pieces[0][0]:  # whoever calls must not say the kind
        raise wrong
    try:
        checked_resources(["".join(literal + ("" if name is None else "x") for literal, name, _, _ in pieces)])
    except BadInputError as error:
        raise BadInputError(f"on: {text!r:.60}: {error}", "on") from None


def _filled(text: str, parameters: Mapping[str, Any]) -> str | None:
    """The text with its parameters; `None` where one is not there, or has no one text."""
    names = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    values = {name: parameters.get(name) for name in names}
    if not all(isinstance(value, PLAIN) and not isinstance(value, bool) for value in values.values()):
        return None
    return text.format_map({name: str(value) for name, value in values.items()})


def _asked(function: Callable[[HTTPConnection], Any], scope: Scope) -> Any:
    """What the app's function says; `None` where the request has not got what it looks for."""
    try:
        return function(HTTPConnection(scope))
    except (LookupError, ValueError):
        return None
