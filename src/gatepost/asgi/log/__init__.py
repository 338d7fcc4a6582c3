"""What the log is told of requests that were refused. Of the others it knows `addresses` and `base`."""

from gatepost.asgi.log.refusal_log import RefusalLog as RefusalLog
