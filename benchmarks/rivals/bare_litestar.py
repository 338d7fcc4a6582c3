"""Litestar, and nothing that protects it."""

from litestar import Litestar, get

from benchmarks.rivals.bare_starlette import Guard
from benchmarks.rivals.rival import ANSWER, ROUTE


async def objects() -> list[str]:
    """The route."""
    return ANSWER


def guarded(guard: Guard) -> Litestar:
    """The app, its handler behind a guard."""
    return Litestar([get(ROUTE)(guard(objects))])


def build() -> Litestar:
    """The app."""
    return guarded(lambda handler: handler)
