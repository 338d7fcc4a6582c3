"""`postprocessing_hook`: drf-spectacular's document, with keys in it."""

import weakref
from collections.abc import Callable
from inspect import getclosurevars
from types import FunctionType
from typing import Any, Unpack

from gatepost.asgi import PermissionCheck, checks_of
from gatepost.base import BadInputError
from gatepost.integrations.openapi import Json, Options, exempt_paths, gate_of
from gatepost.keys import APIKeys


def postprocessing_hook(keys: APIKeys, **options: Unpack[Options]) -> Callable[..., Json]:
    """A hook for `SPECTACULAR_SETTINGS["POSTPROCESSING_HOOKS"]`, which names it: the document also tells where a key is
    sent, what `@requires` asks of each operation, and how it refuses. In a module of the project:

        keys_in_schema = postprocessing_hook(keys, exempt=["/schema/"])

    `keys` and `options`: those of the `APIKeyMiddleware` around the app. `@requires` goes directly on methods of views
    and viewsets, and on functions below `@api_view`. Raises `BadInputError` for options that the middleware does not
    have.
    """
    if not isinstance(keys, APIKeys):
        raise BadInputError(f"keys must be an APIKeys, not {type(keys).__name__}", "keys")
    gate, exempt = gate_of(keys, options), exempt_paths(options)

    def keys_in_schema(result: Json, generator: Any, request: Any = None, public: bool = True, **_: Any) -> Json:
        asked: dict[tuple[str, str], tuple[PermissionCheck, ...]] = {}
        for (path, method), (own_path, view) in _operations(generator, request, public=public).items():
            if not exempt.match({"type": "http", "path": own_path}):
                asked[path, method] = _checks(view, method)
        return gate.told_in(result, asked)

    return keys_in_schema


def _operations(generator: Any, request: Any, *, public: bool) -> dict[tuple[str, str], tuple[str, Any]]:
    """By what the document has, path and method in lower case: the path that the app has, and the view. drf-spectacular
    trims, prefixes and versions paths as it goes: so it goes once more, and writes down the views."""
    from drf_spectacular.drainage import GENERATOR_STATS  # noqa: PLC0415 - wants Django's settings
    from drf_spectacular.openapi import AutoSchema  # noqa: PLC0415

    class Noted(AutoSchema):
        """In the place of a view's own schema."""

        def __init__(self, path: str, view: Any) -> None:
            super().__init__()
            self.noted = path, view

        def get_operation(self, *_: Any) -> Json:
            return {"operationId": "noted", "noted": self.noted}

    views = generator._get_paths_and_endpoints()  # noqa: SLF001 - as its `parse` does
    schemas = [Noted(path, view) for path, _regex, _method, view in views]
    for (*_rest, view), schema in zip(views, schemas, strict=True):
        view.schema = weakref.proxy(schema)  # as its own: REST framework keeps it as long as what it is of
    generator._get_paths_and_endpoints = lambda: views  # noqa: SLF001
    try:
        with GENERATOR_STATS.silence():  # it has said it all already
            paths = generator.parse(request, public)
    finally:
        del generator._get_paths_and_endpoints  # noqa: SLF001
    return {(path, method): operation["noted"] for path, item in paths.items() for method, operation in item.items()}


def _checks(view: Any, method: str) -> tuple[PermissionCheck, ...]:
    """What is asked at a method of a view, and on the way there; of a function, which `@api_view` keeps in a function
    of its own."""
    handler = getattr(view, getattr(view, "action", None) or method, None)
    function = getattr(handler, "__func__", handler)
    found = checks_of(function)
    if not found and isinstance(function, FunctionType) and function.__closure__:
        found = checks_of(getclosurevars(function).nonlocals.get("func"))
    return tuple(dict.fromkeys((*checks_of(getattr(view, "dispatch", None)), *found)))
