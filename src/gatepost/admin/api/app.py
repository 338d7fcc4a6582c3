"""The REST API as an ASGI app: routes, entrance, and the limits of a body."""

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from itertools import groupby
from typing import Any, TypeVar
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.admin.api.entrance import HEADERS, Entrance, digest_of_caller
from gatepost.admin.api.openapi import openapi_document
from gatepost.admin.api.operation import Operation
from gatepost.admin.api.operations import OPERATIONS
from gatepost.admin.api.problems import LINES, failure, problem
from gatepost.admin.api.shapes import JSON, Call, Nothing, Reply, from_headers, from_json, from_query
from gatepost.admin.entry import address_of
from gatepost.asgi import Source
from gatepost.base import Actor
from gatepost.intake import read_body
from gatepost.keys import APIKeys

V = TypeVar("V")

BODY_MAX_BYTES = 1024 * 1024
"""Largest body that is read: 10,000 ids have 150 kB."""

DOCUMENT_PATH = "/openapi.json"

_HOST = re.compile(r"([0-9A-Za-z._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")
"""A host and port that can be nothing else (RFC 3986, section 3.2.2, without percent codes)."""


def make_api(keys: APIKeys, *, sources: Sequence[Source] = HEADERS, realm: str = "api") -> ASGIApp:
    """The REST API over `keys`: `/keys`, `/events`, `/policies`, `/permissions`, `/whoami`, `/openapi.json`, to be
    mounted anywhere, inside a wrapped app or beside it.

    Whoever calls needs a usable key of these same `keys`, in a header: there is no way to mount it open. What the
    caller may do is up to the verbs. `sources`: `Bearer()` and `Header(name)` only. `realm`: for the challenge of a
    401. Raises `BadInputError` for options that cannot be used.
    """
    resources = [
        Route(path, _Resource(keys, list(operations)))
        for path, operations in groupby(OPERATIONS, lambda each: each.path)
    ]
    document = Route(DOCUMENT_PATH, _Document(openapi_document(keys, sources), ""))
    return _closed([*resources, document], keys, sources, realm)


def make_document(keys: APIKeys, *, api: str, sources: Sequence[Source] = HEADERS, realm: str = "api") -> ASGIApp:
    """The OpenAPI document alone, at `/openapi.json`, for the root of an app that has the API at the path `api` below
    it. It needs a usable key, and has the same options, as the API."""
    return _closed([Route(DOCUMENT_PATH, _Document(openapi_document(keys, sources), api))], keys, sources, realm)


def _closed(routes: Sequence[BaseRoute], keys: APIKeys, sources: Sequence[Source], realm: str) -> ASGIApp:
    """The routes, behind the entrance."""
    app = Starlette(
        routes=routes, exception_handlers={**dict.fromkeys([*LINES, HTTPException], _tell), Exception: _fail}
    )
    app.router.redirect_slashes = False
    return Entrance(app, keys, sources=sources, realm=realm)


class _Resource:
    """All operations of one path. HEAD is a GET without its body."""

    def __init__(self, keys: APIKeys, operations: Iterable[Operation[Any, Any, Any]]) -> None:
        self._keys = keys
        self._operations = {each.method: each for each in operations}
        if "GET" in self._operations:
            self._operations["HEAD"] = self._operations["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        reply = await self._reply(_allowed(self._operations, request), request)
        await reply(scope, receive, send)

    async def _reply(self, operation: Operation[Any, Any, Any], request: Request) -> Reply:
        caller = request.scope["api_key"]
        call: Call[Any, Any, Any] = Call(
            keys=self._keys,
            actor=Actor.of(caller, address_of(request), digest_of_caller()),
            caller_id=caller.id,
            key_id=request.path_params.get("id", ""),
            name=request.path_params.get("name", ""),
            root=_root(request.scope),
            query=from_query(request.scope["query_string"], operation.query),
            headers=from_headers(request.scope["headers"], operation.headers),
            body=from_json(await _body(request), operation.body) if operation.has_body else Nothing(),
        )
        return await operation.call(call)


class _Document:
    """The OpenAPI document, of an API at the path `api` below where this app is."""

    def __init__(self, document: Mapping[str, Any], api: str) -> None:
        self._document = document
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        _allowed({"GET": self, "HEAD": self}, Request(scope))
        reply = Reply({**self._document, "servers": _servers(scope, _root(scope) + self._api)})
        await reply(scope, receive, send)


def _servers(scope: Scope, path: str) -> Sequence[Mapping[str, str]]:
    """Where the API is, as the caller named the host: programs that import the document from a file have no other. Told
    to nobody else, since the document needs a key."""
    below = {"url": path or "/", "description": "Relative to where this document is."}
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
        return [below]
    return [
        {"url": f"{scope.get('scheme', 'http')}://{hosts[0]}{path}", "description": "As this caller reached it."},
        below,
    ]


def _root(scope: Scope) -> str:
    """The path that the app is mounted at, percent-encoded: a caller may have chosen a part of it."""
    return quote(scope.get("root_path", ""))


def _allowed(by_method: Mapping[str, V], request: Request) -> V:
    """What answers the request's method. Raises `HTTPException`, 405, where nothing does."""
    if request.method not in by_method:
        allow = ", ".join(sorted(by_method))
        detail = f"This path answers {allow}."
        raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, detail, {"Allow": allow})
    return by_method[request.method]


async def _body(request: Request) -> bytes:
    """The body. Raises `HTTPException`."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"The body must be JSON: send Content-Type: {JSON}.")
    return await read_body(request, BODY_MAX_BYTES)


async def _tell(_request: Request, error: Exception) -> Reply:
    return problem(error)


async def _fail(_request: Request, _error: Exception) -> Reply:
    """Starlette raises the error again once this is sent, so that the server logs it."""
    return failure()
