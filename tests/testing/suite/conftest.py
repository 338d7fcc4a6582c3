"""What a user writes, once."""

import pytest

from gatepost import APIKeys

pytest_plugins = ["gatepost.testing"]


@pytest.fixture(scope="session")
def gatepost_keys() -> APIKeys:
    from tests.testing.suite.main import keys  # noqa: PLC0415 - within a test, for the sake of coverage

    return keys
