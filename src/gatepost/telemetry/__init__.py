"""Metrics and traces: `PrometheusMetrics`, `OpenTelemetryMetrics`, `Tracing`. Each is loaded where it is named, for its
library comes with an extra that not everybody has. Knows `asgi`, `keys` and `health`.
"""

from typing import TYPE_CHECKING, Any

from gatepost.base import MissingExtraError

if TYPE_CHECKING:
    from gatepost.telemetry.meter import OpenTelemetryMetrics as OpenTelemetryMetrics
    from gatepost.telemetry.prometheus import PrometheusMetrics as PrometheusMetrics
    from gatepost.telemetry.tracing import Tracing as Tracing
else:  # a checker finds wrong names by itself, unless it sees this
    _PLACES = {
        "OpenTelemetryMetrics": ("gatepost.telemetry.meter", "otel"),
        "PrometheusMetrics": ("gatepost.telemetry.prometheus", "prometheus"),
        "Tracing": ("gatepost.telemetry.tracing", "otel"),
    }

    def __getattr__(name: str) -> Any:
        """One of the three. Raises `MissingExtraError`."""
        if name not in _PLACES:
            raise AttributeError(f"module 'gatepost.telemetry' has no attribute {name!r}")
        from importlib import import_module  # noqa: PLC0415

        module, extra = _PLACES[name]
        try:
            return getattr(import_module(module), name)
        except ModuleNotFoundError as missing:
            if str(missing.name).partition(".")[0] == "gatepost":
                raise
            raise MissingExtraError(str(missing.name), extra) from missing
