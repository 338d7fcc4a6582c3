"""The routes of a Django project: those of its URL configuration, whichever app of it is asked; and of Channels."""

import re
import sys
from collections.abc import Iterator
from typing import Any

from gatepost.asgi.routes import ninja_operations
from gatepost.coverage.route import Below, Place, Route, asked_by
from gatepost.coverage.template import ANYTHING, SAMPLES, SEGMENT, UNKNOWN, Hole, Template, literal, parse

HOLES = re.compile(r"<(?:\w+:)?(\w+)>")
PIECES = re.compile(
    r"(?:(?P<text>[A-Za-z0-9_/-])|\\(?P<escaped>[./-]))(?P<maybe>\??)(?![*+?{])"
    r"|\(\?P<\w+>(?P<letters>(?P<one>\[\^?[^\[\]\\^]+\]|\\[dw])(?:[+*]|\{\d+\})?)\)(?![*+?{])"
)
"""A letter, one that may be left out, or a group of letters, in the regular expression of a path."""
METHODS = ("get", "post", "put", "patch", "delete", "options", "head")
STARTS = ("websocket_connect", "connect")
"""Methods of a consumer that let somebody in."""
MESSAGES = ("websocket_receive", "receive", "receive_json")
"""Methods of a consumer that are called for who is in."""
AUTOMATIC = {"HEAD", "OPTIONS"}


def read_app(_app: Any, place: Place) -> Iterator[Route]:
    """What the project answers."""
    resolver = sys.modules["django.urls"].get_resolver()
    yield from _read(resolver.url_patterns, place.below(literal("/")))


def read_sockets(app: Any, place: Place) -> Iterator[Route | Below]:
    """What a `URLRouter` of Channels answers: consumers, and apps within."""
    here = place if place.above.parts else place.below(literal("/"))
    for each in app.routes:
        template = _template(each.pattern, is_whole=hasattr(each.callback, "consumer_class"))
        consumer = getattr(each.callback, "consumer_class", None)
        if consumer is None:
            yield Below(each.callback, here.below(template))
        else:
            yield here.socket(template, consumer, STARTS, MESSAGES)


def _read(patterns: Any, place: Place) -> Iterator[Route]:
    seen: set[str] = set()
    for each in patterns:
        template = _template(each.pattern, is_whole=not hasattr(each, "url_patterns"))
        if hasattr(each, "url_patterns"):
            yield from _read(each.url_patterns, place.below(template))
        elif template.text not in seen:  # the first one that fits is taken, whatever its methods
            seen.add(template.text)
            yield from _read_view(each.callback, template, place)


def _read_view(view: Any, template: Template, place: Place) -> Iterator[Route]:
    """The routes of one view; of a class, a method each."""
    shown = getattr(view, "view_class", None) or getattr(view, "cls", None)  # Django's; REST framework's
    operations = [*ninja_operations(view)]
    for operation in operations:
        yield place.route("http", operation.methods, template, operation.view_func, taken=["ANY"])
    if shown is None and not operations:
        yield place.route("http", ["ANY"], template, view)
    if shown is None:
        return
    checks = [*asked_by(view), *asked_by(shown.dispatch)]
    actions = getattr(view, "actions", None) or {name: name for name in METHODS if hasattr(shown, name)}
    allowed = {name.lower() for name in getattr(shown, "http_method_names", METHODS)}
    for method, name in actions.items():
        if method in allowed and method.upper() not in AUTOMATIC:
            handler = getattr(shown, name)
            yield place.route("http", [method.upper()], template, handler, checks=checks, taken=["ANY"])


def _template(pattern: Any, *, is_whole: bool) -> Template:
    """`is_whole`: whether nothing comes behind it."""
    text = str(pattern)
    if not hasattr(pattern, "_route"):
        return Template(text, _parts(pattern, is_whole=is_whole))
    kinds = pattern.converters

    def hole_of(match: "re.Match[str]") -> Hole:
        kind = kinds.get(match[1])
        name = type(kind).__name__.removesuffix("Converter").lower()
        regex = getattr(kind, "regex", SEGMENT)
        is_wide = name == "path"
        return Hole(ANYTHING if is_wide else regex, is_wide=is_wide, sample=SAMPLES.get(name))

    return parse(text, HOLES, hole_of)


def _parts(pattern: Any, *, is_whole: bool) -> tuple[str | Hole, ...]:
    """What a regular expression takes that is written as REST framework's routers write theirs: texts, and groups of
    one kind of letters. Of any other nothing is known."""
    regex = getattr(pattern, "_regex", None)  # a text in the caller's language is none
    if type(pattern).__module__ != "django.urls.resolvers" or not isinstance(regex, str):
        return (UNKNOWN,)
    end = len(regex) - is_whole
    if regex[:1] != "^" or regex[end:] != "$" * is_whole:
        return (UNKNOWN,)
    parts: list[str | Hole] = []
    at = 1
    while at < end:
        piece = PIECES.match(regex, at, end)
        if piece is None:
            return (UNKNOWN,)
        at = piece.end()
        text = piece["text"] or piece["escaped"]
        if text is None:
            samples = (each for each in ("x", "1") if re.fullmatch(piece["letters"], each))
            is_wide = re.match(piece["one"], "/") is not None
            parts.append(Hole(piece["letters"], is_wide=is_wide, sample=next(samples, None)))
        elif piece["maybe"]:
            parts.append(Hole(f"(?:{re.escape(text)})?", is_wide=text == "/", sample=""))
        else:
            parts.append(text)
    return tuple(parts)
