"""Many tenants in one app: the first segment of a path says whose it is, and a key of another tenant is refused.

    pip install 'gatepost[serve]'
    uvicorn multi_tenant:app
    gatepost keys create "acme's import" -p OBJECTS_LIST,FILE_UPLOAD --project acme --app multi_tenant:app

All keys of a tenant share 1,000 requests a minute, whatever each of them may do by itself. A key without a project is
the operator's, and good for every tenant.
"""

from collections.abc import MutableMapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gatepost import APIKeyMiddleware, APIKeys, Rate, requires

files: dict[str, list[str]] = {}


def tenant_of(scope: MutableMapping[str, Any]) -> str | None:
    """The project that a request belongs to: as the app routes it, so that the two cannot differ."""
    return scope["path"].split("/")[1] or None


@requires("OBJECTS_LIST")
async def listed(request: Request) -> Response:
    """The tenant's files."""
    return JSONResponse(files.get(request.path_params["tenant"], []))


@requires("FILE_UPLOAD")
async def upload(request: Request) -> Response:
    """Add one."""
    files.setdefault(request.path_params["tenant"], []).append(request.path_params["name"])
    return JSONResponse({}, 201)


keys = APIKeys.from_env()
site = Starlette(
    routes=[
        Route("/{tenant}/files", listed),
        Route("/{tenant}/files/{name}", upload, methods=["PUT"]),
    ]
)
app = APIKeyMiddleware(
    site,
    keys,
    project=tenant_of,
    limits={"project": [Rate(1000, per=60, name="tenant")]},
)
