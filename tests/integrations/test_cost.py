"""What FastAPI's ways to ask for a permission cost, and what they cost who does not use them: counted, not timed."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fastapi import Depends, FastAPI, Security

from gatepost import APIKeys, requires
from gatepost.integrations.fastapi import Guard
from tests.benchmarks.executed import bytecodes
from tests.frameworks.connection import bearer, http_scope


@pytest.mark.parametrize("kind", ["depends", "scopes"])
def test_a_dependency_costs_a_request_little_more_than_the_decorator(tmp_path: Path, kind: str) -> None:
    app, keys = FastAPI(), APIKeys(f"sqlite:///{tmp_path / 'keys.db'}")
    Guard(app, keys, docs=False)

    @app.get("/decorated")
    @requires("FILE_UPLOAD")
    async def decorated() -> str:
        return "done"

    @app.get("/depends", dependencies=[Depends(requires("FILE_UPLOAD"))])
    async def depends() -> str:
        return "done"

    @app.get("/scopes", dependencies=[Security(requires, scopes=["FILE_UPLOAD"])])
    async def scopes() -> str:
        return "done"

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        assert message.get("status", 200) == 200

    with asyncio.Runner() as runner:
        runner.run(keys.open())
        secret = runner.run(keys.create("a key", ["FILE_UPLOAD"])).secret

        def request(path: str) -> None:
            runner.run(app(http_scope(path, bearer(secret)), receive, send))

        paths = ("/decorated", f"/{kind}")
        for path in paths * 3:
            request(path)  # what is made once
        least = {path: min(bytecodes(lambda path=path: request(path)) for _ in range(9)) for path in paths}  # type: ignore[misc]
        runner.run(keys.close())
    assert least[f"/{kind}"] <= 1.3 * least["/decorated"], "the least: now and then the keys' own tasks run in between"


def test_nobody_pays_for_it_who_does_not_import_it() -> None:
    code = (
        "import sys, gatepost; print([name for name in sys.modules if 'integrations' in name or 'fastapi' in name])\n"
        "import gatepost.integrations; print([name for name in sys.modules if 'fastapi' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "[]"]
