"""An app's OpenAPI document, with what its callers must know of keys: where to send one, what each operation needs, and
how it refuses.

document ──> copy ──┬ components: a security scheme for each source, the problem's schema, the bodies as examples
                    └ each guarded operation: security, x-permissions, responses 400, 401, 403, 429, 503
"""

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from http import HTTPStatus
from itertools import product
from typing import Any

from gatepost.asgi import Bearer, Header, PermissionCheck, Problem, Query, Source, denied
from gatepost.asgi.responses import QUOTA_EXCEEDED
from gatepost.base import Outcome
from gatepost.integrations.openapi.words import HEADERS, SCHEMA, needs, statuses
from gatepost.rules import Catalogue

Json = dict[str, Any]

Operations = Mapping[tuple[str, str], Sequence[PermissionCheck]]
"""What `requires` asks of each operation that needs a key: (path, method in lower case) -> checks."""

PROBLEM = "APIKeyProblem"
"""The name of the schema; an app's own may well have a `Problem`."""

ALTERNATIVES_MAX = 16
"""Most ways to hold what an operation needs that are told one by one: each stands there once for each source. What is
beyond is told in words and in `x-permissions`."""


class Gate:
    """What a document says of one middleware.

    `sources`: where it reads secrets. `problems`: what it refuses with. `catalogue`: tells what permissions are for.
    `optional`: whether it lets requests without a secret in. `own_answers`: whether the app answers refusals in a form
    of its own (`on_error`), of which nothing is known.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        problems: Mapping[Outcome, Problem],
        catalogue: type[Catalogue],
        *,
        optional: bool = False,
        own_answers: bool = False,
    ) -> None:
        self._sources = sources
        self._problems = dict(problems)
        quota = {"type": QUOTA_EXCEEDED, "violated-policies": ["minute"]}
        self._problems[Outcome.LIMIT_EXCEEDED] = Problem(Outcome.LIMIT_EXCEEDED, quota)
        self._catalogue = catalogue
        self._optional = optional
        self._own_answers = own_answers

    def told_in(self, document: Json, operations: Operations) -> Json:
        """A copy of the document that tells of it. Operations that are not among these are left as they are."""
        told = deepcopy(document)
        components = told.setdefault("components", {})
        schemes = self._add_schemes(components.setdefault("securitySchemes", {}))
        if not self._own_answers:
            components.setdefault("schemas", {})[PROBLEM] = SCHEMA
            components.setdefault("examples", {}).update(
                {outcome.value: {"value": self._problems[outcome].members} for outcome in self._problems}
            )
        has_roles = not str(told.get("openapi", "")).startswith("3.0")  # there the lists of such schemes must be empty
        for (path, method), checks in operations.items():
            item = told.get("paths", {}).get(path, {})
            if method in item:
                operation = item[method] = deepcopy(item[method])  # one object may stand there for several methods
                before = operation.get("security", told.get("security"))
                operation["security"] = self._security(schemes, checks, before or [{}], has_roles=has_roles)
                self._add_permissions(operation, checks)
                self._add_responses(operation.setdefault("responses", {}), checks)
        return told

    def _add_schemes(self, known: Json) -> Sequence[str]:
        """The names of the schemes, one for each source that HTTP requests have. An app's own scheme keeps its name."""
        names = []
        for source in self._sources:
            match source:
                case Bearer():
                    name, scheme = "Bearer", {"type": "http", "scheme": "bearer"}
                case Header(name):
                    scheme = {"type": "apiKey", "in": "header", "name": name}
                case Query(name):
                    scheme = {"type": "apiKey", "in": "query", "name": name}
                case _:
                    continue
            name = re.sub(r"[^A-Za-z0-9._-]", "_", name)
            while name in known:
                name = f"{name}-key"
            known[name] = {**scheme, "description": "An API key."}
            names.append(name)
        return names

    def _security(
        self, schemes: Sequence[str], checks: Sequence[PermissionCheck], before: Sequence[Json], *, has_roles: bool
    ) -> Sequence[Json]:
        """The ways to call: what the app itself asks for, and with it a key by one of the sources."""
        ways = _ways(checks) if has_roles else [[]]
        ours: list[Json] = [{scheme: list(way)} for way in ways for scheme in schemes]
        if self._optional and not checks:
            ours.append({})
        return [{**theirs, **one} for theirs in before for one in ours]

    def _add_permissions(self, operation: Json, checks: Sequence[PermissionCheck]) -> None:
        if not checks:
            return
        told: Json = {"all": sorted(frozenset[str]().union(*(check.all_of for check in checks)))}
        told["any"] = [sorted(check.any_of) for check in checks if check.any_of]
        operation["x-permissions"] = {name: names for name, names in told.items() if names}

    def _add_responses(self, responses: Json, checks: Sequence[PermissionCheck]) -> None:
        """What the app itself says of a status stays, beside what is added. YAML has numbers there."""
        for number in [status for status in responses if not isinstance(status, str)]:
            responses[str(number)] = responses.pop(number)
        for status, outcomes in statuses(self._problems, optional=self._optional and not checks).items():
            told = [each for each in outcomes if each is not Outcome.PERMISSION_DENIED or checks]
            sentences = [", ".join(f"`{outcome.value}`" for outcome in told)]
            if status is HTTPStatus.FORBIDDEN and checks:
                sentences.insert(0, needs(checks, self._catalogue))
            response = responses.setdefault(str(int(status)), {})
            known = response.get("description")
            response["description"] = " ".join([known, *sentences] if known else sentences)
            if self._own_answers or "$ref" in response:
                continue
            response.setdefault("headers", {}).update(HEADERS.get(status, {}))
            response.setdefault("content", {}).setdefault(
                "application/problem+json",
                {
                    "schema": {"$ref": f"#/components/schemas/{PROBLEM}"},
                    "examples": {outcome.value: _example(outcome, checks) for outcome in told},
                },
            )


def _ways(checks: Sequence[PermissionCheck]) -> Sequence[Sequence[str]]:
    """The sets of permissions that will do, each sorted. Only what is needed in any case, where they are too many."""
    always = frozenset[str]().union(*(check.all_of for check in checks))
    choices = [sorted(check.any_of) for check in checks if check.any_of and not check.any_of & always]
    ways = sorted({tuple(sorted(always.union(choice))) for choice in product(*choices)} if _few(choices) else ())
    return ways or [sorted(always)]


def _few(choices: Sequence[Sequence[str]]) -> bool:
    count = 1
    for names in choices:
        count *= len(names)
    return count <= ALTERNATIVES_MAX


def _example(outcome: Outcome, checks: Sequence[PermissionCheck]) -> Json:
    """The body of a refusal: of missing permissions with those of this operation."""
    if outcome is not Outcome.PERMISSION_DENIED:
        return {"$ref": f"#/components/examples/{outcome.value}"}
    check = checks[0]
    names = check.all_of or check.any_of
    return {"value": denied(names, names, any_of=not check.all_of).members}
