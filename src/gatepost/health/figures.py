"""`Figures`: what one process has counted and believes, for programs that draw it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from gatepost.base import Outcome
from gatepost.health.health import LookupCounts, MemoryStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is known without asking anybody: no key, no secret, no host.

    `began`: what differs each time that the keys are opened, and so each time that counts begin anew. `requests`: all
    of them, by what came of them; `None` = nobody counts (`usage=False`). `lookups`: those beyond the fastest path.
    `memory_hits`: requests that were let in on that path, as near as can be told afterwards; `None` likewise.
    `lease_ends_in`, `polled_ago`: seconds, by the lease and the last poll that succeeded; `None` where no secrets are
    judged yet. `applied_seq`: of the last change applied. `redis_up`, `database_up`: lookups ask it, and have not found
    that it lets them wait; the former is `None` without a Redis. `limits_fall_back`: Redis refused to count for limits
    the last time, or is not asked; `None` likewise.
    """

    began: object
    requests: Mapping[Outcome, int] | None
    lookups: LookupCounts
    memory_hits: int | None
    memory: MemoryStatus
    lease_ends_in: float | None
    polled_ago: float | None
    applied_seq: int
    redis_up: bool | None
    database_up: bool
    limits_fall_back: bool | None
