"""keyshield under FastAPI, built as its README and its example for scopes do."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Any

from aiocache import SimpleMemoryCache  # type: ignore[import-untyped]
from fastapi import Depends, FastAPI
from keyshield import ApiKeyService
from keyshield.api import create_depends_api_key
from keyshield.hasher.argon2 import Argon2ApiKeyHasher
from keyshield.repositories.sql import SqlAlchemyApiKeyRepository
from keyshield.services.cached import CachedApiKeyService
from keyshield.utils import key_id_factory, key_secret_factory
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from benchmarks.rivals.bare_fastapi import objects
from benchmarks.rivals.rival import ROUTE, Prepared, Rival, Stores, settings

SCOPE = "objects:list"
"""Its scopes are in lower case."""

HASHER = Argon2ApiKeyHasher(pepper="of the benchmarks")

NO_DELAY = {"min_delay": 0.0, "max_delay": 0.0}


async def prepare(stores: Stores, *, delay: bool, cached: bool) -> Prepared:
    """Make a key, one that is not active, and one that is deleted again."""
    engine = create_async_engine(stores.database)
    try:
        async with async_sessionmaker(engine).begin() as session:
            repository = SqlAlchemyApiKeyRepository(session)
            await repository.ensure_table(async_engine=engine)
            service = ApiKeyService(repo=repository, hasher=HASHER)
            _, usable = await service.create(name="usable", scopes=[SCOPE])
            _, off = await service.create(name="off", scopes=[SCOPE], is_active=False)
            deleted, unknown = await service.create(name="deleted", scopes=[SCOPE])
            await service.delete_by_id(deleted.id_)
    finally:
        await engine.dispose()
    invented = f"ak_v1-{key_id_factory()}-{key_secret_factory()}"
    secrets = {"usable": usable, "unknown": unknown, "invented": invented, "deactivated": off}
    return Prepared(secrets=secrets, settings={"database": stores.database, "delay": delay, "cached": cached})


def build() -> FastAPI:
    """The app. Without the delay it also makes its table at the start only, not in every request."""
    options = settings()
    engine = create_async_engine(options["database"])
    sessions = async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)
    arguments: dict[str, Any] = {"hasher": HASHER, **({} if options["delay"] else NO_DELAY)}
    if options["cached"]:
        arguments["cache"] = SimpleMemoryCache()
    make_service = CachedApiKeyService if options["cached"] else ApiKeyService

    async def open_session() -> AsyncIterator[AsyncSession]:
        async with sessions() as session, session.begin():
            yield session

    async def service(session: Annotated[AsyncSession, Depends(open_session)]) -> ApiKeyService:
        repository = SqlAlchemyApiKeyRepository(session)
        if options["delay"]:
            await repository.ensure_table(async_engine=engine)
        return make_service(repo=repository, **arguments)

    app = FastAPI()
    security = create_depends_api_key(service, required_scopes=[SCOPE])
    app.get(ROUTE, dependencies=[Depends(security)])(objects)
    return app


EVERY = (
    "PostgreSQL; every request writes the time of the key's last use, in a transaction that lasts as long as the "
    "request, so that those with the same key wait for each other"
)
CACHE = "a cache in the process spares Argon2; other workers believe it for 300 s after a revocation"
DELAY = "with a random delay of 0.1 to 0.3 s in every answer"
NO_DELAY_NOTE = "its delay set to 0, its table made once and not in every request"

KINDS = {"usable", "unknown", "invented", "deactivated"}

DOCUMENTED, NO_DELAYS, CACHED, CACHED_NO_DELAYS = (
    Rival(
        name,
        "FastAPI",
        f"{__name__}:build",
        partial(prepare, delay=delay, cached=cached),
        f"{note}; {CACHE if cached else 'Argon2 every time'}; {EVERY}",
        slow=frozenset(slow),
    )
    for name, delay, cached, slow, note in (
        ("keyshield", True, False, KINDS, f"as its README shows, {DELAY}"),
        ("keyshield, no delay", False, False, {"usable", "deactivated"}, NO_DELAY_NOTE),
        ("keyshield, cached", True, True, KINDS, f"as documented, {DELAY}"),
        ("keyshield, cached, no delay", False, True, {"deactivated"}, NO_DELAY_NOTE),
    )
)
