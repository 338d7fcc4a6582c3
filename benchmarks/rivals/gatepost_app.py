"""gatepost around each framework's app, with its defaults: PostgreSQL, Redis, and the process's memory."""

from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any

from starlette.types import ASGIApp

from benchmarks.rivals import bare
from benchmarks.rivals.rival import PERMISSION, Prepared, Rival, Stores, settings
from benchmarks.stock import invented
from gatepost import APIKeyMiddleware, APIKeys, requires


async def prepare(stores: Stores, *, module: str, check: bool = True, **options: Any) -> Prepared:
    """Make a key, one that is deactivated, and one that is deleted again. `module`: of the app to wrap.

    `check`: whether its route checks a permission. `options`: of `APIKeys`.
    """
    keys = APIKeys(stores.database)
    await keys.create_schema()
    async with keys:
        usable, off, deleted = [await keys.create(name, [PERMISSION]) for name in ("usable", "off", "deleted")]
        await keys.deactivate(off.key.id)
        await keys.delete(deleted.key.id)
    secrets = {"usable": usable.secret, "unknown": deleted.secret, "deactivated": off.secret, "invented": invented(1)}
    opened = {"database": stores.database, "redis": stores.redis or None, **options}
    return Prepared(secrets=secrets, settings={"module": module, "check": check, "keys": opened})


def build() -> ASGIApp:
    """The app."""
    options = settings()
    module = import_module(options["module"])
    app: ASGIApp = module.build(requires(PERMISSION)) if options["check"] else module.build()
    return APIKeyMiddleware(app, APIKeys(**options["keys"]))


def _around(unprotected: Rival, **options: Any) -> Rival:
    """gatepost around the app of a framework that has no protection."""
    prepared = partial(prepare, module=unprotected.app.removesuffix(":build"), **options)
    return Rival("gatepost", unprotected.framework, f"{__name__}:build", prepared)


STARLETTE, FASTAPI, LITESTAR, DJANGO = map(_around, (bare.STARLETTE, bare.FASTAPI, bare.LITESTAR, bare.DJANGO))
NO_CHECK = replace(
    _around(bare.STARLETTE, check=False),
    name="gatepost, no permission check",
    note="the middleware around the very app that is bare above: every usable key is let in",
)
REDIS_ONLY = replace(
    _around(bare.STARLETTE, memory_entries=0),
    name="gatepost, Redis only",
    note="without memory in the process: Redis is asked every time",
)
