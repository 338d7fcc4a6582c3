"""The page and an app that its keys open, under uvicorn, each with keys of its own over one database: what is changed
on the page is refused, or let in, by another worker."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from gatepost import Admin, APIKeyMiddleware, APIKeys, requires
from gatepost.admin.entry.entrance import SESSION_PURPOSE
from gatepost.admin.entry.session import Sessions
from gatepost.admin.page import make_page
from gatepost.base.models import Environment, Issued
from gatepost.rules.catalogue import DAM
from tests.deaf import deafen
from tests.patience import PATIENCE_SECONDS
from tests.servers.ports import free_port

MOUNT = "/settings/api-keys"
EVERYTHING = tuple(map(str, DAM))


@dataclass(frozen=True, slots=True)
class Served:
    """What is served. `keys`: the page's. `there`: the app's, as another worker has them."""

    origin: str
    mount: str
    keys: APIKeys
    there: APIKeys

    @property
    def url(self) -> str:
        """Of the page's root."""
        return f"{self.origin}{self.mount}/"

    async def boss(self, **options: Any) -> Issued:
        """A key that may do everything, everywhere."""
        return await self.keys.create("the boss", EVERYTHING, **options)

    def session(self, secret: str) -> str:
        """The cookie of somebody who has signed in with the secret just now."""
        keys = self.keys.derived_keys(SESSION_PURPOSE)
        return Sessions(1800.0).seal(keys, secret, time.time())

    async def ask(self, secret: str, path: str = "/files") -> int | str:
        """How the app answers a request with the secret: 200, or the code of its refusal."""
        async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as client:
            answer = await client.get(f"{self.origin}{path}", headers={"X-API-Key": secret})
        return 200 if answer.status_code == 200 else str(answer.json()["code"])


@asynccontextmanager
async def serving(
    database: str,
    *,
    mount: str = MOUNT,
    vault_keys: Any = None,
    foreign_secrets: bool = False,
    environment: Environment | None = None,
    max_grace: float = 30 * 86400.0,
    poll_there: float = 0.05,
    whole: bool = False,
    **options: Any,
) -> AsyncIterator[Served]:
    """Serve the page at `mount`, made with `options`, over a database with the tables. `poll_there`: seconds
    between two looks that the app's worker takes at the changes. `whole`: with the REST API below it."""
    here = APIKeys(
        database,
        vault_keys=vault_keys,
        foreign_secrets=foreign_secrets,
        environment=environment,
        max_grace=max_grace,
        poll_interval=0.05,
    )
    async with here as keys, APIKeys(database, poll_interval=poll_there) as there:
        deafen(there)
        await there.serve()
        app = Starlette(
            routes=[
                Mount(mount, (Admin if whole else make_page)(keys, **options)),
                Mount("/", _files(there)),
            ]
        )
        async with listening(app) as origin:
            yield Served(origin, mount, keys, there)


def _files(keys: APIKeys) -> APIKeyMiddleware:
    @requires("OBJECTS_LIST")
    async def show(request: Request) -> PlainTextResponse:
        return PlainTextResponse("files")

    async def anything(request: Request) -> PlainTextResponse:
        return PlainTextResponse("anything")

    return APIKeyMiddleware(Starlette(routes=[Route("/files", show), Route("/anything", anything)]), keys)


class _Server(uvicorn.Server):
    """Leaves the signals to pytest, and tells when it listens."""

    def __init__(self, app: Any) -> None:
        super().__init__(
            uvicorn.Config(
                app, lifespan="off", log_level="warning", access_log=False, timeout_keep_alive=PATIENCE_SECONDS
            )
        )
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def listening(app: Any) -> AsyncIterator[str]:
    listener = socket.create_server(("127.0.0.1", free_port()))
    server = _Server(app)
    running = asyncio.create_task(server.serve([listener]))
    try:
        await server.listens.wait()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        await running
        listener.close()
