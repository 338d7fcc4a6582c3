"""What traces and metrics tell of requests, with OpenTelemetry's own SDK and instrumentation."""
