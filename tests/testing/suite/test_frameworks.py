"""Other frameworks' own clients, and Django's app, around which its own go."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

import django  # type: ignore[import-untyped]
import pytest
from django.conf import settings  # type: ignore[import-untyped]
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse  # type: ignore[import-untyped]
from django.urls import path  # type: ignore[import-untyped]
from litestar import Litestar, get
from litestar.middleware import DefineMiddleware
from litestar.testing import AsyncTestClient, TestClient
from quart import Quart

from gatepost import APIKeyMiddleware, requires
from gatepost.testing import Keyring
from tests.testing.suite.main import client_of, keys

Headers = Callable[..., Mapping[str, str]]


@get("/files")
@requires("OBJECTS_LIST")
async def files() -> str:
    return "here"


@requires("OBJECTS_LIST")
async def view(request: HttpRequest) -> HttpResponse:
    return HttpResponse("here")


urlpatterns = [path("files", view)]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="for tests", USE_TZ=True, LOGGING_CONFIG=None)
django.setup()


def litestar() -> Litestar:
    middleware: Any = APIKeyMiddleware  # Litestar's types want a scope that is a TypedDict
    return Litestar([files], middleware=[DefineMiddleware(middleware, keys=keys)], openapi_config=None)


def test_litestars(key_headers: Headers) -> None:
    with TestClient(litestar()) as client:
        assert client.get("/files", headers=key_headers("OBJECTS_LIST")).text == "here"
        assert client.get("/files", headers=key_headers()).status_code == 403


@pytest.mark.asyncio
async def test_litestars_async(key_headers: Headers) -> None:
    async with AsyncTestClient(litestar()) as client:
        assert (await client.get("/files", headers=key_headers("OBJECTS_LIST"))).text == "here"
        assert (await client.get("/files", headers=key_headers())).status_code == 403


@pytest.mark.asyncio
async def test_quarts(api_keys: Keyring) -> None:
    app = Quart(__name__)

    @app.get("/files")
    @requires("OBJECTS_LIST")
    async def there() -> str:
        return "here"

    app.asgi_app = APIKeyMiddleware(app.asgi_app, keys)  # type: ignore[method-assign,assignment,arg-type]
    async with app.test_app() as running:
        client: Any = running.test_client()
        assert await (await client.get("/files", headers=api_keys.make("OBJECTS_LIST").headers)).get_data() == b"here"
        assert (await client.get("/files", headers=api_keys.deactivated("OBJECTS_LIST").headers)).status_code == 401


@pytest.mark.asyncio
async def test_djangos_app(key_headers: Headers) -> None:
    app = APIKeyMiddleware(get_asgi_application(), keys)
    async with client_of(app) as client:
        assert (await client.get("/files", headers=key_headers("OBJECTS_LIST"))).text == "here"
        assert (await client.get("/files", headers=key_headers())).status_code == 403
    assert "django.test" not in sys.modules
