"""Each example, under a real server: who has no key is refused, who lacks the permission too, others are served."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from websockets.sync.client import connect

from tests.examples.served import EXAMPLES, ROOT, gatepost, serving


@dataclass(frozen=True)
class Example:
    """`permissions`: all that its routes ask. `asked`: method, path and arguments of requests that need one of them.
    `options`: of the key that may."""

    name: str
    permissions: str
    asked: Sequence[tuple[str, str, dict[str, Any]]]
    options: Sequence[str] = field(default=())

    @property
    def text(self) -> str:
        return (EXAMPLES / f"{self.name}.py").read_text()


ALL = [
    Example(
        "fastapi_app", "NOTES_READ,NOTES_WRITE", [("GET", "/notes", {}), ("POST", "/notes", {"json": {"text": "x"}})]
    ),
    Example("litestar_app", "FILE_UPLOAD,OBJECTS_LIST", [("GET", "/files", {}), ("POST", "/files/x", {})]),
    Example(
        "django_app",
        "FILE_UPLOAD,OBJECTS_LIST",
        [("GET", "/whoami", {}), ("GET", "/files", {}), ("POST", "/files", {"content": "x"})],
    ),
    Example("bare_asgi", "OBJECTS_LIST", [("GET", "/objects", {})]),
    Example(
        "multi_tenant",
        "OBJECTS_LIST,FILE_UPLOAD",
        [("GET", "/acme/files", {}), ("PUT", "/acme/files/x", {})],
        ["--project", "acme"],
    ),
]
NAMES = [*(each.name for each in ALL), "mcp_server"]


def key(example: str, folder: Path, *arguments: str) -> str:
    """The secret of a new key of an example's."""
    return gatepost("keys", "create", "a key", *arguments, "--app", f"{example}:app", "-q", folder=folder).strip()


@pytest.mark.parametrize("example", ALL, ids=lambda example: example.name)
def test_an_example_serves_who_may_and_nobody_else(example: Example, tmp_path: Path) -> None:
    told = re.search(rf'gatepost keys create ".+" (.+) --app {example.name}:app$', example.text, re.MULTILINE)
    assert told is not None, "it says how to make a key"
    assert told[1].split() == ["-p", example.permissions, *example.options]
    with serving(example.name, tmp_path) as url, httpx2.Client(base_url=url, timeout=120) as client:
        may = key(example.name, tmp_path, "-p", example.permissions, *example.options)
        may_not = key(example.name, tmp_path, *example.options)
        for method, path, given in example.asked:
            answers = [
                client.request(method, path, headers={} if secret is None else {"X-API-Key": secret}, **given)
                for secret in (None, may_not, may)
            ]
            assert [answer.status_code for answer in answers[:2]] == [401, 403], path
            assert answers[1].json()["code"] == "permission_denied"
            assert answers[2].status_code in {200, 201}, answers[2].text


@pytest.mark.parametrize("name", NAMES)
def test_coverage_finds_nothing_wrong_with_an_example(name: str, tmp_path: Path) -> None:
    told = orjson.loads(gatepost("coverage", f"{name}:app", "--json", "--no-keys", "--probe", folder=tmp_path))
    wrong = {gap["code"] for gap in told["gaps"] if gap["severity"] == "error"}
    assert wrong == set()
    assert {route["proof"] for route in told["routes"]} <= {"refused", "let in"}
    open_to_all = {route["path"] for route in told["routes"] if route["proof"] == "let in"}
    docs = {"/docs", "/docs/oauth2-redirect", "/openapi.json", "/redoc"} if name == "fastapi_app" else set()
    assert open_to_all <= {"/ready", "/settings/api-keys/*"} | docs


def test_a_tenants_key_is_refused_elsewhere_and_all_keys_of_a_tenant_share_its_limit(tmp_path: Path) -> None:
    with serving("multi_tenant", tmp_path) as url, httpx2.Client(base_url=url, timeout=120) as client:
        acme, operator = (
            {"X-API-Key": key("multi_tenant", tmp_path, "-p", "OBJECTS_LIST", *options)}
            for options in (["--project", "acme"], [])
        )
        assert client.get("/globex/files", headers=acme).json()["code"] == "project_denied"
        assert client.get("/globex/files", headers=operator).status_code == 200
        assert '"tenant"' in client.get("/acme/files", headers=acme).headers["ratelimit-policy"]


def test_the_page_and_readiness_of_the_first_example_are_there(tmp_path: Path) -> None:
    with serving("fastapi_app", tmp_path) as url:
        assert httpx2.get(f"{url}/ready", timeout=120).status_code == 200
        page = httpx2.get(f"{url}/settings/api-keys/", timeout=120, follow_redirects=True)
    assert "Sign in with a key" in page.text


def test_the_websocket_of_litestars_example_asks_too(tmp_path: Path) -> None:
    with serving("litestar_app", tmp_path) as url:
        headers = {"X-API-Key": key("litestar_app", tmp_path, "-p", "OBJECTS_LIST")}
        with connect(url.replace("http", "ws") + "/feed", additional_headers=headers) as socket:
            assert socket.recv() == "[]"


async def test_a_tool_is_refused_to_a_key_without_its_permission(tmp_path: Path) -> None:
    with serving("mcp_server", tmp_path) as url:
        secret = key("mcp_server", tmp_path, "-p", "OBJECTS_LIST")
        async with Client(StreamableHttpTransport(f"{url}/mcp", headers={"X-API-Key": secret})) as client:
            assert [tool.name for tool in await client.list_tools()] == ["list_files"]
            assert (await client.call_tool("list_files")).data == ["sunset.jpg"]
            with pytest.raises(Exception, match="The API key lacks a permission that this needs"):
                await client.call_tool("delete_file", {"name": "sunset.jpg"})
            assert (await client.call_tool("list_files")).data == ["sunset.jpg"]


def test_the_list_of_examples_has_each_of_them() -> None:
    listed = set(re.findall(r"\]\(([\w.]+)\)", (EXAMPLES / "README.md").read_text()))
    there = {each.name for each in EXAMPLES.iterdir() if each.suffix in {".py", ".yaml"}}
    assert listed == there
    assert there - {"compose.yaml"} == {f"{name}.py" for name in NAMES}
    assert (ROOT / "docs" / "deploying.md").exists()
