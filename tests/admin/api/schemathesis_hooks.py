"""What schemathesis cannot learn from the document: which values are the caller's to know, and which have passed.

Loaded by `st` (SCHEMATHESIS_HOOKS). `OWN_ID`: the id of the key that it calls with.
"""

import os
import re
from itertools import count
from typing import Any

import schemathesis

OWN_ID = os.environ["OWN_ID"]
NEVER = "000000000000"
LATE = "2999-01-01T00:00:00Z"


LOGS = ("/keys/{id}/events", "/keys/{id}/made")
"""What outlives a key: in sequences of calls schemathesis takes that for a fault, whatever its configuration says."""

_deleted: set[str] = set()
_role_numbers = count()


@schemathesis.hook
def after_call(_context: Any, case: Any, response: Any) -> None:
    """Note which keys are gone."""
    if (
        "id" in case.path_parameters
        and case.operation.method.upper() == "DELETE"
        and response.status_code in {200, 202}
    ):
        _deleted.add(case.path_parameters["id"])


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Spare the key that the calls are made with, and make of what fits the schema what is sensible as well."""
    key_id = case.path_parameters.get("id")
    if key_id == OWN_ID or (key_id in _deleted and case.operation.path in LOGS):
        case.path_parameters["id"] = NEVER
    if isinstance(case.body, dict) and isinstance(case.body.get("ids"), list):
        case.body["ids"] = [NEVER if key_id == OWN_ID else key_id for key_id in case.body["ids"]]
    if isinstance(case.body, dict) and isinstance(case.body.get("selection"), dict):
        case.body["selection"].setdefault("owner", "nobody")  # whatever else fits, nobody's keys are few
    if case.meta is not None and case.meta.generation.mode.is_positive:
        _make_sensible(case)


def _make_sensible(case: Any) -> None:
    _make_query_sensible(case.query)
    body = case.body if isinstance(case.body, dict) else {}
    if case.operation.path.endswith("/temporary"):  # what a parent has, and for how long, no schema tells
        for name in {"permissions", "allow", "limits", "lifetime", "subject", "resources"} & body.keys():
            del body[name]
    if case.operation.path.startswith("/policies") and case.operation.method.upper() != "GET":
        case.query["project"] = "of policies alone"  # or they would refuse the keys of all other calls
        _make_policy_sensible(body)
    _make_roles_sensible(case.operation.path, body)
    selection = body.get("selection")
    if isinstance(selection, dict):
        _make_query_sensible(selection)
    for members in (case.query, body, selection, body.get("changes")):
        if isinstance(members, dict):
            _make_members_sensible(members)
    for name in {"If-Match", "If-None-Match"} & case.headers.keys():
        if not re.match(r'\*|(W/)?"', case.headers[name]):  # in its coverage phase it sends 0, and calls that valid
            case.headers[name] = "*"


def _make_policy_sensible(body: dict[str, Any]) -> None:
    for terms in (body, body.get("changes")):
        if isinstance(terms, dict):
            if terms.pop("default_lifetime", None) is not None:  # no schema tells that it is at most the longest
                terms.setdefault("idle_days", 5)
            terms |= {name: 5 for name in ("idle_days", "most_active_keys") if isinstance(terms.get(name), float)}
    if isinstance(body.get("limit"), float):
        body["limit"] = int(body["limit"])
    if "after" in body:  # of one term only
        body.setdefault("term", "idle_days")


def _make_roles_sensible(path: str, body: dict[str, Any]) -> None:
    for members in (body, body.get("changes")):
        if isinstance(members, dict):
            members.pop("roles", None)  # which there are no schema tells
    if path.startswith("/roles") and "permissions" in body:
        body["permissions"] = ["FILE_UPLOAD", "DIR_*"][: len(body["permissions"])]
    if path == "/roles" and "name" in body:  # nor which names are taken
        body["name"] = f"role-{next(_role_numbers)}"


def _make_members_sensible(members: dict[str, Any]) -> None:
    for name in {"description", "project", "search", "by_id", "owner"} & members.keys():
        members[name] = _printable(members[name])
    for name in {"expires_at", "since", "until"} & members.keys():
        if isinstance(members[name], str):
            members[name] = LATE
    if isinstance(members.get("allow"), list):  # what is a network no schema tells
        members["allow"] = [f"10.{number}.0.0/16" for number, _ in enumerate(members["allow"])]
    if isinstance(members.get("resources"), list):  # nor what is a resource
        members["resources"] = [f"dir:/{number}/*" for number, _ in enumerate(members["resources"])]
    if isinstance(members.get("lifetime"), float):
        members["lifetime"] = int(members["lifetime"])
    if isinstance(members.get("origins"), list):  # nor what is an origin
        members["origins"] = [f"https://page{number}.example" for number, _ in enumerate(members["origins"])]
    if isinstance(members.get("metadata"), dict | str):  # nor how long one is, or how deep, or what text is JSON
        members["metadata"] = {"plan": "pro"} if isinstance(members["metadata"], dict) else '{"plan": "pro"}'
    if isinstance(members.get("limits"), list):
        members["limits"] = [
            _sensible_limit(limit, f"n{number}")
            for number, limit in enumerate(members["limits"])
            if isinstance(limit, dict)
        ]


def _sensible_limit(limit: dict[str, Any], name: str) -> dict[str, Any]:
    """No schema tells that a burst is at most all units, and that names differ; and 7.0 is an integer to schemas."""
    limit = {**limit, "name": name, "units": 7} | ({"burst": 7} if "burst" in limit else {})
    if isinstance(limit.get("per"), float):
        limit["per"] = int(limit["per"])
    return limit


def _make_query_sensible(query: Any) -> None:
    for place in ("after", "before"):  # only an earlier page tells one
        query.pop(place, None)
    for one, other in (("state", "active"), ("project", "company_wide"), ("permission", "no_permissions")):
        if one in query:  # they exclude each other
            query.pop(other, None)
    if "expires_before" in query:
        query["expires_before"] = LATE


def _printable(text: Any) -> Any:
    """A text with something to read in it; `null` as it is."""
    readable = text is None or (text.strip() and text.strip().isprintable())
    return text if readable else "x"
