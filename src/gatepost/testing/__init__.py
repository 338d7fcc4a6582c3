"""For the tests of apps that gatepost guards: a plugin of pytest, with the real decisions on SQLite in memory.

    # conftest.py, the topmost
    pytest_plugins = ["gatepost.testing"]

    @pytest.fixture(scope="session")
    def gatepost_keys():
        from main import keys
        return keys

Loaded only by who names it so (docs/decisions/0065). PYTEST_DONT_REWRITE: nothing here asserts, and a conftest.py may
import it first.
"""

from typing import TYPE_CHECKING, Any

from gatepost.testing.plugin import api_keys as api_keys
from gatepost.testing.plugin import clock as clock
from gatepost.testing.plugin import gatepost_bench as gatepost_bench
from gatepost.testing.plugin import gatepost_keys as gatepost_keys
from gatepost.testing.plugin import gatepost_source as gatepost_source
from gatepost.testing.plugin import key_headers as key_headers
from gatepost.testing.plugin import outage as outage
from gatepost.testing.plugin import pytest_runtest_setup as pytest_runtest_setup

if TYPE_CHECKING:
    from gatepost.testing.clock import Clock as Clock
    from gatepost.testing.guarded import assert_guarded as assert_guarded
    from gatepost.testing.keyring import Keyring as Keyring
    from gatepost.testing.keyring import TestKey as TestKey
else:  # a checker finds wrong names by itself, unless it sees this

    def __getattr__(name: str) -> Any:
        """`Clock`, `Keyring`, `TestKey`: for annotations; `assert_guarded`: loaded by who uses it."""
        if name == "assert_guarded":
            from gatepost.testing.guarded import assert_guarded  # noqa: PLC0415

            return assert_guarded
        if name == "Clock":
            from gatepost.testing.clock import Clock  # noqa: PLC0415

            return Clock
        if name in ("Keyring", "TestKey"):
            from gatepost.testing import keyring  # noqa: PLC0415

            return getattr(keyring, name)
        raise AttributeError(f"module 'gatepost.testing' has no attribute {name!r}")
