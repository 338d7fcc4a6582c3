"""Policies over REST: bodies, answers, and what each route does. Names and limits are the verbs'."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from gatepost.admin.api.shapes import Call, KeyId, Nothing, Paging, PermissionName, Reply, given
from gatepost.base import EXPIRES_WITHIN_MAX, PROJECT_MAX, BadInputError, Environment
from gatepost.keys import MISFITS_MAX
from gatepost.rules import COUNT_MAX, DAYS_MAX, PAGE_MAX, Policy

_Lifetime = Annotated[float, Meta(ge=1, le=EXPIRES_WITHIN_MAX, description="Seconds; null: nothing is said of it.")]
_Grace = Annotated[float, Meta(ge=0, le=EXPIRES_WITHIN_MAX, description="Seconds; null: nothing is said of it.")]
_Days = Annotated[int, Meta(ge=1, le=DAYS_MAX, description="Days without a use; null: nothing is said of it.")]
_Count = Annotated[int, Meta(ge=1, le=COUNT_MAX, description="Of one owner; null: nothing is said of it.")]
_Environments = Annotated[list[Environment], Meta(min_length=1, description="One of which a key is for; null: any.")]
_Permissions = Annotated[list[PermissionName], Meta(description="That keys may have; null: any.")]
_Term = Literal["longest_lifetime", "longest_grace", "idle_days", "most_active_keys", "environments", "permissions"]


class PolicyChanges(Struct, forbid_unknown_fields=True):
    """What a policy says. What is left out stays."""

    longest_lifetime: _Lifetime | UnsetType | None = UNSET
    default_lifetime: _Lifetime | UnsetType | None = UNSET
    longest_grace: _Grace | UnsetType | None = UNSET
    idle_days: _Days | UnsetType | None = UNSET
    most_active_keys: _Count | UnsetType | None = UNSET
    environments: _Environments | UnsetType | None = UNSET
    permissions: _Permissions | UnsetType | None = UNSET


class PolicyQuestion(Struct, forbid_unknown_fields=True):
    """Which keys would not fit, if a policy were changed so; without `changes`: as it is. `term` and `after`: the page
    of ids that follows, of that term."""

    changes: PolicyChanges | UnsetType = UNSET
    term: _Term | UnsetType = UNSET
    after: KeyId | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX, description="Most ids of a page.")] = MISFITS_MAX


class OfProject(Struct, forbid_unknown_fields=True):
    """Whose keys a policy is about."""

    project: (
        Annotated[
            str,
            Meta(
                min_length=1, max_length=PROJECT_MAX, description="Keys of this project. Left out: all keys there are."
            ),
        ]
        | UnsetType
    ) = UNSET


class PolicyTold(Struct):
    """What is asked of keys; null: nothing. `project`: whose keys; null: all keys. `idle_from`: from when on keys that
    nobody has used for `idle_days` are switched off, where something does."""

    project: str | None
    longest_lifetime: float | None
    default_lifetime: float | None
    longest_grace: float | None
    idle_days: int | None
    most_active_keys: int | None
    environments: Sequence[Environment] | None
    permissions: Sequence[PermissionName] | None
    idle_from: datetime | None
    updated_at: datetime | None

    @classmethod
    def of(cls, policy: Policy) -> "PolicyTold":
        """A policy, told."""
        return cls(**policy.told)


class PoliciesTold(Struct):
    """A page of policies."""

    items: Sequence[PolicyTold]
    next: str | None


class PolicyGone(Struct):
    """Whether there was such a policy."""

    deleted: bool


class Misfitting(Struct):
    """Keys that do not fit a term: how many, and some of their ids."""

    count: int
    ids: Sequence[KeyId]
    next: KeyId | None


class PolicyPreviewed(Struct):
    """Which keys that work now do not fit, by the term that they do not. Of a page that was asked for: of that term."""

    policy: PolicyTold
    misfits: Mapping[str, Misfitting]


async def list_policies(call: Call[Paging, Nothing, Nothing]) -> Reply:
    """List policies.

    The company-wide one, then those of projects. For a caller of one project, those two.
    """
    page = await call.keys.policies.list(**given(call.query), actor=call.actor)
    return Reply(PoliciesTold([PolicyTold.of(each) for each in page.items], page.next))


async def set_policy(call: Call[OfProject, Nothing, PolicyChanges]) -> Reply:
    """Set what is asked of keys.

    What is left out stays. Keys that there are stay too. For callers of every project that hold every permission.
    """
    terms: dict[str, Any] = given(call.body)
    policy = await call.keys.policies.set(_project(call.query), **terms, actor=call.actor)
    return Reply(PolicyTold.of(policy))


async def delete_policy(call: Call[OfProject, Nothing, Nothing]) -> Reply:
    """Ask nothing of keys any more.

    Without a project: nothing that holds for all; what is asked of projects' keys stays.
    """
    return Reply(PolicyGone(await call.keys.policies.delete(_project(call.query), actor=call.actor)))


async def preview_policy(call: Call[OfProject, Nothing, PolicyQuestion]) -> Reply:
    """Tell which keys would not fit a policy.

    Nothing is changed. Keys that work now, of those that the caller reaches.
    """
    asked: dict[str, Any] = given(call.body)
    terms = given(asked.pop("changes")) if "changes" in asked else None
    if terms == {}:
        raise BadInputError("changes must name a term, or be left out", "changes")
    seen = await call.keys.policies.preview(_project(call.query), **asked, **(terms or {}), actor=call.actor)
    misfits = {term: Misfitting(seen.counts.get(term, 0), page.items, page.next) for term, page in seen.pages.items()}
    return Reply(PolicyPreviewed(PolicyTold.of(seen.policy), misfits))


def _project(query: OfProject) -> str | None:
    return None if isinstance(query.project, UnsetType) else query.project
