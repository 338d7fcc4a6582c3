"""The form for a new key and for an edit: what was typed, and what is wrong with it."""

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Self

from starlette.datastructures import FormData

from gatepost.admin.page.told import sentence
from gatepost.admin.page.typed.bounds import LISTED, ReachField, plain
from gatepost.base import (
    APIKey,
    BadInputError,
    GatepostError,
    Limits,
    checked_limits,
    checked_networks,
    limit_of_text,
    limit_text,
    metadata_of_json,
)

NEVER, KEEP, ON_DATE = "never", "keep", "date"
SPANS: Mapping[str, str] = {"7": "In 7 days", "30": "In 30 days", "90": "In 90 days", "365": "In 1 year"}
"""Choices of an expiry, in days from now."""

DEFAULT_SPAN = "90"
"""What is chosen for a new key unless somebody chooses otherwise (docs/decisions/0028)."""

ANYWHERE = "anywhere"
"""One of the choices of where a key may be used from; the other is `LISTED`."""

NOWHERE = "nowhere"
"""What a list without networks means."""


@dataclass(frozen=True, slots=True)
class KeyForm:
    """What the fields hold. `permissions`: of its own. `project`: empty = every project. `expires`: one of the words
    above; `date`: as typed. `places`: `anywhere`, `listed`; `networks`: as typed, with blanks or commas between;
    `nowhere`: that there are none is meant. `reach`: what its permissions hold on. `roles`, `owner`, `metadata_typed`:
    `None` = the form did not ask. `environment`: empty = either. `version`: of the key as the form was filled in.
    `idempotency_key`: of a form for a new key."""

    description: str = ""
    permissions: frozenset[str] = frozenset()
    roles: tuple[str, ...] | None = None
    project: str = ""
    expires: str = NEVER
    date: str = ""
    places: str = ANYWHERE
    networks: str = ""
    nowhere: bool = False
    reach: ReachField = field(default_factory=ReachField)
    limits_typed: str | None = None
    owner: str | None = None
    environment: str = ""
    metadata_typed: str | None = None
    version: str = ""
    idempotency_key: str = ""
    force: bool = False
    errors: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def blank(cls) -> Self:
        """For a new key."""
        return cls(expires=DEFAULT_SPAN, idempotency_key=new_idempotency_key())

    @classmethod
    def of(cls, key: APIKey) -> Self:
        """For an edit of `key`."""
        return cls(
            description=key.description,
            permissions=own_permissions(key),
            roles=key.roles,
            expires=NEVER if key.expires_at is None else KEEP,
            places=ANYWHERE if key.allow is None else LISTED,
            networks="\n".join(key.allow or ()),
            nowhere=key.allow == (),
            reach=ReachField.of(key.resources),
            limits_typed="\n".join(map(limit_text, key.limits)),
            owner=key.owner or "",
            environment=key.environment or "",
            metadata_typed=metadata_lines(key.metadata),
            version=key.version,
        )

    @classmethod
    def typed(cls, fields: FormData) -> Self:
        """As it was sent."""

        def text(name: str) -> str:
            return str(fields.get(name, "")).strip()

        return cls(
            description=text("description"),
            permissions=frozenset(str(name) for name in fields.getlist("permission")),
            roles=tuple(sorted({str(each) for each in fields.getlist("role")} - {""})) if "role" in fields else None,
            project=text("project"),
            expires=text("expires"),
            date=text("date"),
            places=text("places"),
            networks=text("networks"),
            nowhere="nowhere" in fields,
            reach=ReachField.typed(fields),
            limits_typed=text("limits") if "limits" in fields else None,
            owner=text("owner") if "owner" in fields else None,
            environment=text("environment"),
            metadata_typed=text("metadata") if "metadata" in fields else None,
            version=text("version"),
            idempotency_key=text("idempotency_key"),
            force="force" in fields,
        )

    def with_message(self, text: str, field_name: str | None = None) -> Self:
        """With a message beside the field that is at fault, or above all of them."""
        return replace(self, errors={field_name or "": text})

    def with_error(self, refusal: GatepostError) -> Self:
        """With what a verb said against it."""
        field_name = refusal.field if isinstance(refusal, BadInputError) else None
        return self.with_message(plain(sentence(refusal), field_name), field_name)

    @property
    def allow(self) -> tuple[str, ...] | None:
        """The networks that were typed; `None` = anywhere. Raises `BadInputError`, also for none at all, until somebody
        has said that this is meant."""
        if self.places != LISTED:
            return None
        typed = [each for each in _BETWEEN.split(self.networks) if each]
        if not typed and not self.nowhere:
            raise BadInputError("No network is named, so the key could be used from nowhere", "allow")
        return checked_networks("allow", typed)

    @property
    def limits(self) -> Limits | None:
        """The limits that were typed; `None` = the form did not ask. Raises `BadInputError`."""
        if self.limits_typed is None:
            return None
        return checked_limits([limit_of_text(each) for each in _BETWEEN.split(self.limits_typed) if each])

    @property
    def metadata(self) -> dict[str, Any] | None:
        """The object that was typed; `None` = the form did not ask. Raises `BadInputError`."""
        return None if self.metadata_typed is None else metadata_of_json(self.metadata_typed or "{}")

    def expires_at(self, now: datetime, before: datetime | None = None) -> datetime | None:
        """The expiry that was picked, at the end of its day in UTC (so that a form that is sent again asks for the
        same); `None` = never. `before`: what `keep` keeps. Raises `BadInputError` for a date that is none."""
        if self.expires == KEEP:
            return before
        if self.expires in SPANS:
            return _end_of(now.date() + timedelta(days=int(self.expires)))
        if self.expires != ON_DATE:
            return None
        try:
            return _end_of(date.fromisoformat(self.date))
        except ValueError:
            raise BadInputError("Pick the day on which the key expires, as in 2030-12-31", "expires_at") from None


def own_permissions(key: APIKey) -> frozenset[str]:
    """What it has without its roles."""
    return key.permissions if key.own_permissions is None else key.own_permissions


def metadata_lines(metadata: Mapping[str, Any]) -> str:
    """Metadata for people, a member a line; empty where there is none."""
    return json.dumps(metadata, indent=2, ensure_ascii=False) if metadata else ""


def new_idempotency_key() -> str:
    """A random one: 24 bytes."""
    return secrets.token_urlsafe(24)


_BETWEEN = re.compile(r"[\s,;]+")


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time(23, 59, 59), UTC)
