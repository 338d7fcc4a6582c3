"""`Tracing`: spans where a request or a verb waits, and who was refused, in whichever span there is.

request ──> refused? ──> the span that is current tells of it; where nobody traces the request, a span of its own
        └─> lookup waits for Redis, for the database ──> a span each;  verb ──> its transaction, every worker
"""

from collections.abc import Mapping
from functools import partial
from http import HTTPMethod
from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider

from gatepost.asgi import Problem
from gatepost.base import Ended, Outcome, Wait
from gatepost.keys import APIKeys
from gatepost.telemetry.metrics import checked_keys, result_of

SYSTEMS = {"postgresql": "postgresql", "postgres": "postgresql", "mysql": "mysql", "mariadb": "mariadb"}
"""`db.system.name` by the beginning of a database's URL."""

SERVER_ERROR = 500
"""From here on a status is an error of the server's, as the conventions for HTTP have it."""

OTHER_METHOD, UNNAMED = "_OTHER", "HTTP"
"""What the conventions for HTTP have in place of a method that no RFC knows, and as the name of its span: callers may
write anything, and a backend keeps a series for each name."""


class Tracing:
    """Spans of these keys: `Tracing(keys)`, once, before or after the keys are opened. A memory hit makes none.

    `tracer_provider`: `None` = the global one. `addresses`: a refusal that has a span of its own also tells where the
    connection is from, as `client.address`. Raises `BadInputError` for anything but keys.

    None of them ever holds a secret, a query or a header. The id of the key that was refused is `gatepost.key.id`.
    """

    def __init__(
        self, keys: APIKeys, *, tracer_provider: TracerProvider | None = None, addresses: bool = False
    ) -> None:
        scheme = checked_keys(keys).database_url.partition(":")[0].partition("+")[0]
        self._tracer = trace.get_tracer("gatepost", tracer_provider=tracer_provider)
        self._addresses = addresses
        database = {"db.system.name": SYSTEMS.get(scheme, scheme)}
        redis = {"db.system.name": "redis"}
        self._spans: Mapping[Wait, tuple[str, SpanKind, Mapping[str, str]]] = {
            Wait.REDIS: ("MGET", SpanKind.CLIENT, redis | {"db.operation.name": "MGET", "gatepost.tier": "redis"}),
            Wait.DATABASE: (
                "SELECT gatepost_secrets",
                SpanKind.CLIENT,
                database
                | {
                    "db.operation.name": "SELECT",
                    "db.collection.name": "gatepost_secrets",
                    "db.query.summary": "SELECT gatepost_secrets",
                    "gatepost.tier": "database",
                },
            ),
            Wait.LIMITS: ("EVALSHA", SpanKind.CLIENT, redis | {"db.operation.name": "EVALSHA"}),
            Wait.QUOTA: (
                "UPDATE gatepost_quotas",
                SpanKind.CLIENT,
                database
                | {
                    "db.operation.name": "UPDATE",
                    "db.collection.name": "gatepost_quotas",
                    "db.query.summary": "UPDATE gatepost_quotas",
                },
            ),
            Wait.CHANGE: ("gatepost.change", SpanKind.CLIENT, database),
            Wait.PROPAGATION: ("gatepost.propagation", SpanKind.INTERNAL, {}),
        }
        keys.listen(self)

    def begin(self, wait: Wait) -> Ended | None:
        """A wait begins: a span within the one that is current. Of polls, which nobody waits for, there is none."""
        if wait not in self._spans:
            return None
        name, kind, attributes = self._spans[wait]
        return partial(_end, self._tracer.start_span(name, kind=kind, attributes=attributes))

    def refused(self, outcome: str, key_id: str | None, scope: Mapping[str, Any]) -> None:
        """The request of a scope is refused: told in the current span, or in one of its own, where nobody traces it."""
        told = {"gatepost.outcome": str(outcome)}
        if key_id is not None:
            told["gatepost.key.id"] = key_id
        current = trace.get_current_span()
        if current.is_recording():
            current.set_attributes(told)
        elif not current.get_span_context().is_valid:  # else it is traced, and not sampled
            self._tell_alone(Outcome(outcome), told, scope)

    def closing(self) -> None:
        """Spans are with their exporter."""

    def _tell_alone(self, outcome: Outcome, told: Mapping[str, str], scope: Mapping[str, Any]) -> None:
        """A span of a server's, since no instrumentation stands around this: it would have begun one."""
        method, status = scope.get("method", "GET"), Problem(outcome).status
        is_known = method in HTTPMethod.__members__
        attributes: dict[str, Any] = {
            **told,
            "http.request.method": method if is_known else OTHER_METHOD,
            "http.response.status_code": int(status),
            "url.path": scope.get("path", ""),
            "url.scheme": scope.get("scheme", "http"),
        }
        if not is_known:
            attributes["http.request.method_original"] = method
        client = scope.get("client")
        if self._addresses and client:
            attributes["client.address"] = client[0]
        parent = propagate.extract(scope, getter=_HEADERS)
        span = self._tracer.start_span(method if is_known else UNNAMED, parent, SpanKind.SERVER, attributes)
        if status >= SERVER_ERROR:
            span.set_attribute("error.type", str(int(status)))
            span.set_status(Status(StatusCode.ERROR))
        span.end()


def _end(span: Span, failure: BaseException | None) -> None:
    """How a wait has ended. What an exception says is left out: drivers' errors may quote what was asked."""
    result = result_of(failure)
    if result != "ok":
        span.set_attribute("error.type", type(failure).__qualname__)
    if result == "failed":
        span.set_status(Status(StatusCode.ERROR))
    span.end()


class _Headers(Getter[Mapping[str, Any]]):
    """The headers of a scope, for who looks for the trace that a request belongs to."""

    def get(self, carrier: Mapping[str, Any], key: str) -> list[str] | None:
        name = key.lower().encode("latin-1")
        found = [value.decode("latin-1") for each, value in carrier.get("headers", ()) if each.lower() == name]
        return found or None

    def keys(self, carrier: Mapping[str, Any]) -> list[str]:
        return [name.decode("latin-1") for name, _ in carrier.get("headers", ())]


_HEADERS = _Headers()
