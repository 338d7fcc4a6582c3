"""Each server, started once."""

from collections.abc import Iterator

import pytest

from tests.asgi_servers.serving import COMMANDS, Serving, serving


@pytest.fixture(scope="package", params=sorted(COMMANDS))
def server(request: pytest.FixtureRequest) -> Iterator[Serving]:
    with serving(request.param) as serving_:
        yield serving_
