"""What a trace tells of a URL that held a secret. OpenTelemetry's instrumentation stands around the app, so around
gatepost too: its span has recorded the URL before anybody takes the secret out."""

import sys
from typing import Any

URLS = ("http.url", "url.full", "http.target")
"""Attributes with a query, after `?`, in the conventions of before 1.21 and those of now."""

QUERY = "url.query"


def overwrite_query(query: bytes) -> None:
    """Have the span that is current tell that a request's query was this one. Nothing where OpenTelemetry is not
    loaded, and of spans that do not record, or do not tell what they have recorded."""
    trace: Any = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return
    span = trace.get_current_span()
    recorded = getattr(span, "attributes", None)
    if not recorded or not span.is_recording():
        return
    told = query.decode("latin-1")
    for name in URLS:
        url = recorded.get(name)
        if isinstance(url, str) and "?" in url:
            span.set_attribute(name, f"{url.partition('?')[0]}?{told}")
    if QUERY in recorded:
        span.set_attribute(QUERY, told)
