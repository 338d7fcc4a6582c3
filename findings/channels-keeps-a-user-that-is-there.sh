#!/usr/bin/env bash
# channels 4.3.2, Django 5.2.19, starlette 1.10.0.
# Django Channels' `AuthMiddleware` puts its own user into `scope["user"]` only where there is none. Where something around
# it has set one (Starlette's `AuthenticationMiddleware` does), it writes Django's user into an attribute `_wrapped` of that
# object, and consumers go on seeing the other user: a session is looked up, and its user never arrives.
# Seen: "alone: AnonymousUser", "inside Starlette's: UnauthenticatedUser, with a _wrapped AnonymousUser".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install channels==4.3.2 django==5.2.19 starlette==1.10.0
cat >"$folder/seen.py" <<'PYTHON'
import asyncio

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="of a finding, and of nothing else",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "channels"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
)
django.setup()

from channels.auth import AuthMiddlewareStack
from starlette.authentication import AuthenticationBackend
from starlette.middleware.authentication import AuthenticationMiddleware

found = []


class Nobody(AuthenticationBackend):
    async def authenticate(self, conn):
        return None


async def consumer(scope, receive, send):
    user = scope["user"]
    inner = getattr(user, "_wrapped", None)
    if type(user).__name__ == "UnauthenticatedUser":
        found.append(f"UnauthenticatedUser, with a _wrapped {type(inner).__name__}")
    else:
        found.append(type(inner).__name__)


async def connect(app):
    async def receive():
        return {"type": "websocket.connect"}

    async def send(_message):
        pass

    await app({"type": "websocket", "path": "/", "query_string": b"", "headers": [], "subprotocols": []}, receive, send)


asyncio.run(connect(AuthMiddlewareStack(consumer)))
asyncio.run(connect(AuthenticationMiddleware(AuthMiddlewareStack(consumer), backend=Nobody())))
print("alone:", found[0])
print("inside Starlette's:", found[1])
assert found == ["AnonymousUser", "UnauthenticatedUser, with a _wrapped AnonymousUser"], found
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
