"""Round trips, counted: commands by Redis itself, SQL statements as SQLAlchemy sends them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis
from sqlalchemy import Engine, event

LOOKUPS = ("gatepost_secrets", "by_hand")
"""Tables that only lookups read while a benchmark runs."""


@dataclass
class RedisCommands:
    """How often a Redis was sent what, by its own count (`INFO commandstats`): not what this process believes."""

    client: Redis
    _before: Counter[str] = field(default_factory=Counter)

    async def begin(self) -> None:
        """Count from now on."""
        self._before = await self._read()

    async def count(self) -> Counter[str]:
        """Commands by name, in lower case, since `begin`; those that were not sent are left out, and `INFO` is."""
        counts = await self._read() - self._before
        del counts["info"]
        return counts

    async def _read(self) -> Counter[str]:
        stats: Mapping[str, Mapping[str, Any]] = await self.client.info("commandstats")
        return Counter({name.removeprefix("cmdstat_"): int(stat["calls"]) for name, stat in stats.items()})


@contextmanager
def counted_statements() -> Iterator[Counter[str]]:
    """Counts the SQL statements of every SQLAlchemy engine in this process: `lookups`, `leases` of quotas, and `other`
    (polls, say).

    `BEGIN` and `ROLLBACK`, which a driver sends by itself, are not among them.
    """
    counts: Counter[str] = Counter()

    def count(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        is_lease = "gatepost_quotas" in statement
        counts["leases" if is_lease else "lookups" if any(table in statement for table in LOOKUPS) else "other"] += 1

    event.listen(Engine, "before_cursor_execute", count)
    try:
        yield counts
    finally:
        event.remove(Engine, "before_cursor_execute", count)
