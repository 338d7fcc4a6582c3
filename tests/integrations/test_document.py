"""What the OpenAPI document says of keys: true of the app that is served, valid, and good for clients made from it."""

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.security import HTTPBasic
from openapi_spec_validator import validate

from gatepost import APIKeys, Bearer, Header, Query, Subprotocol, requires
from gatepost.integrations.fastapi import Guard
from tests.frameworks.conftest import Issuance
from tests.frameworks.connection import bearer, client_of
from tests.integrations.fastapi_app import make

ORIGIN = "http://app"

BEARER_AND_HEADER = [{"Bearer": ["FILE_UPLOAD"]}, {"X-API-Key": ["FILE_UPLOAD"]}]


@pytest.mark.parametrize("place", ["", "/within"])
async def test_the_document_is_valid_and_names_what_each_operation_needs(keys: APIKeys, place: str) -> None:
    async with client_of(make(keys)) as client:
        document = (await client.get(f"{place}/openapi.json")).json()
    validate(document)
    assert document["openapi"].startswith("3.1")
    for name in ("decorated", "depends", "scopes", "key", "optional"):
        operation = document["paths"][f"/{name}"]["post"]
        assert operation["security"] == BEARER_AND_HEADER
        assert operation["x-permissions"] == {"all": ["FILE_UPLOAD"]}
        assert set(operation["responses"]) == {"200", "400", "401", "403", "422", "429", "503"}
        told = operation["responses"]["403"]
        assert told["description"].startswith("Needs `FILE_UPLOAD` (upload file).")
        example = told["content"]["application/problem+json"]["examples"]["permission_denied"]["value"]
        assert example["missing"] == ["FILE_UPLOAD"]
    assert document["paths"]["/me"]["get"]["security"] == [{"Bearer": []}, {"X-API-Key": []}]
    assert "x-permissions" not in document["paths"]["/me"]["get"]
    if not place:
        assert document["paths"]["/router/deeper/me"]["get"]["x-permissions"] == {"all": ["OBJECTS_LIST"]}
        both = {"all": ["FILE_UPLOAD", "OBJECTS_LIST"]}
        assert document["paths"]["/router/deeper/scopes"]["post"]["x-permissions"] == both


def test_any_of_is_told_as_alternatives(keys: APIKeys) -> None:
    operation = make(keys).openapi()["paths"]["/either"]["get"]
    ways = [["COLLECTIONS_LIST", "OBJECTS_FETCH"], ["OBJECTS_FETCH", "OBJECTS_LIST"]]
    assert operation["security"] == [{name: way} for way in ways for name in ("Bearer", "X-API-Key")]
    assert operation["x-permissions"] == {"all": ["OBJECTS_FETCH"], "any": [["COLLECTIONS_LIST", "OBJECTS_LIST"]]}
    assert "and one of `COLLECTIONS_LIST`" in operation["responses"]["403"]["description"]


def test_too_many_alternatives_are_told_in_words(keys: APIKeys) -> None:
    app = FastAPI()
    Guard(app, keys)
    many = [str(name) for name in keys.catalogue][:20]

    @app.get("/many")
    @requires("FILE_UPLOAD", any_of=[name for name in many if name != "FILE_UPLOAD"])
    async def any_of_many() -> None: ...

    operation = app.openapi()["paths"]["/many"]["get"]
    assert operation["security"] == BEARER_AND_HEADER
    assert len(operation["x-permissions"]["any"][0]) == len(many) - 1


@pytest.mark.parametrize(
    ("source", "scheme"),
    [
        (Bearer(), {"Bearer": {"type": "http", "scheme": "bearer"}}),
        (Header("X-Filerobot-Key"), {"X-Filerobot-Key": {"type": "apiKey", "in": "header", "name": "X-Filerobot-Key"}}),
        (Query("api key"), {"api_key": {"type": "apiKey", "in": "query", "name": "api key"}}),
        (Subprotocol(), {}),
    ],
)
def test_the_schemes_are_the_sources(keys: APIKeys, source: Any, scheme: dict[str, Any]) -> None:
    document = make(keys, sources=[source]).openapi()
    validate(document)
    schemes = document["components"]["securitySchemes"]
    assert {name: {k: v for k, v in each.items() if k != "description"} for name, each in schemes.items()} == scheme


def test_what_needs_no_key_is_left_as_it_is(keys: APIKeys) -> None:
    document = make(keys, exempt=["/me", "/router/*"]).openapi()
    for path in ("/me", "/router/deeper/me"):
        assert "security" not in document["paths"][path]["get"]
        assert set(document["paths"][path]["get"]["responses"]) == {"200"}
    document = make(keys, optional=True).openapi()
    assert document["paths"]["/me"]["get"]["security"] == [{"Bearer": []}, {"X-API-Key": []}, {}]
    assert "key_missing" not in document["paths"]["/me"]["get"]["responses"]["401"]["description"]
    assert document["paths"]["/scopes"]["post"]["security"] == BEARER_AND_HEADER


def test_what_the_app_says_itself_stays(keys: APIKeys) -> None:
    app = FastAPI()
    Guard(app, keys)

    @app.get("/both", responses={403: {"description": "Not yours."}}, dependencies=[Depends(HTTPBasic())])
    async def both() -> None: ...

    document = app.openapi()
    validate(document)
    operation = document["paths"]["/both"]["get"]
    assert operation["security"] == [{"HTTPBasic": [], "Bearer": []}, {"HTTPBasic": [], "X-API-Key": []}]
    assert operation["responses"]["403"]["description"].startswith("Not yours. ")


def test_an_app_that_answers_in_its_own_form_has_no_bodies_told(keys: APIKeys) -> None:
    document = make(keys, on_error=lambda *_: None).openapi()
    validate(document)
    assert "content" not in document["paths"]["/me"]["get"]["responses"]["401"]
    assert "APIKeyProblem" not in document["components"]["schemas"]


def test_an_older_document_has_no_roles(keys: APIKeys) -> None:
    app = FastAPI()
    Guard(app, keys)
    app.openapi_version = "3.0.3"

    @app.get("/files")
    @requires("FILE_UPLOAD")
    async def files() -> None: ...

    document = app.openapi()
    validate(document)
    assert document["paths"]["/files"]["get"]["security"] == [{"Bearer": []}, {"X-API-Key": []}]
    assert document["paths"]["/files"]["get"]["x-permissions"] == {"all": ["FILE_UPLOAD"]}


async def test_an_apps_own_function_and_later_routes_are_told_of_too(keys: APIKeys) -> None:
    app = FastAPI()
    Guard(app, keys)
    app.openapi = lambda: get_openapi(title="Own", version="1", routes=app.routes)  # type: ignore[method-assign]
    assert "securitySchemes" not in app.openapi().get("components", {})

    @app.get("/later")
    async def later() -> None: ...

    async with client_of(app) as client:
        document = (await client.get("/openapi.json")).json()
    assert document["info"]["title"] == "Own"
    assert document["paths"]["/later"]["get"]["security"] == [{"Bearer": []}, {"X-API-Key": []}]


def test_it_is_made_once(keys: APIKeys) -> None:
    app = make(keys)
    first = app.openapi()
    assert app.openapi() is first

    @app.get("/more")
    async def more() -> None: ...

    assert "/more" in app.openapi()["paths"]


async def test_each_body_that_is_told_is_the_one_that_is_sent(keys: APIKeys, issuance: Issuance) -> None:
    app = make(keys)
    document = app.openapi()
    examples = document["components"]["examples"]
    known = document["components"]["schemas"]["APIKeyProblem"]["properties"]
    sent = {}
    async with client_of(app) as client:
        for secret in ("", "nonsense", issuance.deactivated.secret):
            answer = await client.get("/me", headers=bearer(secret) if secret else {})
            sent[answer.json()["code"]] = answer
        twice = {"authorization": f"Bearer {issuance.reader.secret}", "x-api-key": issuance.uploader.secret}
        answer = await client.get("/me", headers=twice)
        sent[answer.json()["code"]] = answer
        denied = await client.post("/scopes", headers=bearer(issuance.reader.secret))
    assert sent.keys() == {"key_missing", "key_invalid", "key_deactivated", "key_ambiguous"}
    responses = document["paths"]["/me"]["get"]["responses"]
    for code, answer in sent.items():
        assert answer.json() == examples[code]["value"]
        told = responses[str(answer.status_code)]
        assert code in told["content"]["application/problem+json"]["examples"]
        assert all(name.lower() in answer.headers for name in told["headers"])
        assert answer.json().keys() <= known.keys()
    responses = document["paths"]["/scopes"]["post"]["responses"]
    told = responses["403"]["content"]["application/problem+json"]["examples"]["permission_denied"]["value"]
    assert denied.json() == told


async def test_a_client_made_from_the_document_calls_and_is_told_why_not(
    keys: APIKeys, issuance: Issuance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make(keys)
    (tmp_path / "openapi.json").write_bytes(orjson.dumps(app.openapi()))
    make_client = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
    done = subprocess.run(  # noqa: ASYNC221 - nothing else is to be done meanwhile
        [*make_client, "--path", "openapi.json", "--output-path", "made_client"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("made_client")
    me = importlib.import_module("made_client.api.default.me_me_get")
    upload = importlib.import_module("made_client.api.default.by_scopes_scopes_post")
    models = importlib.import_module("made_client.models")
    within: dict[str, Any] = {"base_url": ORIGIN, "httpx_args": {"transport": httpx.ASGITransport(app)}}
    client = module.AuthenticatedClient(token=issuance.reader.secret, **within)
    assert (await me.asyncio_detailed(client=client)).parsed.additional_properties["id"] == issuance.reader.key.id
    refused = await upload.asyncio_detailed(client=client, body=models.Asset(name="a"))
    assert isinstance(refused.parsed, models.APIKeyProblem)
    assert (int(refused.status_code), refused.parsed.code) == (403, "permission_denied")
    assert refused.parsed.message == "The API key lacks a permission that this needs."
    assert refused.parsed.missing == ["FILE_UPLOAD"]
    client = module.AuthenticatedClient(token=issuance.uploader.secret, **within)
    assert (await upload.asyncio(client=client, body=models.Asset(name="a"))) == "done"
