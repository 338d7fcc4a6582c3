"""`gatepost demo`: the asset store behind the middleware, served on this machine, with keys to try it out."""

import asyncio
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from starlette.routing import Mount, Router

from gatepost import Admin, APIKeyMiddleware, APIKeys, Issued
from gatepost.cli.listening import Server, bound, url_of
from gatepost.demo import EXEMPT, LIFE, PROJECT, ROUTES, AssetStore, asset_store, demo_keys, fill

SETTINGS = "/settings/api-keys"
"""Where the page for managing keys is."""


@dataclass(frozen=True, slots=True)
class Line:
    """One command to try: what it shows, whose key it uses (`None` = no key), its arguments to curl, its status."""

    shows: str
    key: str | None
    arguments: str
    status: int


LINES = (
    Line("list the assets", "reader", "{url}/objects", 200),
    Line("fetch a text", "reader", "{url}/files/documents/welcome.txt", 200),
    Line("upload a file", "uploader", "-X PUT -d 'Hello!' {url}/files/inbox/hello.txt", 200),
    Line("a reader may not upload", "reader", "-X PUT -d 'Hello!' {url}/files/inbox/hello.txt", 403),
    Line(
        "rotate a picture",
        "everything",
        '-d \'{{"operations": [{{"rotate": 90}}]}}\' {url}/files/photos/sunset.jpg/edit',
        200,
    ),
    Line("tag it by its content", "everything", "-X POST {url}/files/photos/sunset.jpg/autotag", 200),
    Line("share it by a link", "everything", '-d \'{{"path": "photos/sunset.jpg"}}\' {url}/shares', 200),
    Line("a deactivated key", "deactivated", "{url}/objects", 401),
    Line("no key", None, "{url}/objects", 401),
)


def run(database: str | None, redis: str | None, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM. Files are under a temporary folder, which goes at the end.

    `database`: a URL; `None` = an SQLite file in that folder. `redis`: a URL, `None` = none. `port`: 0 = a free one.
    Raises `BadInputError` for a busy port, and what `APIKeys.open` raises.
    """
    listener = bound(host, port)
    with listener, tempfile.TemporaryDirectory(prefix="gatepost-demo-") as folder:
        asyncio.run(_serve(database or f"sqlite:///{folder}/keys.db", redis, Path(folder) / "store", listener))


async def _serve(database: str, redis: str | None, root: Path, listener: socket.socket) -> None:
    store = AssetStore(root)
    fill(store)
    keys = APIKeys(database, redis)
    await keys.create_schema()
    async with keys, demo_keys(keys) as issued:
        guarded = APIKeyMiddleware(asset_store(store), keys, exempt=EXEMPT, project=PROJECT)
        app = Router([Mount(SETTINGS, Admin(keys)), Mount("/", guarded)])
        await Server(app).run_on(listener, lambda: _introduce(url_of(listener), issued, root))


def _introduce(url: str, issued: Mapping[str, Issued], root: Path) -> None:
    """Print the address, the keys and the commands to try, each on one line that can be pasted."""
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"[bold]An asset store behind gatepost: {url}[/]  (files under {root})")
    guarded = len({route.permission for route in ROUTES if route.permission})
    console.print(f"{len(ROUTES)} routes, guarded by {guarded} permissions; {url}/ lists them all.")
    console.print(f"[bold]Manage its keys: {url}{SETTINGS}/[/]  (sign in with the key of everything)\n")
    hours = LIFE.total_seconds() / 3600
    console.print(f"[bold]Keys[/]  (removed at the end; should the demo be killed, they die within {hours:.0f} hours)")
    for name, each in issued.items():
        count = len(each.key.permissions)
        console.print(f"  {name:<12}{each.secret}  ({count} permissions)")
    console.print("\n[bold]Try[/]")
    for line in LINES:
        header = "" if line.key is None else f"-H 'Authorization: Bearer {issued[line.key].secret}' "
        console.print(f"  # {line.shows}: {line.status}", style="dim")
        console.print(f"  curl -i {header}{line.arguments.format(url=url)}", markup=False)
    console.print("\nStop with Ctrl-C.")
