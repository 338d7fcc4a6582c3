"""`Bucket`: where one limit of one holder is counted, and what a request asks of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from gatepost.base import Limit, Quota
from gatepost.limits.periods import Period

BUCKET_BYTES = 16
"""Of the hash by which Redis knows a bucket: nobody finds two names of one hash, and no name is told to Redis."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """`name`: what all workers and the database call it: who is limited, the limit's name, and the number of resets,
    between slashes. `digest`: what Redis calls it, 16 bytes."""

    name: str
    limit: Limit
    digest: bytes = field(init=False, repr=False, compare=False)

    is_quota: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_quota", isinstance(self.limit, Quota))
        object.__setattr__(self, "digest", blake2b(self.name.encode(), digest_size=BUCKET_BYTES).digest())


Asked = Sequence[tuple[Bucket, int]]
"""Buckets, and what a request costs in each: 0 = only look. Slots cost one, however much a request costs."""


@dataclass(slots=True)
class Lease:
    """Units of one bucket in one period, of a quota of `units`. `left`: here; `used`: of the whole, when the database
    was last asked. `used_up_until`: on the boot clock, while it is known that too little is left; `short_of`: how much
    was too much."""

    period: Period
    units: int
    left: int = 0
    used: int = 0
    used_up_until: float = 0.0
    short_of: int = 0


class LimitState(NamedTuple):
    """What is left of a limit. `left`: units; `None` = not known here. `wait`: seconds until as much as was asked for
    is there; 0 = it was. `whole`: seconds until all is there; `None` = nobody can tell, as with slots."""

    limit: Limit
    left: int | None
    wait: float
    whole: float | None


@dataclass(slots=True, eq=False)  # a frozen one takes three times as long to make, and one is made for each request
class Taken:
    """What taking from all buckets of a request gave. `let_in`: whether it was taken; if not, from none of them.
    `states`: of each limit, in the order asked; without those that could not be asked. `slot`, `held`: the name by
    which Redis holds its slots, and the buckets in which this process does. `rates`, `spent`: what was taken of rates,
    and of which leases. `shared`: whether Redis has counted it. `at`: when rates were taken, or it was heard that they
    were, in microseconds on the boot clock; `members`: among how many processes they were divided then."""

    let_in: bool
    states: Sequence[LimitState]
    slot: bytes | None = None
    held: Sequence[str] = ()
    rates: "Sequence[tuple[Bucket, int]]" = ()
    spent: "Sequence[tuple[Lease, int]]" = ()
    shared: bool = False
    at: int = 0
    members: int = 1

    @property
    def violated(self) -> Sequence[LimitState]:
        """The limits that stood in the way."""
        return () if self.let_in else [state for state in self.states if state.wait > 0]

    @property
    def retry_after(self) -> float:
        """Seconds until none of them does, if nobody else comes."""
        return max((state.wait for state in self.states), default=0.0)
