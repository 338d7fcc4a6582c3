"""An app as its author writes it: permissions in each of FastAPI's ways, routers, an app within, WebSockets."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Security, WebSocket
from pydantic import BaseModel

from gatepost import APIKey, APIKeys, requires
from gatepost.integrations.fastapi import Guard, current_key, optional_key
from tests.frameworks.contract import ran


class Asset(BaseModel):
    name: str


def note() -> None:
    """A dependency with a side effect."""
    ran.append("dependency")


Noted = Annotated[None, Depends(note)]


def fill(router: APIRouter | FastAPI) -> None:
    @router.post("/decorated")
    @requires("FILE_UPLOAD")
    async def decorated(asset: Asset, _: Noted) -> str:
        return "done"

    @router.post("/depends", dependencies=[Depends(note), Depends(requires("FILE_UPLOAD"))])
    async def depends(asset: Asset) -> str:
        return "done"

    @router.post("/scopes", dependencies=[Depends(note), Security(requires, scopes=["FILE_UPLOAD"])])
    async def by_scopes(asset: Asset) -> str:
        return "done"

    @router.post("/key")
    async def with_key(
        asset: Asset, _: Noted, key: Annotated[APIKey, Security(current_key, scopes=["FILE_UPLOAD"])]
    ) -> str:
        return "done"

    @router.get("/me")
    async def me(key: Annotated[APIKey, Depends(current_key)]) -> dict[str, Any]:
        return {"id": key.id, "project": key.project}

    @router.get("/either")
    @requires("OBJECTS_FETCH", any_of=["OBJECTS_LIST", "COLLECTIONS_LIST"])
    async def either() -> str:
        return "done"

    @router.get("/perhaps")
    async def perhaps(key: Annotated[APIKey | None, Depends(optional_key)]) -> str | None:
        return None if key is None else key.id

    @router.post("/optional")
    async def optional(
        asset: Asset, _: Noted, key: Annotated[APIKey | None, Security(optional_key, scopes=["FILE_UPLOAD"])]
    ) -> str:
        return "done"

    @router.websocket("/socket")
    async def socket(
        websocket: WebSocket, key: Annotated[APIKey, Security(current_key, scopes=["FILE_UPLOAD"])]
    ) -> None:
        await websocket.accept()
        await websocket.send_text(key.id)
        await websocket.close()


def make(keys: APIKeys, **options: Any) -> FastAPI:
    """The routes on the app, on a router in a router, and on an app that is mounted."""
    app, router, deeper, within = FastAPI(), APIRouter(), APIRouter(), FastAPI()
    Guard(app, keys, **options)
    for each in (app, deeper, within):
        fill(each)
    router.include_router(deeper, prefix="/deeper")
    app.include_router(router, prefix="/router", dependencies=[Security(requires, scopes=["OBJECTS_LIST"])])
    app.mount("/within", within)
    return app
