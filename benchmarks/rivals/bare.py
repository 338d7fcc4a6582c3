"""Each framework with no protection at all: what the others are measured against."""

from benchmarks.rivals.rival import Prepared, Rival, Secrets, Stores
from benchmarks.stock import invented


async def prepare(_stores: Stores) -> Prepared:
    """There are no keys, and nobody is refused; what is sent is as long as to the others."""
    anything = invented(1)
    return Prepared(secrets=Secrets(usable=anything, unknown=anything, invented=anything))


def bare(framework: str, module: str) -> Rival:
    """The framework's app alone."""
    return Rival(
        name="bare app",
        framework=framework,
        app=f"benchmarks.rivals.{module}:build",
        prepare=prepare,
        note="no protection: it lets everybody in",
    )


STARLETTE = bare("Starlette", "bare_starlette")
FASTAPI = bare("FastAPI", "bare_fastapi")
LITESTAR = bare("Litestar", "bare_litestar")
DJANGO = bare("Django REST framework", "bare_django")
