"""Middlewares that an app was given to be wrapped in, and is not yet."""

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

from gatepost.asgi import APIKeyMiddleware
from gatepost.keys import APIKeys


def listed_middlewares(listed: Iterable[Any], app: Any) -> Iterator[APIKeyMiddleware]:
    """Those of gatepost's among them, as they will stand around `app`: nothing is opened by making one.

    `listed`: as Starlette and Litestar keep them, classes or functions with their arguments."""
    for each in listed:
        if isinstance(each, APIKeyMiddleware):
            yield each
            continue
        make = getattr(each, "middleware", None) or getattr(each, "cls", None)
        args, kwargs = tuple(getattr(each, "args", ())), dict(getattr(each, "kwargs", {}))
        is_ours = inspect.isclass(make) and issubclass(make, APIKeyMiddleware)
        if make is not None and (is_ours or any(isinstance(one, APIKeys) for one in (*args, *kwargs.values()))):
            yield from middlewares_around(make(app, *args, **kwargs))


def middlewares_around(layer: Any) -> Iterator[APIKeyMiddleware]:
    """Those of gatepost's around something, the outermost first."""
    seen: set[int] = set()
    while layer is not None and id(layer) not in seen:
        seen.add(id(layer))
        if isinstance(layer, APIKeyMiddleware):
            yield layer
        layer = getattr(layer, "__dict__", {}).get("app")
