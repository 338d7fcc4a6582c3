"""The OpenAPI 3.1 document, made from the routes' table, the structs and the table of problems: it cannot drift."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from inspect import getdoc
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.json import schema_components

from gatepost.admin.api.operation import Operation
from gatepost.admin.api.operations import OPERATIONS
from gatepost.admin.api.policies import PolicyChanges
from gatepost.admin.api.problems import FAILED, HTTP_CODES, LINES, Line
from gatepost.admin.api.roles import RoleChanges
from gatepost.admin.api.shapes import JSON, PROBLEM_JSON, KeyChanges, KeyId, KeySelection, RoleName, Rotation
from gatepost.admin.api.templates import TemplateChanges
from gatepost.asgi import Bearer, Header, Source
from gatepost.asgi import Problem as Refusal
from gatepost.base import BadInputError, Outcome, UnavailableError
from gatepost.keys import APIKeys

Json = dict[str, Any]

_REF = "#/components/schemas/{name}"

_REFUSALS = [
    Line(HTTPStatus(Refusal(outcome).status), outcome.value)
    for outcome in Outcome
    if outcome not in {Outcome.VALID, Outcome.PERMISSION_DENIED, Outcome.PROJECT_DENIED}
]
"""What the entrance answers."""

_ALWAYS = [*_REFUSALS, LINES[BadInputError], LINES[UnavailableError], FAILED]
"""What every operation may be refused with."""

_WITH_BODY = [
    Line(status, HTTP_CODES[status])
    for status in (
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    )
]
"""What every operation that takes a body may be refused with too."""

_CODES = sorted({line.code for line in [*_REFUSALS, *LINES.values(), FAILED]} | set(HTTP_CODES.values()))

_HEADERS: Mapping[str, Json] = {
    "ETag": {"description": "The key's version: for `If-Match`.", "schema": {"type": "string"}},
    "Location": {"description": "Where the new key is.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}},
    "WWW-Authenticate": {"description": "The challenge (RFC 6750).", "schema": {"type": "string"}},
}

_TOLD: Mapping[HTTPStatus, Sequence[str]] = {
    HTTPStatus.UNAUTHORIZED: ["WWW-Authenticate"],
    HTTPStatus.SERVICE_UNAVAILABLE: ["Retry-After"],
}
"""Headers of problems, by their status."""

_SUCCESS: Mapping[HTTPStatus, str] = {
    HTTPStatus.OK: "Done.",
    HTTPStatus.CREATED: "Made.",
    HTTPStatus.ACCEPTED: "Committed, but not every worker acts on it yet: `propagation` tells by when it does.",
    HTTPStatus.NOT_MODIFIED: "The caller has it as it is.",
}


class Problem(Struct):
    """An error (RFC 9457). `code`: for programs, stable. `detail`: for people, and `message`, the same text once more.
    `field`: the member, query parameter or header that is wrong. `required`, `missing`: permissions. `policy`, `term`:
    what refuses it."""

    title: str
    status: int
    detail: str
    message: str
    code: Annotated[str, Meta(extra_json_schema={"enum": _CODES})]
    field: str | UnsetType = UNSET
    required: Sequence[str] | UnsetType = UNSET
    missing: Sequence[str] | UnsetType = UNSET
    policy: str | UnsetType = UNSET
    term: str | UnsetType = UNSET


def openapi_document(keys: APIKeys, sources: Sequence[Source]) -> Json:
    """The document, without `servers`. `sources`: the headers in which a secret may stand."""
    schemes = dict(_scheme(source) for source in sources)
    paths: defaultdict[str, Json] = defaultdict(dict)
    for operation in OPERATIONS:
        paths[operation.path][operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Gatepost",
            "version": version("gatepost"),
            "description": "Manages API keys. A caller may do what its own key may: look with `ACCESS_READ`, change "
            "with `ACCESS_MANAGE`, in its own project, and grant what it holds itself.",
        },
        "security": [{name: []} for name in schemes],
        "paths": paths,
        "components": {"schemas": _schemas(keys), "securitySchemes": schemes},
    }


def _scheme(source: Source) -> tuple[str, Json]:
    """A security scheme, with its name."""
    if isinstance(source, Header):
        return source.name, {"type": "apiKey", "in": "header", "name": source.name}
    return Bearer.__name__, {"type": "http", "scheme": "bearer"}


def _schemas(keys: APIKeys) -> Json:
    """The structs of all bodies, and the permissions that exist. How long a grace may be is the keys' setting."""
    structs = {each.body for each in OPERATIONS if each.has_body} | {each.answer for each in OPERATIONS}
    _, schemas = schema_components(sorted([*structs, Problem], key=lambda each: each.__name__), ref_template=_REF)
    for schema in schemas.values():
        schema["description"] = " ".join(schema["description"].split())
    schemas[KeyChanges.__name__]["minProperties"] = 1
    schemas[TemplateChanges.__name__]["minProperties"] = 1
    schemas[KeySelection.__name__]["minProperties"] = 1
    schemas[RoleChanges.__name__]["minProperties"] = 1
    schemas[PolicyChanges.__name__]["minProperties"] = 1
    schemas[Rotation.__name__]["properties"]["grace"]["maximum"] = keys.max_grace
    schemas["PermissionName"] = {"type": "string", "enum": [str(name) for name in keys.catalogue]}
    return schemas


def _operation(operation: Operation[Any, Any, Any]) -> Json:
    summary, _, rest = (getdoc(operation.call) or "").partition("\n")
    described: Json = {
        "operationId": operation.call.__name__,
        "summary": summary,
        "parameters": [
            *_path_parameters(operation.path),
            *_parameters("query", operation.query),
            *_parameters("header", operation.headers),
        ],
        "responses": _successes(operation) | _refusals(operation),
    }
    if rest:
        described["description"] = rest.strip()
    if operation.has_body:
        described["requestBody"] = {"required": True, "content": _content(JSON, operation.body)}
    return described


def _path_parameters(path: str) -> list[Json]:
    named = [(name, kind) for name, kind in (("id", KeyId), ("name", RoleName)) if f"{{{name}}}" in path]
    schemas, _ = schema_components([kind for _, kind in named])
    return [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for (name, _), schema in zip(named, schemas, strict=True)
    ]


def _parameters(place: str, struct: type[Struct]) -> list[Json]:
    """The members of a struct as parameters. None is required."""
    _, schemas = schema_components([struct])
    properties: Json = schemas[struct.__name__]["properties"]
    return [{"name": name, "in": place, "schema": schema} for name, schema in properties.items()]


def _successes(operation: Operation[Any, Any, Any]) -> Json:
    headers = _headers(operation.told)
    responses: Json = {}
    for status in operation.statuses:
        responses[str(int(status))] = {"description": _SUCCESS[status], "headers": headers}
        if status is not HTTPStatus.NOT_MODIFIED:
            responses[str(int(status))]["content"] = _content(JSON, operation.answer)
    return responses


def _refusals(operation: Operation[Any, Any, Any]) -> Json:
    codes: defaultdict[HTTPStatus, set[str]] = defaultdict(set)
    own = [LINES[error] for error in operation.errors]
    for status, code in [*_ALWAYS, *(_WITH_BODY if operation.has_body else []), *own]:
        codes[status].add(code)
    return {
        str(int(status)): {
            "description": ", ".join(f"`{code}`" for code in sorted(codes[status])),
            "headers": _headers(_TOLD.get(status, ())),
            "content": _content(PROBLEM_JSON, Problem),
        }
        for status in sorted(codes)
    }


def _headers(names: Sequence[str]) -> Json:
    return {name: {**_HEADERS[name], "required": True} for name in names}


def _content(media_type: str, struct: type[Struct]) -> Json:
    return {media_type: {"schema": {"$ref": _REF.format(name=struct.__name__)}}}
