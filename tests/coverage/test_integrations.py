"""What coverage tells of apps whose keys came by a framework's own way, and that a request proves it."""

import logging
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Security
from litestar import Litestar, Router
from litestar import get as litestar_get
from prometheus_client import make_asgi_app

from gatepost import Admin, APIKey, APIKeys, requires
from gatepost.coverage import Coverage, coverage_of, needs_text, prove
from gatepost.integrations.fastapi import Guard, current_key
from gatepost.integrations.litestar import Guard as Plugin

keys = APIKeys("sqlite:///nothing-is-opened.db")
Key = Annotated[APIKey, Depends(current_key)]
Mover = Annotated[APIKey, Security(current_key, scopes=["FILE_MOVE"])]


def told(looked: Coverage) -> dict[str, tuple[str, str]]:
    """By path, what a caller needs, and the proof."""
    return {route.path: (needs_text(route, needs), looked.proofs[route]) for route, needs in looked.routes}


async def test_fastapis_guard_and_what_goes_by_scopes(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI(docs_url=None, redoc_url=None)
    Guard(app, keys, exempt=["/health"])

    async def nothing() -> None: ...

    async def mine(key: Key) -> None: ...

    async def moved(key: Mover) -> None: ...

    app.get("/dependency", dependencies=[Depends(requires("FILE_UPLOAD"))])(nothing)
    app.get("/scopes", dependencies=[Security(requires, scopes=["FILE_RENAME"])])(nothing)
    app.get("/moved")(moved)
    app.get("/mine")(mine)
    app.get("/health")(nothing)
    caplog.set_level(logging.INFO)
    looked = await prove(app, coverage_of(app))
    assert told(looked) == {
        "/openapi.json": ("nothing: exempt", "let in"),
        "/dependency": ("FILE_UPLOAD", "refused"),
        "/scopes": ("FILE_RENAME", "refused"),
        "/moved": ("FILE_MOVE", "refused"),
        "/mine": ("a key", "refused"),
        "/health": ("nothing: exempt", "let in"),
    }
    assert caplog.messages == [], "nobody was refused: no line in the log of refusals"


async def test_litestars_plugin_and_guards_on_any_layer() -> None:
    @litestar_get("/upload", guards=[requires("FILE_UPLOAD")])
    async def upload() -> str:
        return ""

    @litestar_get("/mine")
    async def mine() -> str:
        return ""

    @litestar_get("/deep")
    @requires("FILE_MOVE")
    async def deep() -> str:
        return ""

    router = Router("/in", route_handlers=[deep], guards=[requires("FILE_DELETE")])
    app: Any = Litestar([upload, mine, router], plugins=[Plugin(keys)], openapi_config=None)
    assert told(await prove(app, coverage_of(app))) == {
        "/upload": ("FILE_UPLOAD", "refused"),
        "/mine": ("a key", "refused"),
        "/in/deep": ("FILE_DELETE, FILE_MOVE", "refused"),
    }


def test_a_page_of_metrics_beside_fastapis_guard_is_told_as_what_it_is() -> None:
    app = FastAPI()
    app.mount("/metrics", make_asgi_app())
    app.mount("/settings/api-keys", Admin(keys))
    Guard(app, keys, exempt=[*Admin.paths("/settings/api-keys"), "/metrics", "/metrics/"])
    gaps = [gap for gap in coverage_of(app).gaps if gap.code != "exempt"]
    assert [(gap.code, gap.severity, gap.subject) for gap in gaps] == [("partly_exempt", "note", "APP /metrics/*")]
    assert "these are enough" in gaps[0].remedy
