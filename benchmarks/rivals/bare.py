"""Each framework with no protection at all: what the others are measured against."""

from benchmarks.rivals.rival import Prepared, Rival, Stores
from benchmarks.stock import invented


async def prepare(_stores: Stores) -> Prepared:
    """There are no keys, and nobody is refused; what is sent is as long as to the others."""
    return Prepared(secrets=dict.fromkeys(("usable", "unknown", "invented"), invented(1)))


STARLETTE, FASTAPI, LITESTAR, DJANGO = (
    Rival("bare app", framework, f"benchmarks.rivals.{module}:build", prepare, "no protection: it lets everybody in")
    for framework, module in (
        ("Starlette", "bare_starlette"),
        ("FastAPI", "bare_fastapi"),
        ("Litestar", "bare_litestar"),
        ("Django REST framework", "bare_django"),
    )
)
