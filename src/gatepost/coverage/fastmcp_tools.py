"""What a server of FastMCP's answers, each tool, resource and prompt a route of its own: as its `Guard` counts them."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from gatepost.asgi.routes import at_once, mcp_functions, mcp_listings
from gatepost.coverage.route import Below, Place, Route, asked_by
from gatepost.coverage.template import Template

_GUARDS = "gatepost.integrations.fastmcp"


def tell_tools(app: Any, found: Iterable[Route | Below]) -> Iterator[Route | Below]:
    """What was found in an app; in the place of the route that a server of FastMCP's answers, what the server has.

    Where it has what is not seen from here (servers that are mounted in it, transforms), and where no guard makes
    routes of its tools, the route stays, as one that does not tell what it asks."""
    server = getattr(getattr(app, "state", None), "fastmcp_server", None)
    for each in found:
        if server is None or isinstance(each, Below) or not type(each.endpoint).__module__.startswith("fastmcp."):
            yield each
            continue
        told = [*_told(server, each)] if _has_guard(server) else []
        yield from told
        if not told or len(server.providers) > 1 or server.transforms:
            yield replace(each, kind="app")


def _has_guard(server: Any) -> bool:
    room = sys.modules.get(_GUARDS)
    return room is not None and any(isinstance(each, room.Guard) for each in server.middleware)


def _told(server: Any, route: Route) -> Iterator[Route]:
    place = Place(route.template, tuple(route.guards), tuple(route.checks))
    for method, name, listing in mcp_listings(server):
        for component in at_once(listing()) or ():
            template = Template(f" {method} {getattr(component, name)}")
            functions = [function for each in mcp_functions(component) for function in each] or [component]
            asked = [check for function in functions for check in asked_by(function)]
            yield place.route("http", ["POST"], template, functions[-1], checks=asked)
