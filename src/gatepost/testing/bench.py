"""`Bench`: what the tests of a process share: databases, Redis, clock, outages, and whose keys are on them."""

import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, TypeVar, get_args

from gatepost.base import BadInputError, ConfigurationError, Limits, Quota
from gatepost.keys import APIKeys
from gatepost.keys.parts import Parts, Settings
from gatepost.limits import buckets_of, period_at
from gatepost.testing.clock import Clock
from gatepost.testing.memory import Memory, Template
from gatepost.testing.office import Office
from gatepost.testing.redis import FakeServer, moved_time
from gatepost.testing.stand_in import StandIn

logger = logging.getLogger("gatepost.testing")

T = TypeVar("T")

Service = Literal["database", "redis"]


OPEN = (
    "gatepost_keys: these keys are open, so they are in use on the database that they name: return them before "
    "anything serves them, and have clients begin the app's lifespan within tests or fixtures"
)


@dataclass
class Place:
    """What stands for the database of one URL. `office`: by whom tests make keys there; `behind`: seconds by which its
    clock is put back, to make what has expired already."""

    memory: Memory
    stand_ins: list[StandIn] = field(default_factory=list)
    behind: float = 0.0

    @property
    def is_in_use(self) -> bool:
        """Whether keys are open on it, in an event loop that is still there."""
        return any(each.is_open for each in self.stand_ins)


class Bench:
    """Puts keys onto databases of their tests, and begins each test anew where it can."""

    def __init__(self) -> None:
        self.clock = Clock()
        self._template = Template()
        self._places: dict[str, Place] = {}
        self._server: FakeServer | None = None
        self._broken: set[Service] = set()
        self.desks: list[Desk] = []
        """Where tests ask for changes of the keys that were put here, in the same order."""
        self._stack = ExitStack()
        self._stack.enter_context(moved_time(self.clock))
        self._stack.enter_context(_others_told())

    def put(self, keys: APIKeys) -> None:
        """Have keys be on a test's database until `close`: the same for all that name the same URL. Raises
        `BadInputError` for what is none, and `ConfigurationError` where they are open."""
        if not isinstance(keys, APIKeys):
            raise BadInputError(f"gatepost_keys must return an APIKeys, or a list of them, not {type(keys).__name__}")
        if keys.is_open:
            raise ConfigurationError(OPEN)
        url = keys.database_url
        place = self._places.get(url) or self._places.setdefault(url, Place(self._template.copy()))
        engine = place.memory.engine(self.clock.time, self._check_database)

        def stand_in(settings: Settings) -> Parts:
            parts = StandIn(settings, engine, self.clock.boot, self._redis)
            place.stand_ins.append(parts)
            return parts

        self._stack.enter_context(keys.with_parts(stand_in))
        desk = Desk(keys, place, self.clock)
        self._stack.callback(desk.close)
        self.desks.append(desk)

    def begin_test(self) -> None:
        """Empty databases and Redis, and the time as it is, unless keys are open still: a client of several tests goes
        on with what is there. Some microseconds where the test before had no keys."""
        for place in self._places.values():
            if not place.is_in_use:
                for each in place.stand_ins:
                    each.end_lease()
                place.memory.reset()
        if not any(place.is_in_use for place in self._places.values()):
            if self._server is not None:
                self._server.reset()
            self.clock.moved = 0.0

    @contextmanager
    def outage(self, service: Service) -> Iterator[None]:
        """Have the database or the Redis fail for a while, at once and with every statement. Raises
        `BadInputError`."""
        if service not in get_args(Service):
            raise BadInputError(f"outage: there is 'database' and 'redis', not {service!r:.50}", "service")
        if service in self._broken:
            raise BadInputError(f"outage: the {service} is down already")
        self._broken.add(service)
        self._switch_redis()
        try:
            yield
        finally:
            self._broken.discard(service)
            self._switch_redis()

    def close(self) -> None:
        """Put all keys back where they were."""
        self._stack.close()
        for place in self._places.values():
            place.memory.close()
        self._template.close()

    def _redis(self) -> FakeServer:
        if self._server is None:
            self._server = FakeServer()
            self._switch_redis()
        return self._server

    def _switch_redis(self) -> None:
        if self._server is not None:
            self._server.switch(on="redis" not in self._broken)

    def _check_database(self) -> None:
        if "database" in self._broken:
            raise sqlite3.OperationalError("an outage that the test has asked for")


@contextmanager
def _others_told() -> Iterator[None]:
    """Say in the log, which pytest shows of a test that fails, where keys are opened that are no test's."""
    kind: Any = Parts
    opening = kind.open

    async def open_and_tell(parts: Parts, asked: float) -> bool:
        if not isinstance(parts, StandIn):
            logger.warning(
                "Keys are opened on the database that they name, where the keys of tests are unknown: have the fixture "
                "gatepost_keys, in conftest.py, return these too"
            )
        opened: bool = await opening(parts, asked)
        return opened

    kind.open = open_and_tell
    try:
        yield
    finally:
        kind.open = opening


class Desk:
    """Where the test asks for changes of some keys: `keys`, on `place`."""

    def __init__(self, keys: APIKeys, place: Place, clock: Clock) -> None:
        self.keys = keys
        self.place = place
        self.clock = clock
        engine = place.memory.engine(lambda: clock.time() - place.behind, lambda: None)
        self.office = Office(keys, partial(StandIn, engine=engine, clock=clock.boot, server=FakeServer))

    def run(self, verb: Callable[[APIKeys], Awaitable[T]]) -> T:
        """As `Office.run`; returns when all keys on the database know of what was committed."""
        for each in self.place.stand_ins:
            each.settle()
        answer = self.office.run(verb)
        for each in self.place.stand_ins:
            each.hear()
        return answer

    def spend(self, key_id: str, quota: Quota) -> None:
        """Have a worker, which is none of the app's, lease all units of a key's quota."""
        bucket = buckets_of("key", key_id, Limits([quota]))[0]
        period = period_at(self.clock.time(), quota.per)
        self.run(
            lambda keys: keys._database.quotas.lease(  # noqa: SLF001 - as a worker's limiter does
                bucket.name, period, units=quota.units, wanted=quota.units, least=quota.units
            )
        )

    def close(self) -> None:
        """End what runs for it."""
        self.office.close()
