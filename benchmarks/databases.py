"""Empty databases for contestants, on a PostgreSQL that was started for them."""

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine


async def create_database(server: str, name: str) -> str:
    """Make it; its URL. `server`: SQLAlchemy's URL, of a superuser. `name`: a word in lower case, as SQL takes it."""
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            await connection.execute(text(f"CREATE DATABASE {name}"))
    finally:
        await engine.dispose()
    return make_url(server).set(database=name).render_as_string(hide_password=False)
