"""The examples, tested as their users would: with `gatepost.testing`, in the test's own process, without a server."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.served import environment
from tests.examples.test_examples import ALL, Example

CONFTEST = """
import pytest

pytest_plugins = ["gatepost.testing"]


@pytest.fixture(scope="session")
def gatepost_keys():
    from {name} import keys

    return keys
"""

TESTS = """
import pytest
from starlette.testclient import TestClient

from {name} import app


@pytest.mark.parametrize(("method", "path", "given"), {asked!r})
def test_a_route(method, path, given, api_keys, key_headers):
    with TestClient(app) as client:
        def status(headers):
            return client.request(method, path, headers=headers, **given).status_code

        assert status({{}}) == 401
        assert status(key_headers()) == 403
        assert status(key_headers(*{permissions!r}, project="acme")) in (200, 201)
        assert status(api_keys.expired(*{permissions!r}).headers) == 401
"""


@pytest.mark.parametrize("example", ALL, ids=lambda example: example.name)
def test_an_example_is_tested_with_the_plugin(example: Example, tmp_path: Path) -> None:
    given = [(method, path, {"data": {}} if "content" in more else more) for method, path, more in example.asked]
    (tmp_path / "conftest.py").write_text(CONFTEST.format(name=example.name))
    (tmp_path / "test_it.py").write_text(
        TESTS.format(name=example.name, asked=given, permissions=example.permissions.split(","))
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "."]
    done = subprocess.run(command, cwd=tmp_path, env=environment({}), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert f"{len(given)} passed" in done.stdout
    assert not [*tmp_path.glob("gatepost.db*")], "the example's own database was not touched"
