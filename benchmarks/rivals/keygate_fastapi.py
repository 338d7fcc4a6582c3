"""fastapi-keygate's `AsyncKeyGate`, as its README shows it."""

from secrets import token_hex, token_urlsafe

from fastapi import Depends, FastAPI
from keygate import AsyncKeyGate

from benchmarks.rivals.bare_fastapi import objects
from benchmarks.rivals.rival import PERMISSION, ROUTE, Prepared, Rival, Stores, settings


async def prepare(stores: Stores) -> Prepared:
    """Make a key without its limit of 60 requests a minute, and one that is revoked. It deletes none."""
    gate = AsyncKeyGate(db_url=stores.database)
    try:
        usable = await gate.create_key("benchmark", per_minute=None, scopes=[PERMISSION])
        off = await gate.create_key("benchmark", per_minute=None, scopes=[PERMISSION])
        await gate.revoke(off.id)
    finally:
        await gate.aclose()
    unknown, invented = (f"kg_{token_hex(4)}_{token_urlsafe(32)}" for _ in range(2))
    secrets = {"usable": usable.key, "unknown": unknown, "invented": invented, "deactivated": off.key}
    return Prepared(secrets=secrets, settings={"database": stores.database})


def build() -> FastAPI:
    """The app."""
    app = FastAPI()
    gate = AsyncKeyGate(app, db_url=settings()["database"])
    app.get(ROUTE, dependencies=[Depends(gate.require_scopes(PERMISSION))])(objects)
    return app


RIVAL = Rival(
    "fastapi-keygate",
    "FastAPI",
    f"{__name__}:build",
    prepare,
    "PostgreSQL; a SELECT in every request, and a usage row written for each that knows its key (it has no way "
    "without); its rate limit is off. Revocation is seen at once",
)
