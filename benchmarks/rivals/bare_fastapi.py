"""FastAPI, and nothing that protects it."""

from fastapi import FastAPI

from benchmarks.rivals.bare_starlette import Guard
from benchmarks.rivals.rival import ANSWER, ROUTE


async def objects() -> list[str]:
    """The route."""
    return ANSWER


def guarded(guard: Guard) -> FastAPI:
    """The app, its handler behind a guard."""
    app = FastAPI()
    app.get(ROUTE)(guard(objects))
    return app


def build() -> FastAPI:
    """The app."""
    return guarded(lambda handler: handler)
