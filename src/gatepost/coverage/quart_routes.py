"""The routes of Quart apps."""

import re
from collections.abc import Iterator
from typing import Any

from gatepost.asgi.routes import before_rule
from gatepost.coverage.route import Below, Place, Route, asked_by
from gatepost.coverage.template import ANYTHING, SAMPLES, SEGMENT, Hole, Template, parse

HOLES = re.compile(r"<(?:[^<>]*?:)?(\w+)>")
AUTOMATIC = {"HEAD", "OPTIONS"}


def read_app(app: Any, place: Place) -> Iterator[Route | Below]:
    """What an app answers. Where its `asgi_app` was wrapped, it is looked into first."""
    wrapped = vars(app).get("asgi_app")
    if wrapped is not None and not any(guard.middleware is wrapped for guard in place.guards):
        yield Below(wrapped, place)
        return
    yield from read_rules(app, place)


def read_rules(app: Any, place: Place) -> Iterator[Route]:
    """The routes of its map, in the order that it prefers them: a path alone before one with parameters."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda each: bool(each.arguments)):
        here = place.at_host(rule.host or rule.subdomain or place.host)
        view = app.view_functions[rule.endpoint]
        template = _template(rule)
        checks = [check for each in before_rule(app, rule) for check in asked_by(each)]
        shown = getattr(view, "view_class", None)
        methods = set(rule.methods or ())
        told = methods - AUTOMATIC or methods
        if rule.websocket:
            yield here.route("websocket", (), template, view, checks=checks)
        elif shown is not None:
            checks += [*asked_by(view), *asked_by(shown.dispatch_request)]
            handled = [name for name in sorted(told) if hasattr(shown, name.lower())]
            for name in handled:
                yield here.route("http", [name], template, getattr(shown, name.lower()), checks=checks)
            if not handled:
                yield here.route("http", sorted(told), template, shown.dispatch_request, checks=checks)
        else:
            yield here.route("http", sorted(told), template, view, checks=checks)


def _template(rule: Any) -> Template:
    kinds = rule._converters  # noqa: SLF001 - werkzeug tells what a parameter takes nowhere else

    def hole_of(match: "re.Match[str]") -> Hole:
        kind = kinds.get(match[1])
        is_wide = not getattr(kind, "part_isolating", True)
        name = type(kind).__name__.removesuffix("Converter").lower()
        regex = ANYTHING if is_wide else getattr(kind, "regex", SEGMENT)
        return Hole(regex, is_wide=is_wide, sample=SAMPLES.get(name))

    return parse(rule.rule, HOLES, hole_of)
