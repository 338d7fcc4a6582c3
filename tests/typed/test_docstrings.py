"""What an editor shows beside a verb: each argument, and what is raised. They show the method's own docstring."""

import inspect
import re
import typing
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gatepost import APIKeys, Leaks, Webhooks
from gatepost.keys.policies import Policies
from gatepost.keys.retention import AuditLog
from gatepost.keys.roles import Roles
from gatepost.keys.templates import Templates

FACES = (APIKeys, Roles, Templates, Policies, AuditLog, Webhooks, Leaks)

OF_ANOTHER = re.compile(r"\b[Aa]s\s+for\s+`([\w.]+)`")
"""Arguments that are told of there: `as for `list``."""


def _methods() -> Iterator[Any]:
    for face in FACES:
        for name, method in inspect.getmembers(face, callable):
            if not name.startswith("_"):
                yield pytest.param(face, method, id=f"{face.__name__}.{name}")


def _arguments(method: Callable[..., Any]) -> Iterator[str]:
    """Also those that a typed dictionary names."""
    for name, parameter in inspect.signature(method).parameters.items():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            yield name
        elif typing.get_origin(parameter.annotation) is typing.Unpack:
            (options,) = typing.get_args(parameter.annotation)
            yield from _options(method, options)
        else:
            yield name


def _options(method: Callable[..., Any], named: Any) -> Iterator[str]:
    from gatepost.keys import given, retention, templates  # noqa: PLC0415 - what annotations name
    from gatepost.rules import policies  # noqa: PLC0415 - likewise

    if isinstance(named, typing.ForwardRef):
        name = named.__forward_arg__
        named = next(vars(room)[name] for room in (given, retention, templates, policies) if name in vars(room))
    yield from named.__annotations__


@pytest.mark.parametrize(("face", "method"), list(_methods()))
def test_the_docstring_of_a_method_tells_of_each_argument_and_of_what_is_raised(face: type, method: Any) -> None:
    text = inspect.getdoc(method) or ""
    assert re.search(r"\braises?\b", text, re.IGNORECASE), "what is raised, or 'Raises nothing'"
    others = [_named(face, name) for name in OF_ANOTHER.findall(text)]
    told_there = {name for other in others if other not in {None, method} for name in _arguments(other)}
    assert not [
        name
        for name in _arguments(method)
        if name not in {"self", "cls"} | told_there and f"`{name}`" not in text and f"`{name}=" not in text
    ]


def _named(face: type, name: str) -> Any:
    """`list` of this face, `APIKeys.list`; `None` = no method."""
    of, _, name = name.rpartition(".")
    return getattr(APIKeys if of == "APIKeys" else face, name, None)
