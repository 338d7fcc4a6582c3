"""Django's ASGI app: function views, class-based views, sync and async. Django has no types."""

import sys
from collections.abc import AsyncIterator
from typing import Any

import django  # type: ignore[import-untyped]
import pytest
from django.conf import settings  # type: ignore[import-untyped]
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse  # type: ignore[import-untyped]
from django.urls import path  # type: ignore[import-untyped]
from django.utils.decorators import method_decorator  # type: ignore[import-untyped]
from django.views import View  # type: ignore[import-untyped]
from starlette.types import ASGIApp

from gatepost import APIKeyMiddleware, APIKeys, ConfigurationError, requires
from gatepost.asgi import checks_above
from tests.frameworks.conftest import Issuance
from tests.frameworks.connection import bearer, client_of
from tests.frameworks.contract import FreshContract, ran, report

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="for tests", USE_TZ=True, LOGGING_CONFIG=None)
django.setup()


def scope_of(request: HttpRequest) -> dict[str, Any]:
    scope: dict[str, Any] = request.scope
    return scope


async def me(request: HttpRequest) -> HttpResponse:
    return JsonResponse(report(scope_of(request)))


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    gate = scope_of(request)["gate"]

    async def chunks() -> AsyncIterator[str]:
        yield "one"
        await gate.wait()
        yield "two"

    return StreamingHttpResponse(chunks())


@requires("FILE_UPLOAD")
async def upload(request: HttpRequest) -> HttpResponse:
    ran.append(request.path)
    return HttpResponse("uploaded")


@requires("FILE_UPLOAD")
def upload_in_a_thread(request: HttpRequest, folder: str) -> HttpResponse:
    ran.append(request.path)
    return HttpResponse(folder)


@requires("FILE_UPLOAD", fresh=True)
async def fresh_upload(request: HttpRequest) -> HttpResponse:
    ran.append(request.path)
    return HttpResponse("uploaded")


@requires("FILE_UPLOAD", fresh=True)
def fresh_upload_in_a_thread(request: HttpRequest) -> HttpResponse:
    ran.append(request.path)
    return HttpResponse("uploaded")


@requires("FILE_UPLOAD", on="dir:/{path}")
async def upload_within(request: HttpRequest, path: str) -> HttpResponse:
    ran.append(path)
    return HttpResponse(request.method)


class Uploads(View):  # type: ignore[misc]
    @requires("FILE_UPLOAD")
    async def get(self, request: HttpRequest) -> HttpResponse:
        ran.append(request.path)
        return HttpResponse("got")

    @requires("FILE_UPLOAD")
    async def post(self, request: HttpRequest) -> HttpResponse:
        ran.append(request.path)
        return HttpResponse("posted")


class SyncUploads(View):  # type: ignore[misc]
    @requires("FILE_UPLOAD")
    def get(self, request: HttpRequest) -> HttpResponse:
        ran.append(request.path)
        return HttpResponse("got")


@method_decorator(requires("FILE_UPLOAD"), name="dispatch")
class Dispatched(View):  # type: ignore[misc]
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(request.method)


@method_decorator(requires("FILE_UPLOAD"), name="dispatch")
class DispatchedAsync(View):  # type: ignore[misc]
    async def get(self, request: HttpRequest) -> HttpResponse:
        ran.append(request.path)
        return HttpResponse(request.method)


class OwnDispatch(View):  # type: ignore[misc]
    @requires("FILE_UPLOAD")
    def dispatch(self, request: HttpRequest) -> Any:
        return super().dispatch(request)

    async def get(self, request: HttpRequest) -> HttpResponse:
        ran.append(request.path)
        return HttpResponse(request.method)


class DispatchedBelow(DispatchedAsync):
    async def post(self, request: HttpRequest) -> HttpResponse:
        ran.append(request.path)
        return HttpResponse(request.method)


@method_decorator(requires("FILE_UPLOAD", cost=2), name="dispatch")
class DispatchedAtACost(DispatchedAsync):
    pass


urlpatterns = [
    path("me", me),
    path("stream", stream),
    path("upload", upload),
    path("upload/<str:folder>", upload_in_a_thread),
    path("within/<path:path>", upload_within),
    path("fresh", fresh_upload),
    path("fresh-in-a-thread", fresh_upload_in_a_thread),
    path("class", Uploads.as_view()),
    path("sync-class", SyncUploads.as_view()),
    path("dispatched", Dispatched.as_view()),
    path("dispatched-async", DispatchedAsync.as_view()),
    path("own-dispatch", OwnDispatch.as_view()),
    path("dispatched-at-a-cost", DispatchedAtACost.as_view()),
    path("dispatched-below", DispatchedBelow.as_view()),
]


class TestContract(FreshContract):
    fresh = ("GET /fresh", "GET /fresh-in-a-thread")
    stale = "GET /upload"
    guarded = ("GET /upload", "POST /upload/cats", "GET /class", "POST /class", "GET /sync-class")

    @staticmethod
    def app() -> ASGIApp:
        app: ASGIApp = get_asgi_application()
        return app


async def test_a_view_that_is_decorated_anew_at_each_request_keeps_nothing_of_it(
    keys: APIKeys, issuance: Issuance
) -> None:
    async with client_of(APIKeyMiddleware(get_asgi_application(), keys)) as client:
        for _ in range(3):
            assert (await client.get("/dispatched", headers=bearer(issuance.uploader.secret))).status_code == 200
            assert (await client.get("/dispatched", headers=bearer(issuance.reader.secret))).status_code == 403
    assert len(checks_above(View.dispatch)) == 1


@pytest.mark.parametrize("at", ["dispatched-async", "own-dispatch", "dispatched-below"])
async def test_a_view_whose_methods_are_async_may_be_guarded_at_its_dispatch(
    keys: APIKeys, issuance: Issuance, at: str
) -> None:
    ran.clear()
    async with client_of(APIKeyMiddleware(get_asgi_application(), keys)) as client:
        refused = await client.get(f"/{at}", headers=bearer(issuance.reader.secret))
        assert (refused.status_code, refused.json()["missing"]) == (403, ["FILE_UPLOAD"])
        assert (await client.delete(f"/{at}", headers=bearer(issuance.reader.secret))).status_code == 403
        assert ran == []
        assert (await client.get(f"/{at}", headers=bearer(issuance.uploader.secret))).text == "GET"
        assert (await client.delete(f"/{at}", headers=bearer(issuance.uploader.secret))).status_code == 405


async def test_what_must_wait_cannot_be_asked_at_the_dispatch_of_an_async_view(
    keys: APIKeys, issuance: Issuance, caplog: pytest.LogCaptureFixture
) -> None:
    ran.clear()
    async with client_of(APIKeyMiddleware(get_asgi_application(), keys)) as client:
        answer = await client.get("/dispatched-at-a-cost", headers=bearer(issuance.uploader.secret))
    assert answer.status_code == 500
    assert ran == []
    raised = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert [type(each) for each in raised] == [ConfigurationError]


def test_this_module_is_the_url_configuration() -> None:
    assert sys.modules[settings.ROOT_URLCONF].urlpatterns is urlpatterns
