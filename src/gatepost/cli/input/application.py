"""From the name of an app to its keys: what `--app MODULE:NAME` leads to."""

import sys
from collections.abc import Iterator
from typing import Any

from gatepost.addresses import Addresses
from gatepost.asgi import APIKeyMiddleware
from gatepost.base import BadInputError
from gatepost.keys import APIKeys, load

DEPTH_MAX = 50
"""Most apps within each other that are looked into."""

_INNER = ("app", "_app", "asgi_handler", "asgi_app", "application", "wrapped")
"""How apps and middlewares call what they wrap: Starlette's `app`, Litestar's `asgi_handler`, Quart's `asgi_app`, …"""


def load_keys(given: str, name: str) -> APIKeys:
    """The keys that `MODULE:NAME` leads to: they themselves, or those of a middleware in or around an app; else the
    only ones in that module. `name`: where the text comes from. Raises `BadInputError`."""
    found = load(given, name, "main:app")
    keys = list(_unique(_keys_around(found)))
    if not keys:
        module = sys.modules[given.partition(":")[0]]
        keys = list(_unique(each for each in vars(module).values() if isinstance(each, APIKeys)))
    if len(keys) == 1:
        return keys[0]
    told = "no APIKeys" if not keys else f"{len(keys)} different APIKeys"
    raise BadInputError(
        f"{name} {given!r} leads to {told}: name the variable that holds them, such as {given.partition(':')[0]}:keys"
    )


def load_addresses(given: str, name: str) -> Addresses | None:
    """What tells where requests are from, of the outermost middleware in or around the app that `MODULE:NAME` leads to;
    `None` = none is found there. `name`: where the text comes from. Raises `BadInputError`."""
    for layer in _layers(load(given, name, "main:app")):
        if isinstance(layer, APIKeyMiddleware):
            return layer.addresses
        for listed in (*_list(layer, "user_middleware"), *_list(layer, "middleware")):
            kwargs = getattr(listed, "kwargs", None) or {}
            if any(isinstance(value, APIKeys) for value in (*(getattr(listed, "args", None) or ()), *kwargs.values())):
                return Addresses(**{each: kwargs[each] for each in ("trusted_proxies", "header") if each in kwargs})
    return None


def _keys_around(found: Any) -> Iterator[APIKeys]:
    """Those of each layer, from the outside in."""
    for layer in _layers(found):
        if isinstance(layer, APIKeys):
            yield layer
        elif isinstance(layer, APIKeyMiddleware):
            yield layer.keys
        yield from _keys_listed(layer)


def _layers(found: Any) -> Iterator[Any]:
    """An app and those within it, from the outside in. Nothing is started and nothing built for it."""
    for _ in range(DEPTH_MAX):
        yield found
        if isinstance(found, APIKeys):
            return
        inner = next((found.__dict__[each] for each in _INNER if each in getattr(found, "__dict__", ())), None)
        if inner is None:
            return
        found = inner


def _keys_listed(app: Any) -> Iterator[APIKeys]:
    """Of middlewares that an app will be wrapped in: `app.add_middleware(APIKeyMiddleware, keys=keys)`."""
    for listed in (*_list(app, "user_middleware"), *_list(app, "middleware")):
        kwargs = getattr(listed, "kwargs", None)
        for value in (*(getattr(listed, "args", None) or ()), *(kwargs or {}).values()):
            if isinstance(value, APIKeys):
                yield value


def _list(app: Any, name: str) -> list[Any]:
    listed = getattr(app, "__dict__", {}).get(name)
    return listed if isinstance(listed, list) else []


def _unique(keys: Iterator[APIKeys]) -> Iterator[APIKeys]:
    seen: list[APIKeys] = []
    for each in keys:
        if not any(each is other for other in seen):
            seen.append(each)
            yield each
