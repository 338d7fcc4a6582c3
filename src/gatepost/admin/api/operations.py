"""The routes: for each method and path what it takes, calls, answers and may refuse with. App and OpenAPI read it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, Generic

from msgspec import Struct

from gatepost.admin.api import answers, endpoints, policies, roles, templates
from gatepost.admin.api.bodies import KeyChanges, KeyIds, NewKey, Rotation, SelectedChanges, SelectedKeys
from gatepost.admin.api.calls import B, Call, H, Q
from gatepost.admin.api.limits import LimitsLeft
from gatepost.admin.api.parameters import (
    Choosing,
    EventFilter,
    Forcing,
    Idempotency,
    IfMatch,
    IfNoneMatch,
    KeyEventFilter,
    KeyFilter,
    ManyUsageFilter,
    Nothing,
    Paging,
    ProjectPaging,
    UsageFilter,
    Waiting,
)
from gatepost.admin.api.reply import Reply
from gatepost.base import (
    AccessDeniedError,
    ForceNeededError,
    IdempotencyError,
    KeyNotFoundError,
    PolicyError,
    RoleNotFoundError,
    SecretNotStoredError,
    StaleKeyError,
    UncertainCommitError,
    UnknownPermissionError,
)

_OK_OR_KNOWN = (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED)
_OK_OR_SPREADING = (HTTPStatus.OK, HTTPStatus.ACCEPTED)

_LOOKING = (AccessDeniedError,)
_CHANGING = (AccessDeniedError, UncertainCommitError)
_CHANGING_ONE = (*_CHANGING, KeyNotFoundError, ForceNeededError, StaleKeyError)


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


_role = partial(Operation, headers=Nothing)
_one_role = partial(_role, path="/roles/{name}")
_change_role = partial(
    _one_role,
    answer=roles.ChangedRole,
    query=roles.RoleForcing,
    statuses=_OK_OR_SPREADING,
    errors=(*_CHANGING, RoleNotFoundError, ForceNeededError, UnknownPermissionError),
)
_many = partial(Operation, method="POST", answer=answers.Changes, headers=Nothing, statuses=_OK_OR_SPREADING)
_of_ids = partial(_many, body=KeyIds, errors=_CHANGING)
_of_selected = partial(_many, errors=(*_CHANGING, UnknownPermissionError))

_of_template = partial(Operation, query=Waiting, body=Nothing, statuses=_OK_OR_SPREADING)
_issuing = partial(Operation, method="POST", answer=templates.Issued, query=Nothing, headers=Nothing)

_TEMPLATES: Sequence[Operation[Any, Any, Any]] = (
    Operation(
        method="GET",
        path="/templates",
        call=templates.list_templates,
        answer=templates.Templates,
        query=KeyFilter,
        headers=Nothing,
        body=Nothing,
        errors=(*_LOOKING, UnknownPermissionError),
    ),
    Operation(
        method="POST",
        path="/templates",
        call=templates.create_template,
        answer=templates.Template,
        query=Nothing,
        headers=Nothing,
        body=templates.NewTemplate,
        statuses=(HTTPStatus.CREATED,),
        told=("Location", "ETag"),
        errors=(*_CHANGING, UnknownPermissionError),
    ),
    Operation(
        method="GET",
        path="/templates/{id}",
        call=templates.read_template,
        answer=templates.Template,
        query=Nothing,
        headers=IfNoneMatch,
        body=Nothing,
        statuses=_OK_OR_KNOWN,
        told=("ETag",),
        errors=(*_LOOKING, KeyNotFoundError),
    ),
    Operation(
        method="PATCH",
        path="/templates/{id}",
        call=templates.update_template,
        answer=templates.Template,
        query=Forcing,
        headers=IfMatch,
        body=templates.TemplateChanges,
        statuses=_OK_OR_SPREADING,
        told=("ETag",),
        errors=(*_CHANGING_ONE, UnknownPermissionError),
    ),
    _of_template(
        method="DELETE",
        path="/templates/{id}",
        call=templates.delete_template,
        answer=answers.Changes,
        headers=IfMatch,
        errors=_CHANGING_ONE,
    ),
    _of_template(
        method="POST",
        path="/templates/{id}/rotate",
        call=templates.rotate_template,
        answer=templates.Template,
        headers=IfMatch,
        told=("ETag",),
        errors=_CHANGING_ONE,
    ),
    _of_template(
        method="POST",
        path="/templates/{id}/activate",
        call=templates.activate_template,
        answer=answers.Changes,
        headers=Nothing,
        errors=(*_CHANGING, KeyNotFoundError),
    ),
    _of_template(
        method="POST",
        path="/templates/{id}/deactivate",
        call=templates.deactivate_template,
        answer=answers.Changes,
        headers=Nothing,
        errors=(*_CHANGING, KeyNotFoundError),
    ),
    _issuing(
        path="/templates/{id}/temporary",
        call=templates.issue_of_template,
        body=templates.Narrowed,
        statuses=(HTTPStatus.CREATED,),
        errors=(AccessDeniedError, KeyNotFoundError, UnknownPermissionError),
    ),
    _issuing(
        path="/keys/{id}/temporary",
        call=templates.issue_of_key,
        body=templates.Narrowed,
        statuses=(HTTPStatus.CREATED,),
        errors=(AccessDeniedError, KeyNotFoundError, UnknownPermissionError),
    ),
)

OPERATIONS: Sequence[Operation[Any, Any, Any]] = (
    *_TEMPLATES,
    Operation(
        method="GET",
        path="/keys",
        call=endpoints.list_keys,
        answer=answers.Keys,
        query=KeyFilter,
        headers=Nothing,
        body=Nothing,
        errors=(*_LOOKING, UnknownPermissionError),
    ),
    Operation(
        method="POST",
        path="/keys",
        call=endpoints.create_key,
        answer=answers.NewSecret,
        query=Nothing,
        headers=Idempotency,
        body=NewKey,
        statuses=(HTTPStatus.CREATED,),
        told=("Location", "ETag"),
        errors=(*_CHANGING, UnknownPermissionError, PolicyError, IdempotencyError),
    ),
    _of_ids(path="/keys/activate", call=endpoints.activate_keys, query=Waiting),
    _of_ids(path="/keys/deactivate", call=endpoints.deactivate_keys, query=Forcing),
    _of_ids(path="/keys/end-grace", call=endpoints.end_grace, query=Forcing),
    _of_selected(path="/selected/activate", call=endpoints.activate_selected, query=Waiting, body=SelectedKeys),
    _of_selected(path="/selected/deactivate", call=endpoints.deactivate_selected, query=Forcing, body=SelectedKeys),
    _of_selected(path="/selected/end-grace", call=endpoints.end_grace_selected, query=Forcing, body=SelectedKeys),
    _of_selected(path="/selected/delete", call=endpoints.delete_selected, query=Forcing, body=SelectedKeys),
    _of_selected(path="/selected/update", call=endpoints.update_selected, query=Forcing, body=SelectedChanges),
    Operation(
        method="GET",
        path="/keys/count",
        call=endpoints.count_keys,
        answer=answers.Total,
        query=Choosing,
        headers=Nothing,
        body=Nothing,
        errors=(*_LOOKING, UnknownPermissionError),
    ),
    Operation(
        method="GET",
        path="/keys/{id}",
        call=endpoints.read_key,
        answer=answers.Key,
        query=Nothing,
        headers=IfNoneMatch,
        body=Nothing,
        statuses=_OK_OR_KNOWN,
        told=("ETag",),
        errors=(*_LOOKING, KeyNotFoundError),
    ),
    Operation(
        method="PATCH",
        path="/keys/{id}",
        call=endpoints.update_key,
        answer=answers.ChangedKey,
        query=Forcing,
        headers=IfMatch,
        body=KeyChanges,
        statuses=_OK_OR_SPREADING,
        told=("ETag",),
        errors=(*_CHANGING_ONE, UnknownPermissionError, PolicyError),
    ),
    Operation(
        method="DELETE",
        path="/keys/{id}",
        call=endpoints.delete_key,
        answer=answers.Changes,
        query=Forcing,
        headers=IfMatch,
        body=Nothing,
        statuses=_OK_OR_SPREADING,
        errors=_CHANGING_ONE,
    ),
    Operation(
        method="GET",
        path="/keys/{id}/limits",
        call=endpoints.read_limits,
        answer=LimitsLeft,
        query=Nothing,
        headers=Nothing,
        body=Nothing,
        errors=(*_LOOKING, KeyNotFoundError),
    ),
    Operation(
        method="POST",
        path="/keys/{id}/reset-limits",
        call=endpoints.reset_limits,
        answer=answers.ChangedKey,
        query=Waiting,
        headers=IfMatch,
        body=Nothing,
        statuses=_OK_OR_SPREADING,
        told=("ETag",),
        errors=(*_CHANGING, KeyNotFoundError, StaleKeyError),
    ),
    Operation(
        method="POST",
        path="/keys/{id}/rotate",
        call=endpoints.rotate_key,
        answer=answers.NewSecret,
        query=Forcing,
        headers=IfMatch,
        body=Rotation,
        statuses=_OK_OR_SPREADING,
        told=("ETag",),
        errors=(*_CHANGING_ONE, PolicyError),
    ),
    Operation(
        method="POST",
        path="/keys/{id}/reveal",
        call=endpoints.reveal_key,
        answer=answers.Secret,
        query=Nothing,
        headers=Nothing,
        body=Nothing,
        errors=(*_CHANGING, KeyNotFoundError, SecretNotStoredError),
    ),
    Operation(
        method="GET",
        path="/keys/{id}/made",
        call=endpoints.list_made_keys,
        answer=answers.Keys,
        query=Paging,
        headers=Nothing,
        body=Nothing,
        errors=(*_LOOKING, KeyNotFoundError),
    ),
    Operation(
        method="GET",
        path="/keys/{id}/usage",
        call=endpoints.read_usage,
        answer=answers.Usage,
        query=UsageFilter,
        headers=Nothing,
        body=Nothing,
        errors=(*_LOOKING, KeyNotFoundError),
    ),
    Operation(
        method="GET",
        path="/keys/{id}/events",
        call=endpoints.list_key_events,
        answer=answers.Events,
        query=KeyEventFilter,
        headers=Nothing,
        body=Nothing,
        errors=(*_LOOKING, KeyNotFoundError),
    ),
    Operation(
        method="GET",
        path="/events",
        call=endpoints.list_events,
        answer=answers.Events,
        query=EventFilter,
        headers=Nothing,
        body=Nothing,
        errors=_LOOKING,
    ),
    Operation(
        method="GET",
        path="/usage",
        call=endpoints.read_many_usage,
        answer=answers.Usage,
        query=ManyUsageFilter,
        headers=Nothing,
        body=Nothing,
        errors=_LOOKING,
    ),
    Operation(
        method="GET",
        path="/projects",
        call=endpoints.list_projects,
        answer=answers.Projects,
        query=ProjectPaging,
        headers=Nothing,
        body=Nothing,
        errors=_LOOKING,
    ),
    _role(
        method="GET",
        path="/roles",
        call=roles.list_roles,
        answer=roles.Roles,
        query=roles.RoleChoice,
        body=Nothing,
        errors=_LOOKING,
    ),
    _role(
        method="POST",
        path="/roles",
        call=roles.create_role,
        answer=roles.Role,
        query=Nothing,
        body=roles.NewRole,
        statuses=(HTTPStatus.CREATED,),
        told=("Location",),
        errors=(*_CHANGING, UnknownPermissionError),
    ),
    _one_role(
        method="GET",
        call=roles.read_role,
        answer=roles.Role,
        query=roles.RoleChoice,
        body=Nothing,
        errors=(*_LOOKING, RoleNotFoundError),
    ),
    _change_role(method="PATCH", call=roles.update_role, body=roles.RoleChanges),
    _change_role(method="DELETE", call=roles.delete_role, body=Nothing),
    Operation(
        method="GET",
        path="/policies",
        call=policies.list_policies,
        answer=policies.PoliciesTold,
        query=Paging,
        headers=Nothing,
        body=Nothing,
        errors=_LOOKING,
    ),
    Operation(
        method="PATCH",
        path="/policies",
        call=policies.set_policy,
        answer=policies.PolicyTold,
        query=policies.OfProject,
        headers=Nothing,
        body=policies.PolicyChanges,
        errors=(*_CHANGING, UnknownPermissionError),
    ),
    Operation(
        method="DELETE",
        path="/policies",
        call=policies.delete_policy,
        answer=policies.PolicyGone,
        query=policies.OfProject,
        headers=Nothing,
        body=Nothing,
        errors=_CHANGING,
    ),
    Operation(
        method="POST",
        path="/policies/preview",
        call=policies.preview_policy,
        answer=policies.PolicyPreviewed,
        query=policies.OfProject,
        headers=Nothing,
        body=policies.PolicyQuestion,
        errors=(*_LOOKING, UnknownPermissionError),
    ),
    Operation(
        method="GET",
        path="/permissions",
        call=endpoints.list_permissions,
        answer=answers.Permissions,
        query=Nothing,
        headers=Nothing,
        body=Nothing,
    ),
    Operation(
        method="GET",
        path="/whoami",
        call=endpoints.read_caller,
        answer=answers.Key,
        query=Nothing,
        headers=IfNoneMatch,
        body=Nothing,
        statuses=_OK_OR_KNOWN,
        told=("ETag",),
        errors=(KeyNotFoundError,),
    ),
)
"""All routes. Of two paths that match, the first counts."""
