"""`SchemaGenerator`: Starlette's document, which it makes of docstrings, with keys in it."""

from typing import Any, Unpack

import starlette.schemas
from starlette.routing import BaseRoute

from gatepost.asgi import checks_of
from gatepost.base import BadInputError
from gatepost.integrations.openapi import Options, exempt_paths, gate_of
from gatepost.keys import APIKeys


class SchemaGenerator(starlette.schemas.SchemaGenerator):
    """In the place of `starlette.schemas.SchemaGenerator`: the same document, which also tells where a key is sent,
    what `@requires` asks of each operation, and how it refuses.

        schemas = SchemaGenerator({"openapi": "3.1.0", "info": {...}}, keys, exempt=["/schema"])

    `base_schema`: as Starlette's. `keys` and `options`: those of the `APIKeyMiddleware` around the app. Raises
    `BadInputError` for options that it does not have.
    """

    def __init__(self, base_schema: dict[str, Any], keys: APIKeys, **options: Unpack[Options]) -> None:
        if not isinstance(keys, APIKeys):
            raise BadInputError(f"keys must be an APIKeys, not {type(keys).__name__}", "keys")
        super().__init__(base_schema)
        self._gate = gate_of(keys, options)
        self._exempt = exempt_paths(options)

    def get_schema(self, routes: list[BaseRoute]) -> dict[str, Any]:
        """The document of these routes."""
        asked = {
            (endpoint.path, endpoint.http_method): checks_of(endpoint.func)
            for endpoint in self.get_endpoints(routes)
            if not self._exempt.match({"type": "http", "path": endpoint.path})
        }
        return self._gate.told_in(super().get_schema(routes), asked)
