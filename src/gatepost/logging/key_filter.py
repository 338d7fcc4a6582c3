"""The key of the request that is being served, for each line that is logged meanwhile: its id and project, never a
secret. Lines cost a look at a context variable, requests nothing.
"""

import logging
from collections.abc import MutableMapping
from typing import Any

from gatepost.asgi import serving
from gatepost.base import APIKey


class KeyFilter(logging.Filter):
    """Puts `key_id` and `key_project` onto records, for formatters: `None` where no request with a key is being served.
    Add it to a handler, so that records of all loggers pass it: `handler.addFilter(KeyFilter())`. Lets every record
    through. What a record has under these names already stays: a line about a refusal tells whose key it was.

    Also in tasks that the request begins, and in threads that get its context (sync handlers, `asyncio.to_thread`);
    until the request is over.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true."""
        key = _key()
        if not hasattr(record, "key_id"):
            record.key_id = None if key is None else key.id
        if not hasattr(record, "key_project"):
            record.key_project = None if key is None else key.project
        return True


def add_key(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor for structlog: adds `key_id` and `key_project` to an event, where a request with a key is being
    served: `structlog.configure(processors=[gatepost.logging.add_key, ...])`. What the event has already stays."""
    key = _key()
    if key is not None:
        event.setdefault("key_id", key.id)
        event.setdefault("key_project", key.project)
    return event


def _key() -> APIKey | None:
    """The key of the request that is being served."""
    served = serving()
    return served[0].get("api_key") if served else None
