"""gatepost around each framework's app, with its defaults: PostgreSQL, Redis, and the process's memory."""

from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any

from starlette.types import ASGIApp

from benchmarks.rivals.rival import PERMISSION, Prepared, Rival, Secrets, Stores, settings
from benchmarks.stock import invented
from gatepost import APIKeyMiddleware, APIKeys, requires


async def prepare(stores: Stores, *, bare: str, check: bool = True, **options: Any) -> Prepared:
    """Make a key, one that is deactivated, and one that is deleted again. `bare`: the module of the app to wrap.

    `check`: whether its route checks a permission. `options`: of `APIKeys`.
    """
    keys = APIKeys(stores.database)
    await keys.create_schema()
    async with keys:
        usable, off, deleted = [await keys.create(name, [PERMISSION]) for name in ("usable", "off", "deleted")]
        await keys.deactivate(off.key.id)
        await keys.delete(deleted.key.id)
    secrets = Secrets(usable=usable.secret, unknown=deleted.secret, invented=invented(1), deactivated=off.secret)
    opened = {"database": stores.database, "redis": stores.redis, **options}
    return Prepared(secrets=secrets, settings={"bare": bare, "check": check, "keys": opened})


def build() -> ASGIApp:
    """The app."""
    options = settings()
    module = import_module(options["bare"])
    app: ASGIApp = module.guarded(requires(PERMISSION)) if options["check"] else module.build()
    return APIKeyMiddleware(app, APIKeys(**options["keys"]))


STARLETTE = Rival(
    name="gatepost",
    framework="Starlette",
    app="benchmarks.rivals.gatepost_app:build",
    prepare=partial(prepare, bare="benchmarks.rivals.bare_starlette"),
    needs=frozenset({"database", "redis"}),
)
NO_CHECK = replace(
    STARLETTE,
    name="gatepost, no permission check",
    prepare=partial(prepare, bare="benchmarks.rivals.bare_starlette", check=False),
    note="the middleware around the very app that is bare above: every usable key is let in",
)
REDIS_ONLY = replace(
    STARLETTE,
    name="gatepost, Redis only",
    prepare=partial(prepare, bare="benchmarks.rivals.bare_starlette", memory_entries=0),
    note="without memory in the process: Redis is asked every time",
)
FASTAPI = replace(STARLETTE, framework="FastAPI", prepare=partial(prepare, bare="benchmarks.rivals.bare_fastapi"))
LITESTAR = replace(STARLETTE, framework="Litestar", prepare=partial(prepare, bare="benchmarks.rivals.bare_litestar"))
DJANGO = replace(
    STARLETTE, framework="Django REST framework", prepare=partial(prepare, bare="benchmarks.rivals.bare_django")
)
