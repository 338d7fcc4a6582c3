"""A user's app, as it is deployed: its keys name servers that no test may reach."""

from fastapi import FastAPI, Request, WebSocket
from httpx2 import ASGITransport, AsyncClient
from starlette.types import ASGIApp

from gatepost import APIKeyMiddleware, APIKeys, requires

keys = APIKeys("postgresql://app:password@db.invalid/app", redis="redis://redis.invalid")
app = FastAPI()
app.add_middleware(
    APIKeyMiddleware, keys=keys, exempt=["/health"], project=lambda scope: scope["path"].split("/")[1] or None
)


@app.get("/health")
async def health() -> str:
    return "well"


@app.get("/{project}/files")
@requires("OBJECTS_LIST")
async def files(request: Request, project: str) -> list[str]:
    return [project]


@app.post("/{project}/files")
@requires("FILE_UPLOAD")
def upload(request: Request, project: str) -> str:
    return project


@app.websocket("/{project}/live")
@requires("OBJECTS_LIST")
async def live(websocket: WebSocket, project: str) -> None:
    await websocket.accept()
    await websocket.send_text(project)
    await websocket.close()


def client_of(app: ASGIApp) -> AsyncClient:
    """A client of an app, without a server."""
    origin = "http://test"
    return AsyncClient(transport=ASGITransport(app), base_url=origin)
