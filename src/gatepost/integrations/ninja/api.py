"""`NinjaAPI`: Django Ninja's, whose document tells of keys."""

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any, Unpack

import ninja
from ninja.openapi.docs import DocsBase
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation
from ninja.parser import Parser
from ninja.renderers import BaseRenderer

from gatepost.asgi import APIKeyMiddleware, PermissionCheck, checks_of
from gatepost.base import BadInputError
from gatepost.integrations.openapi import Json, Options, exempt_paths, gate_of
from gatepost.keys import APIKeys


class NinjaOptions(Options, total=False):
    """Those of `APIKeyMiddleware`, and Ninja's own."""

    title: str
    version: str
    description: str
    openapi_url: str | None
    docs: DocsBase
    docs_url: str | None
    docs_decorator: Callable[[Any], Any] | None
    servers: list[dict[str, Any]] | None
    urls_namespace: str | None
    auth: Any
    throttle: Any
    renderer: BaseRenderer | None
    parser: Parser | None
    default_router: ninja.Router | None
    openapi_extra: dict[str, Any] | None


class NinjaAPI(ninja.NinjaAPI):
    """In the place of `ninja.NinjaAPI`: the document also tells where a key is sent, what `@requires` asks of each
    operation, and how it refuses.

    `NinjaAPI(keys=keys, exempt=["/api/docs", "/api/openapi.json"], title="Files")`: `keys`, and the options of the
    `APIKeyMiddleware` around the app; all others are Ninja's. `@requires` goes directly on the function, below Ninja's
    decorator: so it is asked once the body has been read. Raises `BadInputError` as the middleware does.
    """

    def __init__(self, *, keys: APIKeys, **options: Unpack[NinjaOptions]) -> None:
        if not isinstance(keys, APIKeys):
            raise BadInputError(f"keys must be an APIKeys, not {type(keys).__name__}", "keys")
        known = signature(APIKeyMiddleware).parameters
        given: dict[str, Any] = {**options}
        ours = {name: value for name, value in given.items() if name in known}
        self._gate = gate_of(keys, ours)
        self._exempt = exempt_paths(ours)
        super().__init__(**{name: value for name, value in given.items() if name not in known})

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        """The document."""
        schema = _Schema(self, self.get_root_path(path_params or {}) if path_prefix is None else path_prefix)
        asked = {
            (path, method): schema.asked[id(operation)]
            for path, item in schema["paths"].items()
            for method, operation in item.items()
            if not self._exempt.match({"type": "http", "path": path})
        }
        schema.update(self._gate.told_in(dict(schema), asked))
        return schema


class _Schema(OpenAPISchema):
    """Ninja's, which notes what is asked at the operations that it describes."""

    asked: dict[int, Sequence[PermissionCheck]]

    def __init__(self, api: ninja.NinjaAPI, path_prefix: str) -> None:
        self.asked = {}
        super().__init__(api, path_prefix)

    def operation_details(self, operation: Operation) -> Json:
        details: Json = super().operation_details(operation)
        self.asked[id(details)] = checks_of(operation.view_func)
        return details
