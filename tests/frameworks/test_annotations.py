"""Handlers in a module whose annotations are texts, which frameworks look up in the handler's own module."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from litestar import Litestar, post
from litestar.params import FromQuery, JSONBody  # noqa: TC002 - looked up by Litestar
from pydantic import BaseModel

from gatepost import APIKeyMiddleware, APIKeys, requires
from tests.frameworks.conftest import Issuance  # noqa: TC001 - pytest and the frameworks look these up
from tests.frameworks.connection import bearer, client_of
from tests.frameworks.contract import assert_denied, ran


class OnlyKnownHere(BaseModel):
    """What no other module's globals have."""

    name: str


@requires("FILE_UPLOAD")
async def upload(data: OnlyKnownHere, after: int | None = None) -> dict[str, Any]:
    ran.append(data.name)
    return {"name": data.name, "after": after}


@requires("FILE_UPLOAD")
async def upload_to_litestar(data: JSONBody[OnlyKnownHere], after: FromQuery[int | None] = None) -> dict[str, Any]:
    return await upload(data, after)


async def assert_parsed_and_guarded(app: Any, keys: APIKeys, issuance: Issuance) -> None:
    async with client_of(APIKeyMiddleware(app, keys)) as client:
        body = {"name": "cat.png"}
        assert_denied(await client.post("/upload?after=3", json=body, headers=bearer(issuance.reader.secret)))
        response = await client.post("/upload?after=3", json=body, headers=bearer(issuance.uploader.secret))
        assert response.json() == {"name": "cat.png", "after": 3}


async def test_fastapi_understands_them(keys: APIKeys, issuance: Issuance) -> None:
    app = FastAPI()
    app.post("/upload")(upload)
    await assert_parsed_and_guarded(app, keys, issuance)


async def test_litestar_understands_them(keys: APIKeys, issuance: Issuance) -> None:
    await assert_parsed_and_guarded(Litestar([post("/upload", status_code=200)(upload_to_litestar)]), keys, issuance)
