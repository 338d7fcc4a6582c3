"""Logs kept quiet while a fault is brought about on purpose: each would tell of it, rightly, into the report."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

LOGGERS = ("gatepost", "asyncmy", "sqlalchemy", "asyncio")


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing below CRITICAL is logged."""
    before = {name: logging.getLogger(name).level for name in LOGGERS}
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
