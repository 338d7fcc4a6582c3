"""A Django project in one file, served as ASGI: a function and a class.

pip install 'gatepost[serve]' django
uvicorn django_app:app
gatepost keys create "me" -p FILE_UPLOAD,OBJECTS_LIST --app django_app:app

Django has no types: what mypy --strict has to be told of such a module is in docs/django.md.
"""

import os

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views import View

from gatepost import APIKeyMiddleware, APIKeys, requires

settings.configure(
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ.get("DJANGO_SECRET_KEY", "for trying it out only"),
    USE_TZ=True,
)
django.setup()

names: list[str] = []


@requires("OBJECTS_LIST")
def whoami(request: ASGIRequest) -> HttpResponse:
    """The key that asks. What the middleware found is in the scope."""
    key = request.scope["api_key"]
    return JsonResponse({"key": key.description, "may": sorted(request.scope["permissions"])})


class Files(View):
    """Files, by name."""

    @requires("OBJECTS_LIST")
    def get(self, request: HttpRequest) -> HttpResponse:
        """All that there are."""
        return JsonResponse({"names": names})

    @requires("FILE_UPLOAD")
    def post(self, request: HttpRequest) -> HttpResponse:
        """Add one."""
        names.append(request.body.decode())
        return JsonResponse({"names": names}, status=201)


urlpatterns = [path("whoami", whoami), path("files", Files.as_view())]

keys = APIKeys.from_env()
app = APIKeyMiddleware(get_asgi_application(), keys)
