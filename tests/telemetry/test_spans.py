"""A secret in a URL is in no trace of the request, though the instrumentation has recorded the URL before."""

import re
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket
from opentelemetry.instrumentation import _semconv
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from starlette.types import Message, Scope

from gatepost import APIKeyMiddleware, APIKeys, Bearer, Header, Query, Subprotocol
from tests.frameworks.connection import client_of
from tests.readme import ROOT

URL = "page=2&%61pi_key={}&name=a%20b"
TOLD = "page=2&%61pi_key=REDACTED&name=a%20b"


class Traced:
    """A FastAPI app as its users instrument it, and the spans that end."""

    def __init__(self, keys: APIKeys, provider: TracerProvider, **options: Any) -> None:
        self.spans = InMemorySpanExporter()
        self.queries: list[bytes] = []
        provider.add_span_processor(SimpleSpanProcessor(self.spans))
        self.app = FastAPI()
        self.app.add_api_route("/things", self._things)
        self.app.add_api_websocket_route("/things", self._socket)
        self.app.add_middleware(APIKeyMiddleware, keys=keys, sources=(Query("api_key"),), **options)
        self.app.add_middleware(_Seen, queries=self.queries)
        FastAPIInstrumentor.instrument_app(self.app, tracer_provider=provider)

    async def _things(self) -> list[str]:
        return []

    async def _socket(self, socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    async def ask(self, secret: str, kind: str = "http") -> int:
        """The status of a request, or the first message's code of a WebSocket."""
        sent: list[Message] = []
        coming = [{"type": "websocket.connect"}] if kind == "websocket" else [{"type": "http.request", "body": b""}]

        async def receive() -> Message:
            return coming.pop(0) if coming else {"type": f"{kind}.disconnect", "code": 1000}

        async def send(message: Message) -> None:
            sent.append(message)

        scope: Scope = {
            "type": kind,
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http" if kind == "http" else "ws",
            "path": "/things",
            "raw_path": b"/things",
            "root_path": "",
            "query_string": URL.format(secret).encode(),
            "headers": [(b"host", b"things")],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "subprotocols": [],
        }
        await self.app(scope, receive, send)
        return int(sent[0].get("status", 101 if sent[0]["type"] == "websocket.accept" else 403))

    def recorded(self) -> list[Mapping[str, Any]]:
        """The attributes of each span."""
        return [dict(span.attributes or {}) for span in self.spans.get_finished_spans()]


class _Seen:
    """Keeps the query of each request as it stands when the app has answered."""

    def __init__(self, app: Any, queries: list[bytes]) -> None:
        self.app, self.queries = app, queries

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)
        self.queries.append(scope.get("query_string", b""))


@pytest.fixture
async def keys(ready_sqlite_url: str) -> AsyncIterator[APIKeys]:
    async with APIKeys(ready_sqlite_url) as opened:
        yield opened


@pytest.fixture(params=["", "http", "http/dup"], ids=["older conventions", "those of now", "both"])
def conventions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the variable chooses them, which is read once in a process."""
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", request.param)
    monkeypatch.setattr(_semconv._OpenTelemetrySemanticConventionStability, "_initialized", False)


@pytest.mark.usefixtures("conventions")
@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("strip", [True, False])
async def test_the_secret_is_in_no_attribute_and_the_rest_of_the_url_is(keys: APIKeys, kind: str, strip: bool) -> None:
    traced = Traced(keys, TracerProvider(), strip=strip)
    secret = (await keys.create("caller")).secret
    assert await traced.ask(secret, kind) == (200 if kind == "http" else 101)
    recorded = traced.recorded()
    urls = [value for each in recorded for value in each.values() if "page=2" in str(value)]
    assert urls
    assert all(url.endswith(TOLD) for url in urls), urls
    assert secret not in repr(recorded)


@pytest.mark.usefixtures("conventions")
async def test_nor_is_one_that_is_refused(keys: APIKeys) -> None:
    traced = Traced(keys, TracerProvider())
    issued = await keys.create("caller")
    await keys.deactivate(issued.key.id)
    for secret in (issued.secret, "gp_of_somebody_else"):
        assert await traced.ask(secret) == 401
        assert secret not in repr(traced.recorded())
    assert TOLD in repr(traced.recorded())


@pytest.mark.usefixtures("conventions")
async def test_nor_is_one_that_nobody_asked_for_and_the_app_sees_the_request_as_it_came(keys: APIKeys) -> None:
    traced = Traced(keys, TracerProvider(), exempt=["/things"])
    secret = (await keys.create("caller")).secret
    assert await traced.ask(secret) == 200
    assert secret not in repr(traced.recorded())
    assert TOLD in repr(traced.recorded())
    assert traced.queries == [URL.format(secret).encode()]


async def test_the_app_sees_what_it_would_without_a_trace(keys: APIKeys) -> None:
    traced = Traced(keys, TracerProvider())
    secret = (await keys.create("caller")).secret
    await traced.ask(secret)
    assert traced.queries == [b"page=2&name=a%20b"]


async def test_a_request_that_is_not_sampled_is_served(keys: APIKeys) -> None:
    traced = Traced(keys, TracerProvider(sampler=ALWAYS_OFF))
    assert await traced.ask((await keys.create("caller")).secret) == 200
    assert traced.recorded() == []


async def test_where_opentelemetry_is_not_loaded_nothing_is_asked(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced = Traced(keys, TracerProvider())
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    assert await traced.ask((await keys.create("caller")).secret) == 200


async def _nothing() -> None: ...


@pytest.mark.parametrize("name", ["authorization", "x-api-key", "sec-websocket-protocol"])
async def test_a_header_with_a_secret_is_recorded_unless_the_instrumentation_is_told_as_the_page_says(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Where the instrumentation stands around gatepost."""
    page = (ROOT / "docs" / "telemetry.md").read_text()
    (fields,) = re.findall(r"`OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS=(.+?)`", page)
    subprotocol = "`sec-websocket-protocol` for `Subprotocol`"
    assert subprotocol in page
    secret = (await keys.create("caller")).secret
    said = {
        "authorization": f"Bearer {secret}",
        "x-api-key": secret,
        "sec-websocket-protocol": f"gatepost.key.{secret}",
    }
    for sanitized in ("", f"{fields},sec-websocket-protocol"):
        monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST", ".*")
        monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS", sanitized)
        spans, provider = InMemorySpanExporter(), TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(spans))
        app = FastAPI()
        app.add_api_route("/", _nothing)
        app.add_middleware(APIKeyMiddleware, keys=keys, sources=(Bearer(), Header("X-API-Key"), Subprotocol()))
        FastAPIInstrumentor.instrument_app(app, tracer_provider=provider)
        async with client_of(app) as client:
            await client.get("/", headers={name: said[name]})
        told = str([dict(span.attributes or {}) for span in spans.get_finished_spans()])
        assert f"http.request.header.{name.replace('-', '_')}" in told
        assert (secret in told) is (not sanitized)


async def test_a_span_within_tells_of_an_exempt_path_what_came_as_the_page_says(keys: APIKeys) -> None:
    spans, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    app = FastAPI()
    for path in ("/open", "/closed"):
        app.add_api_route(path, _nothing)
    FastAPIInstrumentor.instrument_app(app, tracer_provider=provider)
    secret = (await keys.create("caller")).secret
    told: dict[str, bool] = {}
    async with client_of(APIKeyMiddleware(app, keys, sources=[Query("api_key")], exempt=["/open"])) as client:
        for path in ("/open", "/closed"):
            spans.clear()
            assert (await client.get(f"{path}?api_key={secret}")).status_code == 200
            told[path] = secret in str([dict(span.attributes or {}) for span in spans.get_finished_spans()])
    assert told == {"/open": True, "/closed": False}
