"""`openapi_provider`: quart-schema's document, with keys in it."""

from collections.abc import Iterable
from typing import Any, Unpack

from quart_schema.openapi import OpenAPIProvider
from werkzeug.routing.rules import Rule

from gatepost.asgi import PermissionCheck, checks_of
from gatepost.asgi.routes import before_rule
from gatepost.base import BadInputError
from gatepost.integrations.openapi import Json, Options, exempt_paths, gate_of
from gatepost.keys import APIKeys


def openapi_provider(keys: APIKeys, **options: Unpack[Options]) -> type[OpenAPIProvider]:
    """For `QuartSchema(app, openapi_provider_class=openapi_provider(keys))`: the document also tells where a key is
    sent, what `@requires` asks of each operation, and how it refuses.

    `keys` and `options`: those of the `APIKeyMiddleware` around the app, as `exempt=["/docs", "/openapi.json"]`. Raises
    `BadInputError` for options that it does not have.
    """
    if not isinstance(keys, APIKeys):
        raise BadInputError(f"keys must be an APIKeys, not {type(keys).__name__}", "keys")
    gate, exempt = gate_of(keys, options), exempt_paths(options)

    class Provider(OpenAPIProvider):
        """quart-schema's own, which notes what is asked at the operations that it builds."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._asked: dict[tuple[str, str], tuple[PermissionCheck, ...]] = {}

        def build_paths(self, rule: Rule) -> tuple[Json, Json]:
            paths, components = super().build_paths(rule)
            view = self._app.view_functions[rule.endpoint]
            for path, operations in paths.items():
                if not exempt.match({"type": "http", "path": path}):
                    self._asked |= {
                        (path, method): _checks(view, method, before_rule(self._app, rule)) for method in operations
                    }
            return paths, components

        def schema(self) -> Json:
            self._asked = {}
            bare = super().schema()
            return gate.told_in(bare, self._asked)

    return Provider


def _checks(view: Any, method: str, before: Iterable[Any]) -> tuple[PermissionCheck, ...]:
    """What is asked at a view, and of whatever is called `before` it; of one that a class makes also what its method
    asks, and what leads there."""
    kind = getattr(view, "view_class", None)
    functions = (*before, view, getattr(kind, "dispatch_request", None), getattr(kind, method, None))
    return tuple(dict.fromkeys(check for function in functions for check in checks_of(function)))
