"""The fixtures. All are sync, and need no event loop: they are for tests of any kind."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import pytest

from gatepost.asgi import Bearer, Header
from gatepost.base import BadInputError
from gatepost.keys import APIKeys

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from gatepost.testing.bench import Bench, Service
    from gatepost.testing.clock import Clock
    from gatepost.testing.keyring import Keyring

_BENCH = pytest.StashKey["Bench | None"]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture of a test: its databases are empty, unless keys are open still."""
    bench = item.config.stash.get(_BENCH, None)
    if bench is not None:
        bench.begin_test()


@pytest.fixture(scope="session")
def gatepost_keys() -> APIKeys | Sequence[APIKeys] | None:
    """To be replaced, in the topmost conftest.py: the `APIKeys` that the app under test was made with, or several, the
    first of which `api_keys` is about. `None`: the app is made with `api_keys.keys`."""
    return None


@pytest.fixture(scope="session")
def gatepost_source() -> Bearer | Header:
    """To be replaced where the app reads secrets from elsewhere: `Header("X-Filerobot-Key")`."""
    return Bearer()


@pytest.fixture(scope="session", autouse=True)
def gatepost_bench(
    request: pytest.FixtureRequest, gatepost_keys: APIKeys | Sequence[APIKeys] | None
) -> "Iterator[Bench]":
    """Puts the app's keys onto the tests' database before the first test, and back after the last: no test of the suite
    reaches the database that they name."""
    from gatepost.testing.bench import Bench  # noqa: PLC0415 - SQLAlchemy, only where tests run

    given = gatepost_keys if isinstance(gatepost_keys, Sequence) else [gatepost_keys or APIKeys()]
    if not given:
        raise BadInputError("gatepost_keys returned no APIKeys: return those of the app, or None")
    bench = Bench()
    try:
        for keys in given:
            bench.put(keys)
        request.config.stash[_BENCH] = bench
        yield bench
    finally:
        request.config.stash[_BENCH] = None
        bench.close()


@pytest.fixture
def api_keys(gatepost_bench: "Bench", gatepost_source: Bearer | Header) -> "Keyring":
    """Makes keys, and changes them: `api_keys.expired("FILE_UPLOAD").headers`."""
    from gatepost.testing.keyring import Keyring  # noqa: PLC0415 - only where it is asked for

    return Keyring(gatepost_bench.desks[0], gatepost_source)


@pytest.fixture
def key_headers(api_keys: "Keyring") -> Callable[..., Mapping[str, str]]:
    """The headers of a new key: `key_headers("FILE_UPLOAD", project="acme")`, as `Keyring.make`."""
    return lambda *permissions, **making: api_keys.make(*permissions, **making).headers


@pytest.fixture
def clock(gatepost_bench: "Bench") -> "Clock":
    """The time, which `clock.forward(seconds)` moves."""
    return gatepost_bench.clock


@pytest.fixture
def outage(gatepost_bench: "Bench") -> "Callable[[Service], AbstractContextManager[None]]":
    """`with outage("database"):`, or "redis": it fails, at once and always, until the end of the block."""
    return gatepost_bench.outage
