"""An upload, in Litestar: a controller, a function that runs in a thread, a WebSocket.

pip install 'gatepost[serve]' litestar
uvicorn litestar_app:app
gatepost keys create "me" -p FILE_UPLOAD,OBJECTS_LIST --app litestar_app:app
"""

from typing import Any

from litestar import Controller, Litestar, WebSocket, get, post, websocket

from gatepost import APIKeyMiddleware, APIKeys, requires

names: list[str] = []


class Files(Controller):
    """Files, by name."""

    path = "/files"

    @get()
    @requires("OBJECTS_LIST")  # below Litestar's own decorator
    async def names(self) -> list[str]:
        """All that there are."""
        return names

    @post("/{name:str}", sync_to_thread=True)
    @requires("FILE_UPLOAD")
    def upload(self, name: str) -> str:
        """Add one."""
        names.append(name)
        return name


@websocket("/feed")
@requires("OBJECTS_LIST")
async def feed(socket: WebSocket[Any, Any, Any]) -> None:
    """The names as they are now. It is closed when the key dies."""
    await socket.accept()
    await socket.send_json(names)
    await socket.close()


keys = APIKeys.from_env()
site: Any = Litestar([Files, feed], openapi_config=None)
app = APIKeyMiddleware(site, keys)
