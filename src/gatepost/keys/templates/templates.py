"""`Templates`: keys of a kind of their own, of which temporary secrets are made. What holds for keys holds for them."""

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, Unpack

from gatepost.base import (
    Actor,
    APIKey,
    KeyNotFoundError,
    Limit,
    Page,
    Receipt,
    StaleKeyError,
    Total,
    allow_of,
    limits_of,
    new_id,
)
from gatepost.keys.changing import Patience, announce, changed_by, grant_roles, key_to_change, settled
from gatepost.keys.given import KIND, Wait, key_of, new_row
from gatepost.keys.parts import Parts
from gatepost.keys.policies import fitting_rows
from gatepost.keys.templates.issuing import current_record
from gatepost.rules import UNNAMED, UNSET, Authority, Unset, check_id, check_in_future, checked_actor, checked_ids
from gatepost.temporary import LIFETIME, Template, Terms

if TYPE_CHECKING:
    from gatepost.database import Change
    from gatepost.keys.given import Edit, Filters, ListFilters, Options

SECRET_BYTES = 32
"""Of the secret that a template has in place of a key's: nobody is told it, and nothing keeps it."""


class Verbs(Protocol):
    """What is done to templates as to all keys."""

    get: Callable[..., Awaitable[APIKey]]
    list: Callable[..., Awaitable[Page[APIKey]]]
    count: Callable[..., Awaitable[Total]]
    update: Callable[..., Awaitable[Any]]
    activate: Callable[..., Awaitable[Receipt]]
    deactivate: Callable[..., Awaitable[Receipt]]
    delete: Callable[..., Awaitable[Receipt]]


class Templates:
    """`keys.templates`. A template is a row beside the keys, of a secret that nobody has: it is found, switched,
    edited, deleted, limited and logged as they are, and what was issued of it dies with it, everywhere on return. Lists
    of keys leave templates out; verbs on keys take their ids too."""

    def __init__(self, parts: Parts, verbs: Verbs) -> None:
        self._parts = parts
        self._verbs = verbs

    async def create(
        self,
        description: str,
        permissions: Iterable[str] = (),
        *,
        roles: Iterable[str] = (),
        lifetime: int = LIFETIME,
        origins: Iterable[str] | None = None,
        public: bool = False,
        project: str | Unset | None = UNSET,
        expires_at: datetime | None = None,
        active: bool = True,
        allow: Iterable[str] | None = None,
        limits: Iterable[Limit] = (),
        owner: str | None = None,
        environment: str | Unset | None = UNSET,
        metadata: Mapping[str, Any] = MappingProxyType({}),
        resources: Iterable[str] | None = None,
        actor: str | Actor = UNNAMED,
    ) -> Template:
        """Make a template. `lifetime`: most seconds that what is issued of it lives, 1 to 86,400, and as long unless
        told otherwise. `origins`: of the web pages that may use what is issued, `https://www.example.org`; requests
        with another `Origin`, or with none, are refused; `None` = it is not asked. `public`: anybody gets a temporary
        secret who knows the id, where the app serves them. `limits`: of all that is issued of it together. The rest: as
        for `APIKeys.create`. Raises `BadInputError`, `UnknownPermissionError`, `PolicyError`, `AccessDeniedError`,
        `UnavailableError`. One transaction."""
        parts = self._parts
        actor = checked_actor(actor)
        Authority(actor).check_manage()
        row = new_row(
            parts.settings.catalogue,
            description,
            permissions,
            actor.project if isinstance(project, Unset) else project,
            expires_at,
            active=active,
            allow=allow,
            limits=limits,
            owner=owner,
            environment=actor.environment or parts.settings.environment
            if isinstance(environment, Unset)
            else environment,
            metadata=metadata,
            roles=roles,
            resources=resources,
        )
        row |= {"id": new_id(), "kind": KIND, "template": Terms.checked(lifetime, origins, public).text}
        row |= {"digest": _new_digest(), "hint": "", "sealed": None}

        async def make(change: "Change", authority: Authority) -> Mapping[str, Any]:
            authority.check_project(row["project"])
            authority.check_environment(row["environment"])
            await grant_roles(change, [row])
            authority.check_grant(frozenset(row["permissions"].split()))
            authority.check_addresses(allow_of(row["allow"]))
            authority.check_limits(limits_of(row["limits"]))
            check_in_future(expires_at, change.now)
            rows = await fitting_rows(change, [row])
            await change.insert_keys(rows, "created")
            return rows[0]

        change, made = await changed_by(parts, actor, make)
        await announce(parts, change)
        return Template.of(key_of(made, change.now))

    async def get(self, template_id: str, *, actor: str | Actor = UNNAMED) -> Template:
        """The template with the id `template_id`. `actor`: who asks; left out = the app itself. Raises
        `KeyNotFoundError`, also for a plain key, `BadInputError`, `AccessDeniedError`, `UnavailableError`. One round
        trip."""
        key = await self._verbs.get(template_id, actor=actor)
        if key.template is None:
            raise KeyNotFoundError([template_id])
        return Template.of(key)

    async def current(self, template_id: str) -> Template:
        """The template with the id `template_id`, as `get` has it, by what this process remembers, which counts as it
        does for requests: no I/O where it does. For whoever hands out temporary secrets. Raises `KeyNotFoundError`,
        `BadInputError`, `UnavailableError`."""
        check_id(template_id)
        record = await current_record(self._parts, template_id)
        if record.template is None:
            raise KeyNotFoundError([template_id])
        return Template.of(record)

    async def list(self, **which: Unpack["ListFilters"]) -> Page[Template]:
        """One page of templates. Arguments as for `APIKeys.list`, but that `templates` is said already. Raises
        `BadInputError`, `UnknownPermissionError`, `UnavailableError`."""
        page = await self._verbs.list(**{**which, "templates": True})
        return Page([Template.of(key) for key in page.items], page.next, page.previous)

    async def count(self, *, actor: str | Actor = UNNAMED, **which: Unpack["Filters"]) -> Total:
        """How many templates `list` has with these filters; they are as for `list`. Raises `BadInputError`,
        `UnknownPermissionError`, `UnavailableError`."""
        return await self._verbs.count(actor=actor, **{**which, "templates": True})

    async def update(
        self,
        template_id: str,
        *,
        lifetime: int | Unset = UNSET,
        origins: Iterable[str] | Unset | None = UNSET,
        public: bool | Unset = UNSET,
        **edit: Unpack["Edit"],
    ) -> Template:
        """Edit the template `template_id`; what is not named stays. `lifetime`, `origins`, `public`: as for `create`; a
        shorter lifetime holds for what was issued, too. The rest: as for `APIKeys.update`, which waits as this does.
        Raises `KeyNotFoundError`, `BadInputError`, `PolicyError`, `UnknownPermissionError`, `StaleKeyError`,
        `AccessDeniedError`, `ForceNeededError`, `UnavailableError`, `StillSpreadingError`."""
        own = {"lifetime": lifetime, "origins": origins, "public": public}
        given = {name: value for name, value in own.items() if not isinstance(value, Unset)}
        asked = edit.pop("if_version", None)
        while True:
            before = await self.get(template_id, actor=edit.get("actor", UNNAMED))
            edit["if_version"] = asked
            if given:  # what is kept is as it was read
                terms = before.terms or Terms()
                kept = {"lifetime": terms.lifetime, "origins": terms.origins, "public": terms.public}
                edit["template"] = Terms.checked(**{**kept, **given})
                edit["if_version"] = asked or before.key.version
            try:
                return Template.of(await self._verbs.update(template_id, **edit))
            except StaleKeyError:
                if asked is not None:
                    raise

    async def rotate(
        self,
        template_id: str,
        *,
        if_version: str | None = None,
        actor: str | Actor = UNNAMED,
        wait: Wait = "everywhere",
        timeout: float | None = None,
    ) -> Template:
        """End all temporary secrets that were issued of the template `template_id` so far; those that are issued from
        now on work. `if_version`, `actor`, `wait`, `timeout` as for `APIKeys.rotate`. Raises `KeyNotFoundError`,
        `BadInputError`, `StaleKeyError`, `AccessDeniedError`, `UnavailableError`, `StillSpreadingError`. One
        transaction."""
        parts = self._parts
        patience = Patience.of(wait, timeout, parts.clock)
        actor = checked_actor(actor)
        Authority(actor).check_manage()
        check_id(template_id)

        async def make(change: "Change", authority: Authority) -> APIKey:
            before = await key_to_change(change, authority, template_id, if_version)
            if before.template is None:
                raise KeyNotFoundError([template_id])
            await change.rotate_secret(before, _new_digest(), "", None, timedelta(0))
            return await change.read_key(template_id)

        change, key = await changed_by(parts, actor, make)
        return await settled(parts, change, patience, lambda _spread: Template.of(key))

    async def activate(self, ids: str | Iterable[str], **how: Unpack["Options"]) -> Receipt:
        """Switch templates on, by their `ids`, or one by its id. Arguments, and what it raises: as for
        `APIKeys.activate`, which takes their ids too; an id of a plain key is unknown."""
        return await self._verbs.activate(await self._checked(ids, how), **how)

    async def deactivate(self, ids: str | Iterable[str], **how: Unpack["Options"]) -> Receipt:
        """Switch templates off: what was issued of them is refused everywhere on return, until they are on again.
        Arguments, and what it raises: as for `APIKeys.deactivate`, `ids` are ids alone."""
        return await self._verbs.deactivate(await self._checked(ids, how), **how)

    async def delete(
        self, ids: str | Iterable[str], *, if_version: str | None = None, **how: Unpack["Options"]
    ) -> Receipt:
        """Remove templates for good, with all that was issued of them. Arguments, and what it raises: as for
        `APIKeys.delete`, `ids` are ids alone."""
        return await self._verbs.delete(await self._checked(ids, how), if_version=if_version, **how)

    async def _checked(self, ids: str | Iterable[str], how: "Options") -> str | Sequence[str]:
        """The ids, of templates alone: what a key is never changes. Raises `KeyNotFoundError`. A round trip each."""
        wanted = checked_ids(ids)
        for template_id in wanted:
            await self.get(template_id, actor=how.get("actor", UNNAMED))
        return ids if isinstance(ids, str) else wanted


def _new_digest() -> bytes:
    return hashlib.sha256(secrets.token_bytes(SECRET_BYTES)).digest()
