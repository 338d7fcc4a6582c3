"""Letting every worker know of committed changes: those committed at the same time share a ring and a poll."""

from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING

from gatepost.base import Coalescer

if TYPE_CHECKING:
    from gatepost.database import Doorbell
    from gatepost.freshness import Freshness
    from gatepost.redis import RedisTier

_ROUND = b"round"
"""What is asked for: there is only one thing."""


class Announcements:
    """`doorbell`: the database's, rung where there is no `redis`. One round at a time: who comes meanwhile has the
    next, which begins after its change was committed."""

    def __init__(self, doorbell: "Doorbell", redis: "RedisTier | None", freshness: "Freshness") -> None:
        self._doorbell = doorbell
        self._redis = redis
        self._freshness = freshness
        self._rounds = Coalescer(self._round, size=1, at_once=1)

    async def announce(self, digests: Set[bytes]) -> None:
        """Let every worker know of a committed change of these secrets. This process has applied it when the call
        returns, and all that others had changed before."""
        if self._redis is not None:
            self._redis.drop(digests)
        await self._rounds.ask(_ROUND)

    async def close(self) -> None:
        """Wait for a round that is under way."""
        await self._rounds.close()

    async def _round(self, asked: Sequence[bytes]) -> Mapping[bytes, None]:
        await (self._doorbell if self._redis is None else self._redis).nudge()
        await self._freshness.catch_up()
        return dict.fromkeys(asked)
