"""The asset store as a Starlette app: one table says for each route what it does and which permission guards it."""

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route

from gatepost import requires
from gatepost.asgi import On
from gatepost.demo import curation, sharing
from gatepost.demo.arguments import arguments, from_query, parameters
from gatepost.demo.errors import BadValueError, ConflictError, DeniedError, NotFoundError, StoreError, TooLargeError
from gatepost.demo.store import AssetStore, Content
from gatepost.demo.tree import basename, parent
from gatepost.demo.upload import Upload

JSON_MAX_BYTES = 64 * 1024
"""Largest JSON body that is read."""

EXEMPT = ("/", "/health", "/shared/*", "/airbox/*")
"""Paths that need no key, as `APIKeyMiddleware(exempt=…)` takes them: for people, probes and holders of links."""

IN_DIR = "dir:/{path}"
IN_TREE = (IN_DIR, "dir:/{path}/*")
IN_COLLECTION = "collection:{name}"
"""What routes touch: keys may be limited to directories, `dir:/campaigns/*`, and to collections."""

_STATUS: Mapping[type[Exception], HTTPStatus] = {
    BadValueError: HTTPStatus.BAD_REQUEST,
    NotFoundError: HTTPStatus.NOT_FOUND,
    ConflictError: HTTPStatus.CONFLICT,
    DeniedError: HTTPStatus.FORBIDDEN,
    TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ClientDisconnect: HTTPStatus.BAD_REQUEST,  # nobody is left to read it
}


def index(_store: AssetStore) -> Content:
    """Show this page: every route, with the permission that guards it."""
    rows = "".join(
        f"<tr><td>{route.method}<td><code>{html.escape(route.path)}</code><td>{route.permission or 'no key needed'}"
        f"<td>{html.escape(', '.join(route.parameters))}<td>{html.escape(route.sentence)}\n"
        for route in ROUTES
    )
    page = (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Asset store</title><h1>Asset store</h1>\n"
        "<p>Parameters go into the query of GET, DELETE and uploads, else into a JSON object in the body.\n"
        "<table><tr><th>Method<th>Path<th>Permission<th>Parameters<th>What it does\n" + rows + "</table></html>\n"
    )
    return Content(page.encode(), "text/html")


def health(_store: AssetStore) -> dict[str, str]:
    """Say that the app is up."""
    return {"status": "ok"}


@dataclass(frozen=True, slots=True)
class Operation:
    """One line of the table. `call` takes the store and then the route's parameters, path's included, by their names.

    `permission`: the one that guards it, `None` for a path in `EXEMPT`. `call` answers JSON, `Content`, or `None`; with
    `upload` an `Upload`, which the request's body then fills. `on`: what it touches, as `requires` takes it; `None` = a
    key that is limited to directories or collections is refused. `to`: what it touches as well, by its parameters.
    """

    method: str
    path: str
    permission: str | None
    call: Callable[..., object]
    upload: bool = False
    on: On | None = None
    to: Callable[..., Sequence[str]] | None = None

    @property
    def sentence(self) -> str:
        """What it does: the first sentence of its function's docstring."""
        return (self.call.__doc__ or "").partition("\n")[0].partition(". ")[0].rstrip(".") + "."

    @property
    def parameters(self) -> list[str]:
        """Names of the parameters that do not stand in the path."""
        return [each.name for each in parameters(self.call) if "{" + each.name not in self.path]


def _listed(connection: HTTPConnection) -> str:
    """The directory that is listed; with `deep=1` also all below it, which a name that stands for all of it is."""
    query = connection.query_params
    below = "/*" if query.get("deep") == "1" else ""
    return f"dir:/{query.get('directory', '')}{below}"


def _moved(path: str, directory: str) -> Sequence[str]:
    return [f"dir:/{directory}/{basename(path)}"]


def _renamed(path: str, name: str) -> Sequence[str]:
    return [f"dir:/{parent(path)}/{name}"]


def _tree_moved(path: str, directory: str) -> Sequence[str]:
    return [each + below for each in _moved(path, directory) for below in ("", "/*")]


def _tree_renamed(path: str, name: str) -> Sequence[str]:
    return [each + below for each in _renamed(path, name) for below in ("", "/*")]


def _collected(name: str, files: Sequence[str]) -> Sequence[str]:  # noqa: ARG001 - all parameters are handed over
    return [f"dir:/{path}" for path in files]


ROUTES = (
    Operation("GET", "/", None, index),
    Operation("GET", "/health", None, health),
    Operation("GET", "/objects", "OBJECTS_LIST", AssetStore.list_objects, on=_listed),
    Operation("GET", "/objects/{path:path}", "OBJECTS_FETCH", AssetStore.describe, on=IN_DIR),
    Operation("GET", "/files/{path:path}", "OBJECTS_FETCH", AssetStore.fetch, on=IN_DIR),
    Operation("PUT", "/files/{path:path}", "FILE_UPLOAD", AssetStore.start_upload, upload=True, on=IN_DIR),
    Operation("DELETE", "/files/{path:path}", "FILE_DELETE", AssetStore.delete_file, on=IN_DIR),
    Operation("POST", "/files/{path:path}/meta", "FILE_META_CREATE", AssetStore.create_file_meta, on=IN_DIR),
    Operation("PATCH", "/files/{path:path}/meta", "FILE_META_CHANGE", AssetStore.change_file_meta, on=IN_DIR),
    Operation("POST", "/files/{path:path}/rename", "FILE_RENAME", AssetStore.rename_file, on=IN_DIR, to=_renamed),
    Operation("POST", "/files/{path:path}/move", "FILE_MOVE", AssetStore.move_file, on=IN_DIR, to=_moved),
    Operation(
        "PATCH", "/files/{path:path}/visibility", "FILE_SET_VISIBILITY", AssetStore.set_file_visibility, on=IN_DIR
    ),
    Operation("PATCH", "/files/{path:path}/labels", "FILE_LABEL_CHANGE", curation.change_file_labels, on=IN_DIR),
    Operation("PATCH", "/files/{path:path}/product", "FILE_PRODUCT_CHANGE", AssetStore.change_product, on=IN_DIR),
    Operation("POST", "/files/{path:path}/edit", "FILE_IMAGE_EDITOR", AssetStore.edit_image, on=IN_DIR),
    Operation("POST", "/files/{path:path}/autotag", "FILE_PROCESS_AUTOTAGGING", AssetStore.autotag, on=IN_DIR),
    Operation("PUT", "/directories/{path:path}", "DIR_CREATE", AssetStore.create_directory, on=IN_DIR),
    Operation("DELETE", "/directories/{path:path}", "DIR_DELETE", AssetStore.delete_directory, on=IN_TREE),
    Operation("PATCH", "/directories/{path:path}/meta", "DIR_META_CHANGE", AssetStore.change_directory_meta, on=IN_DIR),
    Operation(
        "POST",
        "/directories/{path:path}/rename",
        "DIR_RENAME",
        AssetStore.rename_directory,
        on=IN_TREE,
        to=_tree_renamed,
    ),
    Operation(
        "POST", "/directories/{path:path}/move", "DIR_MOVE", AssetStore.move_directory, on=IN_TREE, to=_tree_moved
    ),
    Operation(
        "PATCH",
        "/directories/{path:path}/visibility",
        "DIR_SET_VISIBILITY",
        AssetStore.set_directory_visibility,
        on=IN_TREE,
    ),
    Operation("GET", "/directories/{path:path}/accesses", "ACCESS_READ", AssetStore.read_accesses, on=IN_TREE),
    Operation("PATCH", "/directories/{path:path}/accesses", "ACCESS_MANAGE", AssetStore.change_accesses, on=IN_TREE),
    Operation("GET", "/labels", "LABELS_LIST", curation.list_labels),
    Operation("PUT", "/labels/{name}", "LABEL_MANAGE", curation.set_label),
    Operation("DELETE", "/labels/{name}", "LABEL_MANAGE", curation.delete_label),
    Operation("GET", "/collections", "COLLECTIONS_LIST", curation.list_collections),
    Operation(
        "PUT", "/collections/{name}", "COLLECTIONS_MANAGE", curation.set_collection, on=IN_COLLECTION, to=_collected
    ),
    Operation("DELETE", "/collections/{name}", "COLLECTIONS_MANAGE", curation.delete_collection, on=IN_COLLECTION),
    Operation("POST", "/approvals", "OBJECTS_APPROVAL_MANAGE", curation.request_approval),
    Operation("GET", "/approvals", "OBJECTS_APPROVAL_MANAGE", curation.list_approvals),
    Operation("DELETE", "/approvals/{approval_id}", "OBJECTS_APPROVAL_MANAGE", curation.cancel_approval),
    Operation("POST", "/approvals/{approval_id}/votes", "OBJECTS_APPROVAL_VOTE", curation.vote),
    Operation("POST", "/shares", "OBJECTS_SHARE_MANAGE", sharing.create_share),
    Operation("GET", "/shares", "OBJECTS_SHARE_MANAGE", sharing.list_shares),
    Operation("DELETE", "/shares/{link_id}", "OBJECTS_SHARE_MANAGE", sharing.delete_share),
    Operation("GET", "/shared/{token}", None, sharing.open_share),
    Operation("GET", "/shared/{token}/{path:path}", None, sharing.open_share),
    Operation("POST", "/airboxes", "OBJECTS_AIRBOX_MANAGE", sharing.create_airbox),
    Operation("GET", "/airboxes", "OBJECTS_AIRBOX_MANAGE", sharing.list_airboxes),
    Operation("DELETE", "/airboxes/{link_id}", "OBJECTS_AIRBOX_MANAGE", sharing.delete_airbox),
    Operation("GET", "/airbox/{token}", None, sharing.open_airbox),
    Operation("PUT", "/airbox/{token}/{name}", None, sharing.start_drop, upload=True),
    Operation("GET", "/config", "CONFIG_LIST", AssetStore.read_config),
    Operation("PATCH", "/config", "CONFIG_CHANGE", AssetStore.change_config),
)
"""All routes, in the order that they are matched."""


def asset_store(store: AssetStore) -> Starlette:
    """The store as an app. Wrap it in `APIKeyMiddleware(app, keys, exempt=EXEMPT)`.

    Errors are `application/problem+json`: 400, 403, 404, 409 and 413 with a `detail` for people, and 403 from
    `requires`.
    """
    app = Starlette(
        routes=[Route(each.path, _endpoint(store, each), methods=[each.method]) for each in ROUTES],
        exception_handlers=dict.fromkeys((StoreError, HTTPException, ClientDisconnect), _problem),
    )
    app.router.redirect_slashes = False
    return app


def _endpoint(store: AssetStore, operation: Operation) -> Callable[[Request], Any]:
    """The operation as a Starlette endpoint. Nothing of the body is read before its permission is checked."""

    async def endpoint(request: Request) -> Response:
        if operation.upload or operation.method in {"GET", "DELETE"}:
            given = from_query(operation.call, request.query_params)
        else:
            given = await _json_object(request)
        if twice := given.keys() & request.path_params.keys():
            raise BadValueError(f"{', '.join(sorted(twice))} stands in the path already.")
        checked = arguments(operation.call, given | request.path_params)
        _check_reached(operation, request, checked)
        result = await run_in_threadpool(operation.call, store, **checked)
        return _response(await _filled(store, result, request) if isinstance(result, Upload) else result)

    return requires(operation.permission, on=operation.on)(endpoint) if operation.permission else endpoint


def _check_reached(operation: Operation, request: Request, given: Mapping[str, Any]) -> None:
    """Raise `DeniedError` where the caller's key does not reach what the parameters name."""
    if operation.to is None or operation.permission is None or (key := request.scope.get("api_key")) is None:
        return
    if not all(key.permits(operation.permission, on=each) for each in operation.to(**given)):
        raise DeniedError(f"The API key lacks {operation.permission} on where this leads.")


async def _json_object(request: Request) -> dict[str, object]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > JSON_MAX_BYTES:
            raise TooLargeError(f"A JSON body has at most {JSON_MAX_BYTES} bytes.")
    try:
        value = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise BadValueError(f"The body is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise BadValueError("The body must be a JSON object.")
    return value


async def _filled(store: AssetStore, upload: Upload, request: Request) -> object:
    """Stream the body into the upload, and put it into the tree."""
    with upload:
        async for chunk in request.stream():
            await run_in_threadpool(upload.write, chunk)
        return await run_in_threadpool(store.finish_upload, upload)


def _response(result: object) -> Response:
    if result is None:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    if isinstance(result, Content):  # may come from strangers: a browser shall not run scripts in it as this site's own
        guard = {"x-content-type-options": "nosniff", "content-security-policy": "sandbox"}
        return Response(result.data, media_type=result.type, headers=guard)
    return Response(orjson.dumps(result), media_type="application/json")


async def _problem(_request: Request, error: Exception) -> Response:
    """An error as a response of RFC 9457."""
    if isinstance(error, HTTPException):
        status, headers = HTTPStatus(error.status_code), error.headers
        detail = "There is no such route. GET / lists them all."
    else:
        status, headers = next(status for kind, status in _STATUS.items() if isinstance(error, kind)), None
        detail = str(error)
    body = orjson.dumps({"title": status.phrase, "status": status, "detail": detail, "message": detail})
    return Response(body, status, media_type="application/problem+json", headers=headers)
