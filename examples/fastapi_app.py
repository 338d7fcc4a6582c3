"""Notes, in FastAPI: permissions of their own, told in /docs, the page where keys are managed, an endpoint for load
balancers.

    pip install 'gatepost[serve]' fastapi
    uvicorn fastapi_app:app
    gatepost keys create "me" -p NOTES_READ,NOTES_WRITE --app fastapi_app:app

Where the keys are, the environment says (GATEPOST_DATABASE, GATEPOST_REDIS, ...); left alone, in gatepost.db.
"""

from typing import Annotated

from fastapi import Body, Depends, FastAPI
from starlette.routing import Route

from gatepost import Admin, APIKey, APIKeys, Catalogue, Readiness, requires
from gatepost.integrations.fastapi import Guard, current_key


class Notes(Catalogue):
    """What keys may do here."""

    NOTES_READ = "read notes"
    NOTES_WRITE = "write notes"
    ACCESS_READ = "view API keys"
    ACCESS_MANAGE = "manage API keys"


SETTINGS = "/settings/api-keys"

keys = APIKeys.from_env(catalogue=Notes)
app = FastAPI(title="Notes")
Guard(app, keys, exempt=["/ready", *Admin.paths(SETTINGS)])
app.mount(SETTINGS, Admin(keys))
app.router.routes.append(Route("/ready", Readiness(keys)))

notes: list[str] = []


@app.get("/notes")
@requires("NOTES_READ")
async def read() -> list[str]:
    """All notes."""
    return notes


@app.post("/notes", status_code=201)
@requires("NOTES_WRITE")
async def write(text: Annotated[str, Body(embed=True)], key: Annotated[APIKey, Depends(current_key)]) -> dict[str, str]:
    """Add a note, signed with the key that wrote it."""
    notes.append(text)
    return {"by": key.description}
