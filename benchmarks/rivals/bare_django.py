"""Django REST framework under ASGI, and nothing that protects it. Neither of them has types."""

from typing import Any

import django  # type: ignore[import-untyped]
from django.conf import settings  # type: ignore[import-untyped]
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.urls import path  # type: ignore[import-untyped]
from starlette.types import ASGIApp

from benchmarks.rivals.rival import ANSWER, ROUTE, Guard, unguarded

urlpatterns: list[Any] = []


def configure(*apps: str, **more: Any) -> None:
    """Django's settings, of which a process has one set: no sessions, no users, JSON alone. `apps`: to install also."""
    settings.configure(
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="of the benchmarks",
        USE_TZ=True,
        LOGGING_CONFIG=None,
        INSTALLED_APPS=["rest_framework", *apps],
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": [],
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
            "UNAUTHENTICATED_USER": None,
        },
        **more,
    )
    django.setup()


def serve(guard: Guard = unguarded, *permission_classes: type) -> ASGIApp:
    """The app, once Django is configured: only then can REST framework's modules be imported, and models be named."""
    from rest_framework.response import Response  # type: ignore[import-untyped] # noqa: PLC0415
    from rest_framework.views import APIView  # type: ignore[import-untyped] # noqa: PLC0415

    class Objects(APIView):  # type: ignore[misc]
        def get(self, _request: Any) -> Any:
            return Response(ANSWER)

    Objects.get = guard(Objects.get)  # type: ignore[method-assign]
    Objects.permission_classes = permission_classes
    urlpatterns.append(path(ROUTE.removeprefix("/"), Objects.as_view()))
    app: ASGIApp = get_asgi_application()
    return app


def build(guard: Guard = unguarded) -> ASGIApp:
    """The app, its handler behind a guard."""
    configure()
    return serve(guard)
