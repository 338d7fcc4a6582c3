"""`Operation`: a route, as app and OpenAPI read it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Generic

from msgspec import Struct

from gatepost.admin.api.shapes import B, Call, H, Nothing, Q, Reply
from gatepost.base import AccessDeniedError, ForceNeededError, KeyNotFoundError, StaleKeyError, UncertainCommitError

OK_OR_KNOWN = (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED)
OK_OR_SPREADING = (HTTPStatus.OK, HTTPStatus.ACCEPTED)

LOOKING = (AccessDeniedError,)
CHANGING = (AccessDeniedError, UncertainCommitError)
CHANGING_ONE = (*CHANGING, KeyNotFoundError, ForceNeededError, StaleKeyError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[Q, H, B]):
    """One line of the table.

    `call`: its docstring is what the document says. `answer`: the struct of a success. `query`, `headers`, `body`: the
    structs of what it takes. `statuses`: of a success, the usual one first. `told`: headers of a success. `errors`:
    what it raises beside what every operation may.
    """

    method: str
    path: str
    call: Callable[[Call[Q, H, B]], Awaitable[Reply]]
    answer: type[Struct]
    query: type[Q]
    headers: type[H]
    body: type[B]
    statuses: Sequence[HTTPStatus] = (HTTPStatus.OK,)
    told: Sequence[str] = ()
    errors: Sequence[type[Exception]] = ()

    @property
    def has_body(self) -> bool:
        """Whether it takes one."""
        return self.body is not Nothing
