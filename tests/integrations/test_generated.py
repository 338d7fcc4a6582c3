"""Clients that a generator from PyPI makes of each framework's document: they call, and are told why not. FastAPI's has
more of it, in test_document.py."""

import asyncio
import importlib
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from inspect import signature
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from openapi_spec_validator import validate

from gatepost import APIKeyMiddleware, APIKeys
from gatepost.integrations.starlette import SchemaGenerator as StarletteGenerator
from tests.frameworks import test_django  # it says what Django's settings are, once for all
from tests.frameworks.conftest import Issuance
from tests.frameworks.connection import client_of

# isort: split
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.test.utils import override_settings  # type: ignore[import-untyped]
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import spectacular_settings
from starlette.applications import Starlette

from gatepost.integrations.drf import postprocessing_hook
from tests.integrations import test_drf, test_litestar, test_ninja, test_quart, test_starlette

assert test_django.__doc__

ORIGIN = "http://app"

Served = tuple[Any, dict[str, Any], str]
"""The app, its document, and where `FILE_UPLOAD` is asked of a POST."""


async def _fetched(app: Any, path: str) -> Any:
    async with client_of(app) as client:
        return (await client.get(path)).json()


@asynccontextmanager
async def litestar(keys: APIKeys) -> AsyncIterator[Served]:
    app = test_litestar.make(keys)
    yield app, await _fetched(app, "/schema/openapi.json"), "/decorated"


@asynccontextmanager
async def quart(keys: APIKeys) -> AsyncIterator[Served]:
    app = test_quart.make(keys)
    yield app, await _fetched(app, "/openapi.json"), "/files/{number}"  # of two types of one name the generator skips


@asynccontextmanager
async def ninja(keys: APIKeys) -> AsyncIterator[Served]:
    test_ninja.make(keys)
    with override_settings(ROOT_URLCONF=test_ninja.__name__):
        app = APIKeyMiddleware(get_asgi_application(), keys, exempt=test_ninja.EXEMPT)
        document = await _fetched(app, "/api/openapi.json")
        del document["paths"]["/api/files/{number}"]["patch"]["operationId"]  # Ninja gives it to both
        yield app, document, "/api/upload"


@asynccontextmanager
async def drf(keys: APIKeys) -> AsyncIterator[Served]:
    hooks = spectacular_settings.POSTPROCESSING_HOOKS
    make: Any = SchemaGenerator  # which has half of its types
    generator = make(patterns=test_drf.urlpatterns)
    with override_settings(ROOT_URLCONF=test_drf.__name__, REST_FRAMEWORK={"UNAUTHENTICATED_USER": None}):
        spectacular_settings.POSTPROCESSING_HOOKS = [postprocessing_hook(keys, exempt=test_drf.EXEMPT)]
        try:
            made = await asyncio.to_thread(generator.get_schema, public=True)
        finally:
            spectacular_settings.POSTPROCESSING_HOOKS = hooks
        app = APIKeyMiddleware(get_asgi_application(), keys, exempt=test_drf.EXEMPT)
        yield app, orjson.loads(orjson.dumps(made)), "/function"  # three kinds of a body the generator gets wrong


@asynccontextmanager
async def starlette(keys: APIKeys) -> AsyncIterator[Served]:
    app = Starlette(routes=test_starlette.ROUTES)
    document = StarletteGenerator(test_starlette.BASE, keys, exempt=["/within/health"]).get_schema(app.routes)
    yield APIKeyMiddleware(app, keys, exempt=["/within/health"]), document, "/upload"


async def made(document: dict[str, Any], folder: Path, name: str) -> None:
    """The client, a package of that name in the folder."""
    (folder / "openapi.json").write_bytes(orjson.dumps(document))
    generate = ("openapi_python_client", "generate", "--meta", "none", "--path", "openapi.json", "--output-path", name)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *generate), cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()


def operation(folder: Path, name: str, path: str) -> Any:
    """The client's module for a POST to that path."""
    (file,) = [
        file
        for file in (folder / name / "api").rglob("*.py")
        if re.search(rf'"method": "post",\s+"url": "{re.escape(path)}"', file.read_text())
    ]
    return importlib.import_module(".".join(file.relative_to(folder).with_suffix("").parts))


@pytest.mark.parametrize("serve", [litestar, quart, ninja, drf, starlette], ids=lambda serve: serve.__name__)
async def test_a_client_made_from_the_document_calls_and_is_told_why_not(
    keys: APIKeys,
    issuance: Issuance,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    serve: Callable[[APIKeys], AbstractAsyncContextManager[Served]],
) -> None:
    name = f"client_of_{serve.__name__}"
    async with serve(keys) as (app, document, path):
        validate(document)
        await made(document, tmp_path, name)
        monkeypatch.syspath_prepend(str(tmp_path))
        module, models = importlib.import_module(name), importlib.import_module(f"{name}.models")
        upload = operation(tmp_path, name, path)
        within: dict[str, Any] = {"base_url": ORIGIN, "httpx_args": {"transport": httpx.ASGITransport(app)}}
        takes = signature(upload.asyncio_detailed).parameters
        given: dict[str, Any] = {"number": 3} if "number" in takes else {}
        if "body" in takes:
            given["body"] = models.Asset(name="a")

        client = module.AuthenticatedClient(token=issuance.reader.secret, **within)
        refused = await upload.asyncio_detailed(client=client, **given)
        assert isinstance(refused.parsed, models.APIKeyProblem)
        assert (int(refused.status_code), refused.parsed.code) == (403, "permission_denied")
        assert refused.parsed.missing == ["FILE_UPLOAD"]

        client = module.AuthenticatedClient(token=issuance.uploader.secret, **within)
        assert int((await upload.asyncio_detailed(client=client, **given)).status_code) in {200, 201}
