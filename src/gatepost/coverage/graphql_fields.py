"""What an endpoint of strawberry's answers, each field of its schema a route: `POST /graphql Query.files`."""

import sys
from collections.abc import Iterable, Iterator
from typing import Any

from gatepost.asgi import PermissionCheck
from gatepost.coverage.route import Below, Kind, Place, Route, asked_by
from gatepost.coverage.template import ROOT

_FIELDS = "gatepost.integrations.strawberry"
_DEFINITION = "strawberry-definition"
"""Where a field of graphql-core's keeps strawberry's own."""


def tell_fields(found: Iterable[Route | Below]) -> Iterator[Route | Below]:
    """What was found in an app; in the place of routes that lead to a schema, its fields: those of queries, mutations
    and subscriptions, and of the types below them those that ask for something. `GET` answers what `POST` does."""
    for each in found:
        schema = _schema_at(each.endpoint) if isinstance(each, Route) else None
        if schema is None or isinstance(each, Below):
            yield each
            continue
        place = Place(each.template, tuple(each.guards), tuple(each.checks), each.host, each.branches)
        if each.kind == "app" or "POST" in each.methods:
            yield from _told(schema, place, is_subscribed=False)
        if each.kind in {"app", "websocket"}:
            yield from _told(schema, place, is_subscribed=True)


def _schema_at(endpoint: Any) -> Any:
    """graphql-core's schema, which a function of strawberry's closes over, or an app of strawberry's has; `None` = it
    is none of these."""
    if str(getattr(endpoint, "__module__", "")).startswith("strawberry."):
        held = [cell.cell_contents for cell in getattr(endpoint, "__closure__", None) or ()]
    elif any(kind.__module__.startswith("strawberry.") for kind in type(endpoint).__mro__):
        held = [endpoint]
    else:
        return None
    schemas = (getattr(getattr(each, "schema", None), "_schema", None) for each in (endpoint, *held))
    return next((each for each in schemas if each is not None), None)


def _told(schema: Any, place: Place, *, is_subscribed: bool) -> Iterator[Route]:
    roots = [schema.query_type, schema.mutation_type, schema.subscription_type]
    if is_subscribed:
        yield from _of_type(roots[2], place, "websocket")
        return
    for root in roots[:2]:
        yield from _of_type(root, place, "http")
    for kind in schema.type_map.values():
        if type(kind).__name__ == "GraphQLObjectType" and kind not in roots:
            yield from _of_type(kind, place, "http", is_asking=True)


def _of_type(kind: Any, place: Place, how: Kind, *, is_asking: bool = False) -> Iterator[Route]:
    """`is_asking`: only the fields that ask for something."""
    for name, field in getattr(kind, "fields", {}).items():
        definition = field.extensions.get(_DEFINITION)
        resolver = getattr(getattr(definition, "base_resolver", None), "wrapped_func", None)
        endpoint = resolver or getattr(definition, "origin", None) or kind
        checks = [*_asked_of(definition), *asked_by(resolver)]
        if checks or not is_asking:
            methods = ["POST"] if how == "http" else []
            yield place.route(how, methods, ROOT, endpoint, checks=checks, call=f"{kind.name}.{name}")


def _asked_of(definition: Any) -> Iterator[PermissionCheck]:
    """What `Requires` asks of a field."""
    room = sys.modules.get(_FIELDS)
    for each in getattr(definition, "extensions", ()):
        if room is not None and isinstance(each, room.Requires):
            yield each.check
