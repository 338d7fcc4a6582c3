"""Django REST framework's document, which drf-spectacular makes. Neither it nor Django has types."""
# mypy: disable-error-code="import-untyped, misc, no-untyped-call, untyped-decorator"

import asyncio
from typing import Any

import orjson
import pytest

from tests.frameworks import test_django  # it says what Django's settings are, once for all

# isort: split
from django.core.asgi import get_asgi_application
from django.test.utils import override_settings
from django.urls import path
from django.utils.decorators import method_decorator
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.settings import spectacular_settings
from openapi_spec_validator import validate
from rest_framework import serializers, viewsets
from rest_framework.decorators import api_view
from rest_framework.response import Response
from rest_framework.versioning import URLPathVersioning
from rest_framework.views import APIView

from gatepost import APIKeyMiddleware, APIKeys, BadInputError, requires
from gatepost.integrations.drf import postprocessing_hook
from tests.frameworks.conftest import Issuance
from tests.frameworks.connection import bearer, client_of
from tests.frameworks.contract import assert_denied

assert test_django.__doc__

EXEMPT = ["/health"]


class Asset(serializers.Serializer):
    name = serializers.CharField()


class Upload(APIView):
    serializer_class = Asset
    schema = AutoSchema()
    authentication_classes = ()
    permission_classes = ()

    @requires("FILE_UPLOAD")
    def post(self, request: Any) -> Response:
        return Response(f"uploaded by {request.method}")


class Files(viewsets.ViewSet):
    serializer_class = Asset
    schema = AutoSchema()
    authentication_classes = ()
    permission_classes = ()

    @requires("FILE_UPLOAD")
    def create(self, request: Any) -> Response:
        return Response(f"created by {request.method}")


@method_decorator(requires("FILE_UPLOAD"), name="dispatch")
class Dispatched(APIView):
    serializer_class = Asset
    schema = AutoSchema()
    authentication_classes = ()
    permission_classes = ()

    def post(self, request: Any) -> Response:
        return Response(f"dispatched by {request.method}")


@api_view(["POST"])
@requires("FILE_UPLOAD")
def by_function(request: Any) -> Response:
    return Response("by a function")


@api_view(["GET"])
def health(request: Any) -> Response:
    return Response("well")


for view in (by_function, health):
    view.cls.authentication_classes = view.cls.permission_classes = ()
    view.cls.schema = AutoSchema()

urlpatterns = [
    path("upload", Upload.as_view()),
    path("files", Files.as_view({"post": "create"})),
    path("dispatched", Dispatched.as_view()),
    path("function", by_function),
    path("health", health),
]


async def test_the_document_is_valid_and_true(
    keys: APIKeys, issuance: Issuance, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = postprocessing_hook(keys, exempt=EXEMPT)
    with override_settings(ROOT_URLCONF=__name__, REST_FRAMEWORK={"UNAUTHENTICATED_USER": None}):
        monkeypatch.setattr(spectacular_settings, "POSTPROCESSING_HOOKS", [hook], raising=False)
        made = await asyncio.to_thread(SchemaGenerator(patterns=urlpatterns).get_schema, public=True)
        document = orjson.loads(orjson.dumps(made))
        app = APIKeyMiddleware(get_asgi_application(), keys, exempt=EXEMPT)
        async with client_of(app) as client:
            for place in ("/upload", "/files", "/dispatched", "/function"):
                assert_denied(await client.post(place, headers=bearer(issuance.reader.secret)))
                allowed = await client.post(place, headers=bearer(issuance.uploader.secret))
                assert allowed.status_code == 200
                operation = document["paths"][place]["post"]
                assert operation["security"] == [{"Bearer": []}, {"X-API-Key": []}]
                assert operation["x-permissions"] == {"all": ["FILE_UPLOAD"]}
                assert "Needs `FILE_UPLOAD`" in operation["responses"]["403"]["description"]
    validate(document)
    assert document["openapi"].startswith("3.0")
    assert "x-permissions" not in document["paths"]["/health"]["get"]
    assert "403" not in document["paths"]["/health"]["get"]["responses"]


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"SCHEMA_PATH_PREFIX": "/api", "SCHEMA_PATH_PREFIX_TRIM": True}, "/v1/{fileName}"),
        ({"SCHEMA_PATH_PREFIX_INSERT": "/behind"}, "/behind/api/v1/{fileName}"),
    ],
)
def test_the_document_is_true_whatever_becomes_of_the_paths(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], place: str
) -> None:
    class Versioned(Upload):
        versioning_class = URLPathVersioning

    hook = postprocessing_hook(keys, exempt=["/api/health"])
    patterns = [path("api/<str:version>/<str:file_name>", Versioned.as_view()), path("api/health", health)]
    settings = {"POSTPROCESSING_HOOKS": [hook], "CAMELIZE_NAMES": True, **settings}
    for name, value in settings.items():
        monkeypatch.setattr(spectacular_settings, name, value, raising=False)
    with override_settings(REST_FRAMEWORK={"UNAUTHENTICATED_USER": None}):
        generator = SchemaGenerator(patterns=patterns, api_version="v1")
        document = generator.get_schema(public=True)
    validate(orjson.loads(orjson.dumps(document)))
    assert document["paths"][place]["post"]["x-permissions"] == {"all": ["FILE_UPLOAD"]}
    assert "noted" not in document["paths"][place]["post"]
    assert len(document["paths"]) == 2
    assert ["401" in item["get"]["responses"] for item in document["paths"].values() if "get" in item] == [False]


def test_options_are_the_middlewares(keys: APIKeys) -> None:
    not_keys: Any = "sqlite://"
    with pytest.raises(BadInputError, match="must be an APIKeys"):
        postprocessing_hook(not_keys)
    with pytest.raises(BadInputError, match="source"):
        postprocessing_hook(keys, source=[])  # type: ignore[call-arg]
