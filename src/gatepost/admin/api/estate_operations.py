"""The routes of roles, templates and policies."""

from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

from gatepost.admin.api import policies, roles, templates
from gatepost.admin.api.operation import CHANGING, CHANGING_ONE, LOOKING, OK_OR_KNOWN, OK_OR_SPREADING, Operation
from gatepost.admin.api.shapes import (
    Forcing,
    IfMatch,
    IfNoneMatch,
    KeyFilter,
    Nothing,
    Paging,
    Waiting,
    answers,
)
from gatepost.base import (
    AccessDeniedError,
    ForceNeededError,
    KeyNotFoundError,
    PolicyError,
    RoleNotFoundError,
    UnknownPermissionError,
)

_role = partial(Operation, headers=Nothing)
_one_role = partial(_role, path="/roles/{name}")
_change_role = partial(
    _one_role,
    answer=roles.ChangedRole,
    query=roles.RoleForcing,
    statuses=OK_OR_SPREADING,
    errors=(*CHANGING, RoleNotFoundError, ForceNeededError, UnknownPermissionError, PolicyError),
)
_of_template = partial(Operation, query=Waiting, body=Nothing, statuses=OK_OR_SPREADING)
_issuing = partial(Operation, method="POST", answer=templates.Issued, query=Nothing, headers=Nothing)

TEMPLATES: Sequence[Operation[Any, Any, Any]] = (
    Operation(
        method="GET",
        path="/templates",
        call=templates.list_templates,
        answer=templates.Templates,
        query=KeyFilter,
        headers=Nothing,
        body=Nothing,
        errors=(*LOOKING, UnknownPermissionError),
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
        errors=(*CHANGING, UnknownPermissionError, PolicyError),
    ),
    Operation(
        method="GET",
        path="/templates/{id}",
        call=templates.read_template,
        answer=templates.Template,
        query=Nothing,
        headers=IfNoneMatch,
        body=Nothing,
        statuses=OK_OR_KNOWN,
        told=("ETag",),
        errors=(*LOOKING, KeyNotFoundError),
    ),
    Operation(
        method="PATCH",
        path="/templates/{id}",
        call=templates.update_template,
        answer=templates.Template,
        query=Forcing,
        headers=IfMatch,
        body=templates.TemplateChanges,
        statuses=OK_OR_SPREADING,
        told=("ETag",),
        errors=(*CHANGING_ONE, UnknownPermissionError, PolicyError),
    ),
    _of_template(
        method="DELETE",
        path="/templates/{id}",
        call=templates.delete_template,
        answer=answers.Changes,
        headers=IfMatch,
        errors=CHANGING_ONE,
    ),
    _of_template(
        method="POST",
        path="/templates/{id}/rotate",
        call=templates.rotate_template,
        answer=templates.Template,
        headers=IfMatch,
        told=("ETag",),
        errors=CHANGING_ONE,
    ),
    _of_template(
        method="POST",
        path="/templates/{id}/activate",
        call=templates.activate_template,
        answer=answers.Changes,
        headers=Nothing,
        errors=(*CHANGING, KeyNotFoundError),
    ),
    _of_template(
        method="POST",
        path="/templates/{id}/deactivate",
        call=templates.deactivate_template,
        answer=answers.Changes,
        headers=Nothing,
        errors=(*CHANGING, KeyNotFoundError),
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


ROLES: Sequence[Operation[Any, Any, Any]] = (
    _role(
        method="GET",
        path="/roles",
        call=roles.list_roles,
        answer=roles.Roles,
        query=roles.RoleChoice,
        body=Nothing,
        errors=LOOKING,
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
        errors=(*CHANGING, UnknownPermissionError),
    ),
    _one_role(
        method="GET",
        call=roles.read_role,
        answer=roles.Role,
        query=roles.RoleChoice,
        body=Nothing,
        errors=(*LOOKING, RoleNotFoundError),
    ),
    _change_role(method="PATCH", call=roles.update_role, body=roles.RoleChanges),
    _change_role(method="DELETE", call=roles.delete_role, body=Nothing),
)

POLICIES: Sequence[Operation[Any, Any, Any]] = (
    Operation(
        method="GET",
        path="/policies",
        call=policies.list_policies,
        answer=policies.PoliciesTold,
        query=Paging,
        headers=Nothing,
        body=Nothing,
        errors=LOOKING,
    ),
    Operation(
        method="PATCH",
        path="/policies",
        call=policies.set_policy,
        answer=policies.PolicyTold,
        query=policies.OfProject,
        headers=Nothing,
        body=policies.PolicyChanges,
        errors=(*CHANGING, UnknownPermissionError),
    ),
    Operation(
        method="DELETE",
        path="/policies",
        call=policies.delete_policy,
        answer=policies.PolicyGone,
        query=policies.OfProject,
        headers=Nothing,
        body=Nothing,
        errors=CHANGING,
    ),
    Operation(
        method="POST",
        path="/policies/preview",
        call=policies.preview_policy,
        answer=policies.PolicyPreviewed,
        query=policies.OfProject,
        headers=Nothing,
        body=policies.PolicyQuestion,
        errors=(*LOOKING, UnknownPermissionError),
    ),
)

ESTATE = (*TEMPLATES, *ROLES, *POLICIES)
"""All of them."""
