"""Checks what a call brings against the annotations of the function that it calls. Pure."""

import inspect
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

from gatepost.demo.errors import BadValueError

_WORDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", NoneType: "null"}


def parameters(function: Callable[..., object]) -> list[inspect.Parameter]:
    """The parameters of an operation, without its first, the store."""
    return list(inspect.signature(function).parameters.values())[1:]


def from_query(function: Callable[..., object], query: Mapping[str, str]) -> dict[str, object]:
    """A query's texts as the values that they stand for: `1` and `0` where the function takes a `bool`."""
    flags = {parameter.name for parameter in parameters(function) if parameter.annotation is bool}
    values: dict[str, object] = {"1": True, "0": False}
    return {name: values.get(text, text) if name in flags else text for name, text in query.items()}


def arguments(function: Callable[..., object], given: Mapping[str, object]) -> dict[str, Any]:
    """What was given, if the function can be called with it. Raises `BadValueError` that names the parameter."""
    known = {parameter.name: parameter for parameter in parameters(function)}
    if unknown := sorted(given.keys() - known.keys()):
        raise BadValueError(f"Unknown: {', '.join(map(repr, unknown))}. This takes: {', '.join(known) or 'nothing'}.")
    for name, parameter in known.items():
        if name not in given and parameter.default is parameter.empty:
            raise BadValueError(f"{name} is missing: {_words(parameter.annotation)}.")
        if name in given and not _fits(given[name], parameter.annotation):
            raise BadValueError(f"{name} must be {_words(parameter.annotation)}.")
    return dict(given)


def _fits(value: object, hint: Any) -> bool:
    origin, options = get_origin(hint), get_args(hint)
    if origin is Literal:
        return value in options
    if origin is UnionType:
        return any(_fits(value, option) for option in options)
    if origin is list:
        return isinstance(value, list) and all(_fits(item, options[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(item, options[1]) for item in value.values())
    return hint is Any or type(value) is hint


def _words(hint: Any) -> str:
    origin, options = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " or ".join(map(repr, options))
    if origin is UnionType:
        return ", or ".join(map(_words, options))
    if origin is list:
        return f"a list, each of it {_words(options[0])}"
    if origin is dict:
        return f"an object, each member {_words(options[1])}"
    return _WORDS.get(hint, "any value")
