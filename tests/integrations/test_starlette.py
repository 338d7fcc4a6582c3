"""Starlette's own document, made of docstrings."""

from typing import Any

import pytest
from openapi_spec_validator import validate
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from gatepost import APIKeys, BadInputError, Header, requires
from gatepost.integrations.starlette import SchemaGenerator

BASE = {"openapi": "3.1.0", "info": {"title": "Files", "version": "1"}}
BOTH = [{"Bearer": ["FILE_UPLOAD"]}, {"X-API-Key": ["FILE_UPLOAD"]}]


@requires("FILE_UPLOAD")
async def upload(request: Request) -> Response:
    """
    summary: Uploads a file.
    responses:
      200:
        description: Uploaded.
    """
    return PlainTextResponse("done")


class Files(HTTPEndpoint):
    @requires("FILE_UPLOAD")
    async def post(self, request: Request) -> Response:  # noqa: ARG002 - Starlette gives it
        """
        responses:
          200:
            description: Uploaded.
        """
        return PlainTextResponse("done")


async def health(request: Request) -> Response:
    """
    responses:
      "200":
        description: Well.
    """
    return PlainTextResponse("done")


ROUTES: list[Any] = [
    Route("/upload", upload, methods=["POST"]),
    Mount("/within", routes=[Route("/files", Files), Route("/health", health)]),
]


def test_the_document_tells_what_each_operation_needs(keys: APIKeys) -> None:
    app = Starlette(routes=ROUTES)
    document = SchemaGenerator(BASE, keys, exempt=["/within/health"]).get_schema(app.routes)
    validate(document)
    for path in ("/upload", "/within/files"):
        assert document["paths"][path]["post"]["security"] == BOTH
        assert document["paths"][path]["post"]["responses"]["403"]["description"].startswith("Needs `FILE_UPLOAD`")
    assert document["paths"]["/upload"]["post"]["summary"] == "Uploads a file."
    assert "security" not in document["paths"]["/within/health"]["get"]
    assert "components" not in BASE


def test_options_are_the_middlewares(keys: APIKeys) -> None:
    document = SchemaGenerator(BASE, keys, sources=[Header("X-Key")]).get_schema(ROUTES)
    assert list(document["components"]["securitySchemes"]) == ["X-Key"]
    not_keys: Any = "sqlite://"
    for given, options, what in (
        (not_keys, {}, "must be an APIKeys"),
        (keys, {"source": [Header("X-Key")]}, "source"),
        (keys, {"realm": '"'}, "realm"),
    ):
        with pytest.raises(BadInputError, match=what):
            SchemaGenerator(BASE, given, **options)
