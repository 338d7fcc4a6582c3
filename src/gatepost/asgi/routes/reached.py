"""Which apps of Starlette's and FastAPI's an app hands requests on to."""

import sys
from collections.abc import Iterator
from typing import Any

from gatepost.asgi.routes.routing import handed_on, only_names


def reached(app: Any, path: str = "", around: frozenset[int] = frozenset()) -> Iterator[tuple[Any, str]]:
    """An app or a router of Starlette's, and those within, each with the path that it is at: below mounts, of hosts,
    and in what wraps these, up to a middleware of ours, which has keys of its own. `around`: the ids of the apps around
    it, which it may know."""
    from starlette.applications import Starlette  # noqa: PLC0415 - as apps are put together, not at the start of all
    from starlette.routing import Router  # noqa: PLC0415

    if id(app) in around or getattr(app, "standing", None) is not None:
        return
    around |= {id(app)}
    if isinstance(app, Starlette | Router):
        yield app, path
        within = [(each, path + below) for each, below in mounts_of(app)]
    else:
        within = [(each, path) for each in handed_on(app) if not only_names(app, each)]
    for each, below in within:
        yield from reached(each, below, around)


def mounts_of(app: Any) -> Iterator[tuple[Any, str]]:
    """What stands at the mounts and hosts of an app or a router of Starlette's, each with its path there; also at those
    of routers that FastAPI has included, which are routes with routes of their own."""
    from starlette.routing import Host, Mount  # noqa: PLC0415 - an app of Starlette's has loaded it

    with_included = getattr(sys.modules.get("fastapi.routing"), "iter_route_contexts", iter)
    for each in with_included(app.routes):
        route = getattr(each, "original_route", each)
        if isinstance(route, Mount | Host):
            yield route.app, each.path if isinstance(route, Mount) else ""
