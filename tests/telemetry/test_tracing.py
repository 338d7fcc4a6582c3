"""Spans where a request or a verb waits, and refusals in whichever span there is, however the two are stacked."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from benchmarks.in_process import scope_of
from fastapi import Depends, FastAPI
from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.semconv.attributes import (
    client_attributes,
    db_attributes,
    error_attributes,
    http_attributes,
    url_attributes,
)
from opentelemetry.trace import SpanKind, StatusCode
from starlette.types import ASGIApp, Message

from gatepost import APIKeyMiddleware, APIKeys, Query, Rate, requires
from gatepost.telemetry import Tracing
from tests.telemetry.traffic import app, ask, polled

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = (b"traceparent", f"00-{TRACE}-b7ad6b7169203331-01".encode())

KNOWN = {
    getattr(module, name)
    for module in (client_attributes, db_attributes, error_attributes, http_attributes, url_attributes)
    for name in dir(module)
    if name.isupper() and isinstance(getattr(module, name), str)
} | {"gatepost.outcome", "gatepost.key.id", "gatepost.tier"}
"""What the stable conventions have, and gatepost's own."""


class Traced:
    """Keys that are traced, and the spans that have ended."""

    def __init__(self, keys: APIKeys, provider: TracerProvider, **options: Any) -> None:
        self.keys, self.provider, self._ended = keys, provider, InMemorySpanExporter()
        provider.add_span_processor(SimpleSpanProcessor(self._ended))
        Tracing(keys, tracer_provider=provider, **options)

    def fastapi(self, order: str, **options: Any) -> ASGIApp:
        """A FastAPI app: the instrumentation around gatepost, or within it, or none."""
        made = FastAPI()

        @made.get("/open")
        async def _open() -> None: ...

        @made.get("/guarded")
        @requires("OBJECTS_FETCH")
        async def _guarded() -> None: ...

        @made.get("/needs", dependencies=[Depends(requires("OBJECTS_FETCH"))])
        def _needs() -> None: ...

        @made.get("/dear")
        @requires("OBJECTS_LIST", limit=Rate(1, per=3600, burst=1, name="dear"))
        async def _dear() -> None: ...

        if order == "around":
            made.add_middleware(APIKeyMiddleware, keys=self.keys, **options)
        if order != "none":
            FastAPIInstrumentor.instrument_app(made, tracer_provider=self.provider, exclude_spans=["receive", "send"])
        return made if order == "around" else APIKeyMiddleware(made, self.keys, **options)

    def spans(self) -> Sequence[ReadableSpan]:
        """Those that have ended since the last time."""
        ended = self._ended.get_finished_spans()
        self._ended.clear()
        return ended


@asynccontextmanager
async def traced(database: str, redis: str | None = None, **options: Any) -> AsyncIterator[Traced]:
    async with APIKeys(database, redis) as keys:
        await keys.serve()
        yield Traced(keys, TracerProvider(), **options)


def told(spans: Sequence[ReadableSpan]) -> Sequence[Mapping[str, Any]]:
    """The attributes of those that tell of an outcome."""
    return [span.attributes or {} for span in spans if "gatepost.outcome" in (span.attributes or {})]


async def test_a_lookup_has_a_span_for_each_tier_that_it_waits_for_and_a_memory_hit_has_none(
    ready_sqlite_url: str, redis_url: str
) -> None:
    async with traced(ready_sqlite_url, redis_url) as gate:
        secret = (await gate.keys.create("good")).secret
        protected = APIKeyMiddleware(app, gate.keys)
        gate.spans()
        with gate.provider.get_tracer("tests").start_as_current_span("request") as around:
            assert await ask(protected, secret) == 200
            first = gate.spans()
            assert await ask(protected, secret) == 200
            assert await ask(protected, "gp_nonsense") == 401
            await polled(gate.keys)
        last = gate.spans()
    assert [(span.name, span.kind) for span in first] == [
        ("MGET", SpanKind.CLIENT),
        ("SELECT gatepost_secrets", SpanKind.CLIENT),
    ]
    for span in first:
        assert span.parent == around.get_span_context()
        assert span.status.status_code is StatusCode.UNSET
    assert [dict(span.attributes or {})[db_attributes.DB_SYSTEM_NAME] for span in first] == ["redis", "sqlite"]
    assert [span.name for span in last] == ["request"]


async def test_a_verb_has_a_span_for_its_transaction_and_one_for_the_wait_for_every_worker(
    ready_postgres_url: str,
) -> None:
    async with traced(ready_postgres_url) as gate:
        key = (await gate.keys.create("good")).key
        gate.spans()
        with gate.provider.get_tracer("tests").start_as_current_span("verb") as around:
            await gate.keys.deactivate(key.id)
        spans = gate.spans()
    assert [span.name for span in spans] == ["gatepost.change", "gatepost.propagation", "verb"]
    assert all(span.parent == around.get_span_context() for span in spans[:2])
    assert dict(spans[0].attributes or {}) == {db_attributes.DB_SYSTEM_NAME: "postgresql"}


@pytest.mark.parametrize("order", ["around", "within", "none"])
async def test_a_refusal_is_in_the_trace_whichever_way_they_are_stacked(ready_sqlite_url: str, order: str) -> None:
    async with traced(ready_sqlite_url) as gate:
        good, off = await gate.keys.create("good", ["OBJECTS_LIST"]), await gate.keys.create("off")
        await gate.keys.deactivate(off.key.id)
        asked = gate.fastapi(order)
        assert await ask(asked, good.secret, "/open") == 200
        gate.spans()
        for secret, path, status, outcome, key_id in (
            (None, "/open", 401, "key_missing", None),
            (off.secret, "/open", 401, "key_deactivated", off.key.id),
            (good.secret, "/guarded", 403, "permission_denied", good.key.id),
            (good.secret, "/needs", 403, "permission_denied", good.key.id),
            (good.secret, "/dear", 200, None, None),
            (good.secret, "/dear", 429, "limit_exceeded", good.key.id),
        ):
            scope = {"headers": [TRACEPARENT]} if secret is None else {}
            assert await ask(asked, secret, path, **scope) == status
            spans = gate.spans()
            refusals = told(spans)
            if outcome is None:
                assert not refusals
                continue
            (refusal,) = refusals
            assert refusal["gatepost.outcome"] == outcome, path
            assert refusal.get("gatepost.key.id") == key_id
            span = next(span for span in spans if span.attributes == refusal)
            assert span.kind is SpanKind.SERVER
            assert refusal.get("http.response.status_code", refusal.get("http.status_code")) == status
            if secret is None:
                context = span.get_span_context()
                assert context is not None
                assert f"{context.trace_id:032x}" == TRACE  # the caller's
            assert good.secret not in repr([dict(each.attributes or {}) for each in spans])


async def test_a_span_of_its_own_has_what_the_conventions_say_and_no_address_or_query(ready_sqlite_url: str) -> None:
    more = {"client": ("203.0.113.9", 4711), "query_string": b"api_key=hidden"}
    async with traced(ready_sqlite_url) as gate:
        assert await ask(gate.fastapi("none", sources=[Query("api_key")]), None, "/open", **more) == 401
        (span,) = gate.spans()
        assert dict(span.attributes or {}) == {
            "gatepost.outcome": "key_invalid",
            http_attributes.HTTP_REQUEST_METHOD: "GET",
            http_attributes.HTTP_RESPONSE_STATUS_CODE: 401,
            url_attributes.URL_PATH: "/open",
            url_attributes.URL_SCHEME: "http",
        }
        assert await ask(gate.fastapi("none"), None, "/open", method="A9f3") == 401
        (span,) = gate.spans()
        assert span.name == "HTTP", "callers would make as many names as they like"
        assert {name: value for name, value in (span.attributes or {}).items() if "method" in name} == {
            http_attributes.HTTP_REQUEST_METHOD: "_OTHER",
            http_attributes.HTTP_REQUEST_METHOD_ORIGINAL: "A9f3",
        }
    async with traced(ready_sqlite_url, addresses=True) as gate:
        assert await ask(gate.fastapi("none"), None, "/open", **more) == 401
        assert (gate.spans()[0].attributes or {})[client_attributes.CLIENT_ADDRESS] == "203.0.113.9"


async def test_an_outage_is_an_error_of_the_servers_and_says_nothing_of_what_was_asked(ready_postgres_url: str) -> None:
    async with traced(ready_postgres_url) as gate:
        secret = (await gate.keys.create("good")).secret
        gate.spans()
        gate.keys._opened().database._timeout = 0.0  # every read is too late
        assert await ask(APIKeyMiddleware(app, gate.keys), secret) == 503
        spans = [span for span in gate.spans() if span.kind in {SpanKind.CLIENT, SpanKind.SERVER}]
    assert [(span.name, dict(span.attributes or {}).get("error.type")) for span in spans] == [
        ("SELECT gatepost_secrets", "UnavailableError"),
        ("GET", "503"),
    ]
    for span in spans:
        assert span.status.status_code is StatusCode.ERROR
        assert not span.events
        assert span.status.description is None


async def test_all_attributes_are_of_the_stable_conventions_or_gateposts_own(
    ready_sqlite_url: str, redis_url: str
) -> None:
    async with traced(ready_sqlite_url, redis_url, addresses=True) as gate:
        limited = await gate.keys.create("limited", limits=[Rate(1, per=3600, burst=1)])
        asked = gate.fastapi("none")
        assert [await ask(asked, limited.secret, "/open") for _ in range(2)] == [200, 429]
        await gate.keys.deactivate(limited.key.id)
        assert await ask(asked, limited.secret, "/open", client=("127.0.0.1", 1)) == 401
        spans = gate.spans()
    names = {name for span in spans for name in span.attributes or {}}
    assert names <= KNOWN, names - KNOWN
    assert {"EVALSHA", "MGET", "gatepost.change", "GET"} <= {span.name for span in spans}
    assert limited.secret not in repr([dict(each.attributes or {}) for each in spans])


async def test_a_websocket_that_is_refused_is_told_like_a_request(ready_sqlite_url: str) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async with traced(ready_sqlite_url) as gate:
        scope = scope_of("gp_nonsense", type="websocket", scheme="wss", subprotocols=[])
        del scope["method"]
        await gate.fastapi("none")(scope, receive, send)
        (span,) = gate.spans()
    assert sent == [{"type": "websocket.close", "code": 3000, "reason": "key_invalid"}]
    attributes = span.attributes or {}
    assert (attributes["gatepost.outcome"], attributes["url.scheme"]) == ("key_invalid", "wss")


async def test_a_request_that_is_not_sampled_gets_no_span_of_its_own(ready_sqlite_url: str) -> None:
    async with traced(ready_sqlite_url) as gate:
        unsampled = TracerProvider(sampler=ALWAYS_OFF).get_tracer("tests")
        with unsampled.start_as_current_span("request") as around:
            assert not around.is_recording()
            assert await ask(gate.fastapi("none"), None, "/open") == 401
        assert not gate.spans()
    assert trace.get_current_span() is trace.INVALID_SPAN
