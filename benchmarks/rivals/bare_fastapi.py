"""FastAPI, and nothing that protects it."""

from fastapi import FastAPI

from benchmarks.rivals.rival import ANSWER, ROUTE, Guard, unguarded


async def objects() -> list[str]:
    """The route."""
    return ANSWER


def build(guard: Guard = unguarded) -> FastAPI:
    """The app, its handler behind a guard."""
    app = FastAPI()
    app.get(ROUTE)(guard(objects))
    return app
