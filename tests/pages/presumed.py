"""What pages take for granted: names that a reader has, and what stands there already."""

from collections.abc import Mapping

NAMES = """
import ast as _ast, asyncio, contextlib, hashlib, inspect as _inspect, os, sys
import httpx2
from datetime import UTC, datetime
from typing import Annotated
from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel
from starlette.middleware.cors import CORSMiddleware
from gatepost import *
from gatepost import APIKeyMiddleware, APIKeys, Bearer, Header, ImportedKey, Readiness, requires

class User(BaseModel):
    name: str

async def current_user() -> User:
    return User(name="ann")

async def old_store_check(secret):
    return None

async def old_store_mark(secret):
    pass

old_rows = [{"sha256": hashlib.sha256(b"old").hexdigest(), "name": "old", "tenant": None, "prefix": "old_"}]

async def _run(blocks):
    async with APIKeys("sqlite:///page.db") as keys:
        globals().update(app=FastAPI(), keys=keys)
        made = []
        for name, block in blocks:
            code = compile(block, name, "exec", flags=_ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            waits = eval(code, globals())
            if _inspect.iscoroutine(waits):
                await waits
            made.append(globals()["keys"])
            await made[-1].open()
        for each in made:
            await each.close()
        app = globals()["app"]
        print("routes", *sorted({route.path for route in getattr(app, "routes", ()) if hasattr(route, "path")}))

async def status(http, method, path, *permissions, secret=None, **given):
    secret = (await keys.create("a key", permissions)).secret if permissions else secret
    headers = {} if secret is None else {"X-API-Key": secret}
    return (await http.request(method, path, headers=headers, **given)).status_code

_ORIGIN = "http://localhost"

def client():
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=_ORIGIN)

async def socket(path, *permissions):
    # what a WebSocket is answered first, and told then
    secret = (await keys.create("a key", permissions)).secret
    got = asyncio.Queue()
    got.put_nowait({"type": "websocket.connect"})
    said = []
    async def send(message):
        said.append(message)
        if message["type"] in ("websocket.send", "websocket.close", "websocket.http.response.body"):
            got.put_nowait({"type": "websocket.disconnect", "code": 1000})
    scope = {"type": "websocket", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "ws", "path": path,
             "raw_path": path.encode(), "query_string": b"", "root_path": "", "subprotocols": [],
             "headers": [(b"host", b"localhost"), (b"x-api-key", secret.encode())],
             "client": ("127.0.0.1", 1), "server": ("localhost", 80), "extensions": {"websocket.http.response": {}}}
    await app(scope, got.get, send)
    return [message.get("status") or message["type"].rpartition(".")[2] for message in said][:2]
"""
"""Before every page: an app, keys that are open, and what the sentences around the blocks speak of."""

A_KEY = 'key_id = (await keys.create("a key", ["FILE_UPLOAD"])).key.id\n'

SIGNED = """
import base64
import standardwebhooks
old, new, siem = ("whsec_" + base64.b64encode(bytes([n]) * 32).decode() for n in range(3))
os.environ["SIEM_SECRET"] = siem
body, now = "{}", datetime.now(UTC)
signature = standardwebhooks.Webhook(siem).sign("msg_1", now, body)
stamp = str(int(now.timestamp()))
headers = {"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": signature}
"""

PRESUMED: Mapping[str, str] = {
    "docs/coming.md": 'os.environ |= {"KEYSHIELD_PEPPER": "pepper", "KEYSHIELD_DATABASE_URL": "sqlite+aiosqlite://"}\n',
    "docs/command.md": 'os.environ["GATEPOST_AUDIT_TOKEN"] = "a" * 64\n',
    "docs/freshness.md": f"{A_KEY}ids = [key_id]\n",
    "docs/leaks.md": 'os.environ |= dict.fromkeys(["GITHUB_TOKEN", "GITLAB_REVOCATION_TOKEN"], "a token" * 6)\n',
    "docs/limits.md": A_KEY,
    "docs/retention.md": "moment = datetime(2026, 1, 1, tzinfo=UTC)\n",
    "docs/usage.md": A_KEY,
    "docs/webhooks.md": SIGNED,
}
"""Of single pages."""

PROVED: Mapping[tuple[str, int], str] = {
    ("docs/django.md", 2): """
async with client() as http:
    assert await status(http, "DELETE", "/files/sunset.jpg", "OBJECTS_LIST") == 403
    assert await status(http, "DELETE", "/files/sunset.jpg", "FILE_DELETE") == 204
""",
    ("docs/django.md", 3): """
from django.urls import clear_url_caches
clear_url_caches()
async with client() as http:
    assert await status(http, "GET", "/container", "OBJECTS_LIST") == 403
    assert await status(http, "GET", "/container", "CONFIG_LIST") == 200
""",
    ("docs/django.md", 4): """
assert await socket("/feed", "OBJECTS_LIST") == ["accept", "send"]
assert await socket("/feed", "FILE_UPLOAD") == ["close"]
""",
    ("docs/django.md", 5): """
clear_url_caches()
async with client() as http:
    assert (await http.get("/ninja/docs")).status_code == 200
    document = (await http.get("/ninja/openapi.json")).json()
    assert document["paths"]["/ninja/files"]["post"]["x-permissions"] == {"all": ["FILE_UPLOAD"]}
    assert await status(http, "POST", "/ninja/files", "OBJECTS_LIST", json={"name": "a.jpg"}) == 403
    assert await status(http, "POST", "/ninja/files", "OBJECTS_LIST", json={"wrong": 1}) == 422
    assert await status(http, "POST", "/ninja/files", "FILE_UPLOAD", json={"name": "a.jpg"}) == 200
""",
    ("docs/django.md", 6): """
import sys
sys.modules["main"] = sys.modules["__main__"]
for name in ("INSTALLED_APPS", "REST_FRAMEWORK", "SPECTACULAR_SETTINGS"):  # which stand in settings.py
    setattr(settings, name, globals()[name])
""",
    ("docs/django.md", 7): """
clear_url_caches()
async with client() as http:
    document = (await http.get("/rest/schema")).json()
    assert document["paths"]["/rest/files"]["post"]["x-permissions"] == {"all": ["FILE_UPLOAD"]}
    assert document["paths"]["/rest/names"]["get"]["x-permissions"] == {"all": ["OBJECTS_LIST"]}
    assert await status(http, "POST", "/rest/files", "OBJECTS_LIST", content="{") == 403
    assert await status(http, "POST", "/rest/files", "FILE_UPLOAD", json={"name": "a.jpg"}) == 201
    assert await status(http, "GET", "/rest/names", "FILE_UPLOAD") == 403
    assert await status(http, "GET", "/rest/names", "OBJECTS_LIST") == 200
""",
    ("docs/quart.md", 1): """
async with client() as http:
    assert await status(http, "GET", "/admin/config", "OBJECTS_LIST") == 403
    assert await status(http, "GET", "/admin/config", "CONFIG_LIST") == 200
    assert await status(http, "PUT", "/admin/config", "CONFIG_LIST") == 403
    assert await status(http, "PUT", "/admin/config", "CONFIG_LIST", "CONFIG_CHANGE") == 200
assert await socket("/feed", "OBJECTS_LIST") == ["accept", "send"]
assert (await socket("/feed", "FILE_UPLOAD"))[0] == 403
""",
    ("docs/quart.md", 2): """
async with client() as http:
    document = (await http.get("/openapi.json")).json()
    assert document["paths"]["/files"]["post"]["x-permissions"] == {"all": ["FILE_UPLOAD"]}
    assert await status(http, "POST", "/files", "OBJECTS_LIST", json={"wrong": 1}) == 403
    assert await status(http, "POST", "/files", "FILE_UPLOAD", json={"name": "a.jpg"}) == 201
""",
    ("docs/starlette.md", 1): """
async with client() as http:
    assert await status(http, "GET", "/api/files/sunset.jpg", "FILE_UPLOAD") == 403
    assert await status(http, "GET", "/api/files/sunset.jpg", "OBJECTS_FETCH") == 200
    assert await status(http, "DELETE", "/api/files/sunset.jpg", "OBJECTS_FETCH") == 403
    assert await status(http, "DELETE", "/api/files/sunset.jpg", "FILE_DELETE") == 204
assert await socket("/api/feed", "OBJECTS_LIST") == ["accept", "send"]
assert (await socket("/api/feed", "FILE_UPLOAD"))[0] == 403
""",
    ("docs/starlette.md", 2): """
async with client() as http:
    document = (await http.get("/schema")).text
    assert "x-permissions" in document and "OBJECTS_LIST" in document
    assert await status(http, "GET", "/files", "FILE_UPLOAD") == 403
    assert await status(http, "GET", "/files", "OBJECTS_LIST") == 200
""",
}
"""What is to come of a page's block, by its number."""

TESTED_APP = """
from fastapi import FastAPI
from gatepost import APIKeyMiddleware, APIKeys, Header, requires

keys = APIKeys("sqlite:///never-made.db")
app = FastAPI(openapi_url=None)
app.add_middleware(APIKeyMiddleware, keys=keys, exempt=["/health"]{options})

@app.get("/health")
async def health() -> str:
    return "well"

@app.get("/me")
async def me() -> str:
    return "a key"

@app.get("/files")
@requires("OBJECTS_LIST")
async def files() -> list[str]:
    return []

@app.post("/files")
@requires("FILE_UPLOAD")
async def upload() -> str:
    return "uploaded"
"""
"""What the tests on pages test, where the page has no app of its own: main.py. `options`: of the middleware."""
