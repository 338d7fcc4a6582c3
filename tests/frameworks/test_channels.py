"""Django Channels: `connect` of a consumer denies the handshake. In a process of its own: settings are made once."""

import subprocess
import sys
from pathlib import Path

CODE = """
import asyncio
import django
from django.conf import settings
settings.configure(SECRET_KEY="x", ROOT_URLCONF="__main__")
django.setup()
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from channels.routing import URLRouter
from django.urls import path
from gatepost import APIKeyMiddleware, APIKeys, requires

class Async(AsyncWebsocketConsumer):
    @requires("OBJECTS_LIST")
    async def connect(self):
        await self.accept()
        await self.send("in")

class Sync(WebsocketConsumer):
    @requires("OBJECTS_LIST")
    def connect(self):
        self.accept()
        self.send("in")

class Later(AsyncWebsocketConsumer):
    @requires("FILE_MOVE")
    async def receive(self, text_data):
        await self.send("never")

async def said(app, path, secret, *messages):
    got, told = asyncio.Queue(), []
    for message in ({"type": "websocket.connect"}, *messages):
        got.put_nowait(message)
    async def send(message):
        told.append(message["type"])
        if message["type"] in ("websocket.send", "websocket.close"):
            got.put_nowait({"type": "websocket.disconnect", "code": 1000})
    headers = [(b"x-api-key", secret.encode())]
    scope = {"type": "websocket", "path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"",
             "headers": headers, "client": ("127.0.0.1", 1), "server": ("localhost", 80), "subprotocols": [],
             "scheme": "ws", "http_version": "1.1", "asgi": {"version": "3.0"}}
    try:
        await app(scope, got.get, send)
    except Exception as error:
        told.append(type(error).__name__)
    return told

async def main():
    async with APIKeys("sqlite:///keys.db") as keys:
        routes = [path(each.__name__.lower(), each.as_asgi()) for each in (Async, Sync, Later)]
        app = APIKeyMiddleware(URLRouter(routes), keys)
        may, may_not = [(await keys.create("a key", names)).secret for names in (["OBJECTS_LIST"], [])]
        for place in ("/async", "/sync"):
            assert await said(app, place, may) == ["websocket.accept", "websocket.send"]
            assert await said(app, place, may_not) == ["websocket.close"], "denied, as Channels does, and no error"
        text = {"type": "websocket.receive", "text": "move it"}
        assert await said(app, "/later", may, text) == ["websocket.accept", "PermissionDeniedError"]

asyncio.run(main())
"""


def test_a_consumer_denies_the_handshake_of_a_key_without_the_permission(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", CODE], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
