"""Django's ASGI app: function views, class-based views, sync and async. Django has no types."""

import sys
from collections.abc import AsyncIterator
from typing import Any

import django  # type: ignore[import-untyped]
from django.conf import settings  # type: ignore[import-untyped]
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse  # type: ignore[import-untyped]
from django.urls import path  # type: ignore[import-untyped]
from django.views import View  # type: ignore[import-untyped]
from starlette.types import ASGIApp

from gatepost import requires
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


urlpatterns = [
    path("me", me),
    path("stream", stream),
    path("upload", upload),
    path("upload/<str:folder>", upload_in_a_thread),
    path("fresh", fresh_upload),
    path("fresh-in-a-thread", fresh_upload_in_a_thread),
    path("class", Uploads.as_view()),
    path("sync-class", SyncUploads.as_view()),
]


class TestContract(FreshContract):
    fresh = ("GET /fresh", "GET /fresh-in-a-thread")
    stale = "GET /upload"
    guarded = ("GET /upload", "POST /upload/cats", "GET /class", "POST /class", "GET /sync-class")

    @staticmethod
    def app() -> ASGIApp:
        app: ASGIApp = get_asgi_application()
        return app


def test_this_module_is_the_url_configuration() -> None:
    assert sys.modules[settings.ROOT_URLCONF].urlpatterns is urlpatterns
