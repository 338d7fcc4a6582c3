"""Making a key, and telling its secret again to whoever asks with the same idempotency key (docs/decisions/0009)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import orjson

from gatepost.base import (
    Actor,
    ActorKind,
    IdempotencyError,
    Issued,
    Limit,
    SecretFormat,
    Untold,
    allow_of,
    derived_seed,
    limits_of,
    new_id,
)
from gatepost.base import secret as secret_text
from gatepost.keys.changing import announce, changed_by, grant_roles
from gatepost.keys.given import key_of, new_row, secret_columns
from gatepost.keys.parts import Parts
from gatepost.keys.policies import fitting_rows
from gatepost.rules import (
    UNNAMED,
    UNSET,
    Authority,
    Unset,
    check_in_future,
    checked_actor,
    checked_idempotency_key,
)

if TYPE_CHECKING:
    from gatepost.database import Change, Creation

IDEMPOTENCY_SECONDS = 86400.0
"""For how long a request with an idempotency key may be repeated."""

_Seed = tuple[str, bytes | None, SecretFormat]
"""What a key and its secret are made of: id, random bytes (`None` = new ones), and the format."""


async def create(
    parts: Parts,
    description: str,
    permissions: Iterable[str] = (),
    *,
    roles: Iterable[str] = (),
    project: str | Unset | None = UNSET,
    expires_at: datetime | None = None,
    active: bool = True,
    allow: Iterable[str] | None = None,
    limits: Iterable[Limit] = (),
    owner: str | None = None,
    environment: str | Unset | None = UNSET,
    metadata: Mapping[str, Any] = MappingProxyType({}),
    resources: Iterable[str] | None = None,
    idempotency_key: str | None = None,
    actor: str | Actor = UNNAMED,
) -> Issued:
    """`APIKeys.create`, which tells of it in full."""
    actor = checked_actor(actor)
    Authority(actor).check_manage()
    if isinstance(project, Unset):
        project = actor.project
    if isinstance(environment, Unset):
        environment = actor.environment or parts.settings.environment
    row = new_row(
        parts.settings.catalogue,
        description,
        permissions,
        project,
        expires_at,
        active=active,
        allow=allow,
        limits=limits,
        owner=owner,
        environment=environment,
        metadata=metadata,
        roles=roles,
        resources=resources,
    )
    seeds: Sequence[_Seed] = [(new_id(), None, parts.opened().format)]
    if idempotency_key is not None:
        seeds = _seeds(parts.opened().format, _seed_label(actor, checked_idempotency_key(idempotency_key)))
    key_id, random, secret_format = seeds[0]
    secret = Untold(secret_format.make(key_id, random, row["environment"]))
    row |= {"id": key_id, **secret_columns(parts.settings.vault, secret)}

    async def make(change: "Change", authority: Authority) -> Issued | Mapping[str, Any]:
        authority.check_project(row["project"])
        authority.check_environment(row["environment"])
        await grant_roles(change, [row])
        authority.check_grant(frozenset(row["permissions"].split()))
        authority.check_addresses(allow_of(row["allow"]))
        authority.check_limits(limits_of(row["limits"]))
        made = None if idempotency_key is None else await change.creation_of([seed[0] for seed in seeds])
        if idempotency_key is not None and made is None:
            await _check_not_made_earlier(parts, change, actor, idempotency_key)
        if made is not None:
            secrets = {seed[0]: Untold(seed[2].make(*seed[:2], row["environment"])) for seed in seeds}
            return await _made_before(change, made, row, secrets[made.key_id], authority)
        check_in_future(expires_at, change.now)
        rows = await fitting_rows(change, [row])
        await change.insert_keys(rows, "created")
        return rows[0]

    change, made_now = await changed_by(parts, actor, make)
    if isinstance(made_now, Issued):
        return made_now
    await announce(parts, change)
    return Issued(key_of(made_now, change.now), secret.text)


def _seed_label(actor: Actor, idempotency_key: str) -> str:
    """What tells this call from others: who asks, for which project, and the idempotency key."""
    if actor.kind is ActorKind.KEY:
        return f"key {actor.identity}\0{idempotency_key}"
    return orjson.dumps([actor.kind, actor.identity, actor.project, idempotency_key]).decode()


def _seeds(secret_format: SecretFormat, label: str) -> Sequence[_Seed]:
    """What a label makes a key and its secret of, under each server key: id, random bytes, and the format
    (docs/decisions/0009)."""
    return [
        (*derived_seed(server_key, label), SecretFormat((server_key,), secret_format.prefix))
        for server_key in secret_format.server_keys
    ]


async def _check_not_made_earlier(parts: Parts, change: "Change", actor: Actor, idempotency_key: str) -> None:
    """Raise `IdempotencyError` where a key was made with the idempotency key by a gatepost that knew people by
    their names alone: its secret might be somebody else's, and a second key is not wanted."""
    if actor.kind is not ActorKind.KEY:
        earlier = _seeds(parts.opened().format, f"name {actor.name}\0{idempotency_key}")
        if await change.creation_of([seed[0] for seed in earlier]) is not None:
            raise IdempotencyError(
                "The idempotency key was used before gatepost was upgraded, by this name: take a new one"
            )


def _asked(detail: Mapping[str, Any]) -> bytes:
    """What was asked for, in JSON, where 1, 1.0 and true are three, which Python takes for equal. Not what roles gave:
    they may have been edited since."""
    given = ("permissions", "role_resources") if "roles" in detail else ()
    asked = {name: value for name, value in detail.items() if name not in given}
    return orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)


async def _made_before(
    change: "Change", made: "Creation", row: Mapping[str, Any], secret: Untold, authority: Authority
) -> Issued:
    """The answer to a request to create a key that was answered before. Raises `IdempotencyError`."""
    from gatepost.database import creation_detail  # noqa: PLC0415 - SQLAlchemy, only where it is needed

    asked = {name: value for name, value in made.detail.items() if name != "default_lifetime"}
    if len(asked) < len(made.detail):  # a policy gave it its expiry
        asked["expires_at"] = None
    if _asked(asked) != _asked(creation_detail(row)):
        raise IdempotencyError("The idempotency key was used for another request already: take a new one")
    if change.now - made.at > timedelta(seconds=IDEMPOTENCY_SECONDS):
        raise IdempotencyError("The idempotency key was used more than 24 hours ago: take a new one")
    found = await change.secret_of(secret_text.digest(secret.text.encode()))
    if found != (made.key_id, None):
        raise IdempotencyError(f"Key {made.key_id}, made with the idempotency key, was deleted or rotated since")
    key = await change.read_key(made.key_id)
    authority.check_reach(key)
    authority.check_hand_out(key)
    return Issued(key, secret.text)
