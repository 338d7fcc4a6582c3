"""The OpenAPI document: complete, true, and where it is said to be."""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.fernet import Fernet

from gatepost import APIKeys, Bearer, Catalogue
from gatepost.admin.api import make_api
from gatepost.admin.api.entrance import HEADERS
from gatepost.admin.api.openapi import openapi_document
from gatepost.admin.api.operations import OPERATIONS
from gatepost.admin.api.problems import HTTP_CODES, LINES
from gatepost.base.actor import ActorKind
from gatepost.base.models import EVENT_KINDS
from tests.admin.api.site import ALL, Caller, Site, serving

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 600

CONFIG = """
[auth.openapi.Bearer]
bearer = "${SECRET}"

[checks.positive_data_acceptance]
expected-statuses = ["2xx", "304", "404", "409", "412"]

[[operations]]
include-path = "/keys/{id}/events"
checks.use_after_free.enabled = false  # the audit log outlives the key

[[operations]]
include-path = "/keys/{id}/made"
checks.use_after_free.enabled = false  # so does what it made
"""
for _path in ("/keys/{id}/temporary", "/templates/{id}/temporary", "/keys/{id}/rotate"):
    # what is switched off issues nothing, and a template has no secret to rotate: refused whatever the body is
    CONFIG += f"""
[[operations]]
include-path = "{_path}"
checks.positive_data_acceptance.expected-statuses = ["2xx", "403", "404", "409", "412"]
"""


def references(value: Any) -> Iterator[str]:
    """Every `$ref` in a document."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_route_is_documented_with_its_errors() -> None:
    document = openapi_document(APIKeys("sqlite://"), HEADERS)
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert described == {(each.method, each.path) for each in OPERATIONS}
    for each in OPERATIONS:
        operation = document["paths"][each.path][each.method.lower()]
        assert operation["summary"].endswith(".")
        for error in each.errors:
            status, code = LINES[error]
            assert f"`{code}`" in operation["responses"][str(int(status))]["description"]
        assert {"400", "401", "500", "503"} <= operation["responses"].keys()
    codes = set(document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"])
    assert {code for _, code in LINES.values()} | set(HTTP_CODES.values()) <= codes
    assert {"key_missing", "key_ambiguous", "failed"} <= codes
    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]


def test_the_kinds_that_the_log_is_filtered_by_are_those_that_there_are() -> None:
    parameters = openapi_document(APIKeys("sqlite://"), HEADERS)["paths"]["/events"]["get"]["parameters"]
    enums = {each["name"]: set(each["schema"].get("enum", ())) for each in parameters}
    assert enums["kind"] == set(EVENT_KINDS)
    assert enums["by_kind"] == set(ActorKind)


def test_the_document_tells_which_permissions_exist_and_where_secrets_stand() -> None:
    class Notes(Catalogue):
        NOTES_READ = "read notes"

    components = openapi_document(APIKeys("sqlite://", catalogue=Notes), HEADERS)["components"]
    assert components["schemas"]["PermissionName"]["enum"] == ["NOTES_READ"]
    assert components["securitySchemes"] == {
        "Bearer": {"type": "http", "scheme": "bearer"},
        "X-API-Key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }


async def test_both_places_serve_the_document_of_the_same_api(small_site: Site, small_boss: Caller) -> None:
    headers = {"X-API-Key": small_boss.secret}
    origin = str(small_site.http.base_url).rstrip("/")
    documents = [
        (await small_site.http.get(url, headers=headers)).json() for url in ("/openapi.json", "/api/openapi.json")
    ]
    assert documents[0] == documents[1]
    assert [each["url"] for each in documents[0]["servers"]] == [f"{origin}/api", "/api"]
    inside = (await small_site.http.get("/app/settings/api/openapi.json", headers=headers)).json()
    assert [each["url"] for each in inside["servers"]] == [f"{origin}/app/settings/api", "/app/settings/api"]
    for host in ("user@host", "host:port"):
        told = await small_site.http.get("/app/settings/api/openapi.json", headers=headers | {"Host": host})
        assert [each["url"] for each in told.json()["servers"]] == ["/app/settings/api"], host


def test_no_example_changes_what_a_request_does() -> None:
    document = openapi_document(APIKeys("sqlite://"), HEADERS)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for parameter in operation["parameters"]:
                examples = [parameter.get("example"), *parameter["schema"].get("examples", ())]
                assert not (parameter["name"] == "If-None-Match" and any(examples)), (method, path)


@pytest.mark.timeout(PATIENCE_SECONDS + 30)
async def test_schemathesis_finds_nothing(ready_sqlite_url: str, tmp_path: Path) -> None:
    """Every check of its, in every phase: examples, coverage, fuzzing, sequences of calls."""
    async with (
        APIKeys(ready_sqlite_url, vault_keys=[Fernet.generate_key()]) as keys,
        serving(make_api(keys, sources=(Bearer(),))) as origin,
        httpx2.AsyncClient(base_url=origin, timeout=PATIENCE_SECONDS) as http,
    ):
        issued = await keys.create("schemathesis", ALL)
        document = await http.get("/openapi.json", headers={"Authorization": f"Bearer {issued.secret}"})
        (tmp_path / "openapi.json").write_bytes(document.content)
        (tmp_path / "schemathesis.toml").write_text(CONFIG)
        run = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "schemathesis.cli", "run", "openapi.json", "--url", origin],
            *["--checks", "all", "--max-examples", "60", "--seed", "1", "--continue-on-failure"],
            cwd=tmp_path,
            env=os.environ
            | {
                "SECRET": issued.secret,
                "OWN_ID": issued.key.id,
                "SCHEMATHESIS_HOOKS": "tests.admin.api.schemathesis_hooks",
                "PYTHONPATH": str(ROOT),
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await asyncio.wait_for(run.communicate(), PATIENCE_SECONDS)
        finally:
            if run.returncode is None:
                run.kill()
        text = output.decode()
        assert run.returncode == 0, text
        assert "45 selected / 45 total" in text
        assert "Authentication failed" not in text
        assert (await keys.verify(issued.secret)).valid
        assert (await keys.events(limit=1)).items[0].seq > 100
