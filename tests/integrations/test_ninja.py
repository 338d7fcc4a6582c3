"""Django Ninja's document."""

from inspect import signature
from typing import Any

import pytest

from tests.frameworks import test_django  # it says what Django's settings are, once for all

# isort: split
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.test.utils import override_settings  # type: ignore[import-untyped]
from django.urls import path  # type: ignore[import-untyped]
from ninja import NinjaAPI as NinjaBare
from ninja import Router, Schema
from openapi_spec_validator import validate

from gatepost import APIKeyMiddleware, APIKeys, BadInputError, requires
from gatepost.integrations.ninja import NinjaAPI, NinjaOptions
from tests.frameworks.conftest import Issuance
from tests.frameworks.connection import bearer, client_of

assert test_django.__doc__

EXEMPT = ["/api/openapi.json", "/api/docs", "/api/health"]

urlpatterns: list[Any] = []


class Asset(Schema):
    name: str


def make(keys: APIKeys, **options: Any) -> Any:
    api, router = NinjaAPI(keys=keys, exempt=EXEMPT, title="Assets", urls_namespace=str(id(keys)), **options), Router()

    @api.post("/upload")
    @requires("FILE_UPLOAD")
    async def upload(request: Any, asset: Asset) -> str:
        return asset.name

    @router.api_operation(["PUT", "PATCH"], "/{number}")
    @requires("FILE_UPLOAD")
    def rename(request: Any, number: int) -> int:
        return number

    @api.get("/health")
    async def health(request: Any) -> str:
        return "well"

    api.add_router("/files", router)
    urlpatterns[:] = [path("api/", api.urls)]
    return api


async def test_the_document_is_valid_and_true(keys: APIKeys, issuance: Issuance) -> None:
    make(keys)
    with override_settings(ROOT_URLCONF=__name__):
        app = APIKeyMiddleware(get_asgi_application(), keys, exempt=EXEMPT)
        async with client_of(app) as client:
            document = (await client.get("/api/openapi.json")).json()
            refused = await client.post("/api/upload", headers=bearer(issuance.reader.secret), json={"name": "a"})
            allowed = await client.post("/api/upload", headers=bearer(issuance.uploader.secret), json={"name": "a"})
            threaded = await client.put("/api/files/3", headers=bearer(issuance.reader.secret))
    del document["paths"]["/api/files/{number}"]["patch"]["operationId"]  # Ninja gives it to both, which is not valid
    validate(document)
    assert (allowed.status_code, allowed.json()) == (200, "a")
    assert refused.status_code == threaded.status_code == 403
    for place, method in (("/api/upload", "post"), ("/api/files/{number}", "put"), ("/api/files/{number}", "patch")):
        operation = document["paths"][place][method]
        assert operation["security"] == [{"Bearer": ["FILE_UPLOAD"]}, {"X-API-Key": ["FILE_UPLOAD"]}]
        assert operation["responses"]["403"]["description"].count("Needs") == 1
        told = operation["responses"]["403"]["content"]["application/problem+json"]["examples"]
        assert told["permission_denied"]["value"] == refused.json()
    assert document["info"]["title"] == "Assets"
    assert "security" not in document["paths"]["/api/health"]["get"]


def test_options_that_cannot_be_used_are_said_at_once(keys: APIKeys) -> None:
    not_keys: Any = "sqlite://"
    with pytest.raises(BadInputError, match="must be an APIKeys"):
        NinjaAPI(keys=not_keys)
    with pytest.raises(BadInputError, match="realm"):
        NinjaAPI(keys=keys, realm='"')
    with pytest.raises(TypeError, match="sauces"):
        NinjaAPI(keys=keys, sauces=[])  # type: ignore[call-arg]


def test_the_options_are_ninjas_and_the_middlewares() -> None:
    ours = {each.name for each in signature(APIKeyMiddleware).parameters.values() if each.kind is each.KEYWORD_ONLY}
    assert NinjaOptions.__annotations__.keys() == {*signature(NinjaBare).parameters, *ours}
