"""Litestar, and nothing that protects it."""

from litestar import Litestar, get

from benchmarks.rivals.rival import ANSWER, ROUTE, Guard, unguarded


async def objects() -> list[str]:
    """The route."""
    return ANSWER


def build(guard: Guard = unguarded) -> Litestar:
    """The app, its handler behind a guard."""
    return Litestar([get(ROUTE)(guard(objects))])
