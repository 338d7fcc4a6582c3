"""Quart's document, which quart-schema makes."""

from dataclasses import dataclass
from typing import Any

import pytest
from openapi_spec_validator import validate
from quart import Blueprint, Quart
from quart.views import MethodView, View
from quart_schema import QuartSchema, validate_request, validate_response

from gatepost import APIKeyMiddleware, APIKeys, BadInputError, Header, requires
from gatepost.integrations.quart import openapi_provider
from tests.frameworks.conftest import Issuance
from tests.frameworks.connection import bearer, client_of
from tests.frameworks.contract import assert_denied

EXEMPT = ["/openapi.json", "/docs", "/health"]


@dataclass
class Asset:
    name: str


async def _nothing() -> None: ...


def make(keys: APIKeys, **options: Any) -> Any:
    app, blueprint = Quart(__name__), Blueprint("files", __name__, url_prefix="/files")
    options = {"exempt": EXEMPT, **options}
    QuartSchema(app, openapi_provider_class=openapi_provider(keys, **options))

    @app.post("/upload")
    @requires("FILE_UPLOAD")
    @validate_request(Asset)
    @validate_response(Asset)
    async def upload(data: Asset) -> Asset:
        return data

    @blueprint.post("/<int:number>")
    @validate_response(Asset)
    @requires("FILE_UPLOAD")
    async def rename(number: int) -> Asset:
        return Asset(str(number))

    @app.get("/health")
    @validate_response(Asset)
    async def health() -> Asset:
        return Asset("well")

    before = Blueprint("before", __name__, url_prefix="/before")
    before.before_request(requires("FILE_DELETE")(_nothing))

    @before.get("/")
    @requires("OBJECTS_LIST")
    async def behind() -> str:
        return "behind"

    class Shelf(MethodView):
        decorators = [requires("OBJECTS_LIST")]  # noqa: RUF012 - as in Quart's documentation

        @requires("FILE_DELETE")
        async def delete(self) -> str:
            return "deleted"

        async def get(self) -> str:
            return "a shelf"

    class Single(View):
        @requires("FILE_MOVE")
        async def dispatch_request(self, **_: Any) -> str:
            return "moved"

    app.add_url_rule("/shelf", view_func=Shelf.as_view("shelf"))
    app.add_url_rule("/single", view_func=Single.as_view("single"), methods=["PUT"])
    app.register_blueprint(blueprint)
    app.register_blueprint(before)
    asgi: Any = app.asgi_app
    app.asgi_app = APIKeyMiddleware(asgi, keys, **options)  # type: ignore[method-assign,assignment]  # Quart's docs
    return app


async def test_the_document_is_valid_and_true(keys: APIKeys, issuance: Issuance) -> None:
    async with client_of(make(keys)) as client:
        document = (await client.get("/openapi.json")).json()
        refused = await client.post("/upload", headers=bearer(issuance.reader.secret), json={"wrong": 1})
        assert_denied(refused)  # before quart-schema looks at the body
        allowed = await client.post("/upload", headers=bearer(issuance.uploader.secret), json={"name": "a"})
        assert (allowed.status_code, allowed.json()) == (200, {"name": "a"})
    validate(document)
    for path in ("/upload", "/files/{number}"):
        operation = document["paths"][path]["post"]
        assert operation["security"] == [{"Bearer": ["FILE_UPLOAD"]}, {"X-API-Key": ["FILE_UPLOAD"]}]
        told = operation["responses"]["403"]["content"]["application/problem+json"]["examples"]
        assert told["permission_denied"]["value"] == refused.json()
    assert "security" not in document["paths"]["/health"]["get"]


async def test_the_document_tells_what_the_methods_of_classes_ask(keys: APIKeys, issuance: Issuance) -> None:
    async with client_of(make(keys)) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
        client.headers.update(bearer(issuance.reader.secret))
        assert (await client.get("/shelf")).text == "a shelf"
        assert (await client.delete("/shelf")).status_code == 403
        assert (await client.put("/single")).status_code == 403
        assert (await client.get("/before/")).status_code == 403
    asked = {
        f"{method} {path}": operation.get("x-permissions")
        for path in ("/shelf", "/single", "/before/")
        for method, operation in paths[path].items()
    }
    assert asked == {
        "get /shelf": {"all": ["OBJECTS_LIST"]},
        "delete /shelf": {"all": ["FILE_DELETE", "OBJECTS_LIST"]},
        "put /single": {"all": ["FILE_MOVE"]},
        "get /before/": {"all": ["FILE_DELETE", "OBJECTS_LIST"]},
    }


async def test_options_are_the_middlewares(keys: APIKeys) -> None:
    async with client_of(make(keys, sources=[Header("X-Key")])) as client:
        document = (await client.get("/openapi.json")).json()
    assert list(document["components"]["securitySchemes"]) == ["X-Key"]
    not_keys: Any = "sqlite://"
    with pytest.raises(BadInputError, match="must be an APIKeys"):
        openapi_provider(not_keys)
    with pytest.raises(BadInputError, match="source"):
        openapi_provider(keys, source=[])  # type: ignore[call-arg]
