"""Arguments of the verbs, checked: what is returned can be stored. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from gatepost.base import (
    ACTOR_ID_MAX,
    ACTOR_MAX,
    ADDRESS_MAX,
    DESCRIPTION_MAX,
    ENVIRONMENTS,
    MARKS,
    NOTHING,
    OWNER_MAX,
    PROJECT_MAX,
    YEAR_MAX,
    YEAR_MIN,
    Actor,
    BadInputError,
    KeyNotFoundError,
    checked_line,
    is_id,
    tidy_line,
)
from gatepost.rules.roles import KEY_ROLES_MAX, ROLE_NAME_MAX

IDEMPOTENCY_KEY_MIN, IDEMPOTENCY_KEY_MAX = 16, 200
"""Characters of an idempotency key: a UUID has 32 or 36."""

PAGE_MAX = 500
"""Most keys on one page."""


_ROLE_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._:-]*")


class Unset:
    """The type of `UNSET`."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET = Unset()
"""Default of arguments for which `None` has a meaning of its own: leave as it is."""


def checked_text(name: str, text: str, most: int) -> str:
    """A name as it may be stored and compared: one line, 1 to `most` characters. Raises `BadInputError`."""
    text = checked_line(name, text)
    unseen = next((each for each in text if each in NOTHING or each in MARKS), None)
    if unseen is not None:  # two names must not look alike
        raise BadInputError(f"{name} has an invisible character (U+{ord(unseen):04X}): type it again", name)
    return _checked_length(name, text, most)


def checked_role(name: str, field: str = "role") -> str:
    """A role's name as it may be stored. Raises `BadInputError`."""
    name = checked_text(field, name, ROLE_NAME_MAX)
    if not _ROLE_NAME.fullmatch(name):
        raise BadInputError(
            f"{field} must be of ASCII letters, digits and . _ : - with a letter or digit first, not {name!r}", field
        )
    return name


def checked_roles(names: Iterable[str], field: str = "roles") -> tuple[str, ...]:
    """Names of roles as a key may have them, sorted, each once. Raises `BadInputError`."""
    if isinstance(names, str | bytes) or not isinstance(names, Iterable):
        raise BadInputError(f"{field} must be a list of names, not {names!r:.70}: write [{names!r:.70}]", field)
    found = tuple(sorted({checked_role(name, field) for name in names}))
    if len(found) > KEY_ROLES_MAX:
        raise BadInputError(f"{field} must be {KEY_ROLES_MAX} at most, not {len(found)}", field)
    return found


def checked_description(description: str, name: str = "description") -> str:
    """A description as it may be stored, or a text to search descriptions for. Raises `BadInputError`."""
    return _checked_length(name, tidy_line(checked_line(name, description)), DESCRIPTION_MAX)


def _checked_length(name: str, text: str, most: int) -> str:
    if not text:
        raise BadInputError(f"{name} must be 1 to {most} characters, and it is empty", name)
    if len(text) > most:
        raise BadInputError(f"{name} must be 1 to {most} characters, not {len(text)}", name)
    return text


def checked_project(project: str | None) -> str | None:
    """A project as it may be stored; `None` = every project. Raises `BadInputError`."""
    return None if project is None else checked_text("project", project, PROJECT_MAX)


def checked_owner(owner: str | None) -> str | None:
    """An owner as it may be stored; `None` = nobody is named. Raises `BadInputError`."""
    return None if owner is None else checked_text("owner", owner, OWNER_MAX)


def checked_environment(environment: str | None) -> str | None:
    """What a key is for; `None` = either environment. Raises `BadInputError`."""
    return checked_choice("environment", environment, ENVIRONMENTS)


def checked_actor(actor: str | Actor) -> Actor:
    """The actor that a verb was given, as it may be stored: a plain name is an operator. Raises `BadInputError`, also
    for `None`: who looks up who is asking, and finds nobody, must not become somebody whom nothing limits."""
    if actor is UNNAMED:
        return UNNAMED
    if actor is None:
        raise BadInputError("actor=None is nobody, who may do nothing: leave it out for the app's own doings", "actor")
    if not isinstance(actor, Actor):
        return Actor(checked_text("actor", actor, ACTOR_MAX), operator=True)
    if actor.key_id is not None and not is_id(actor.key_id):
        raise BadInputError(f"An actor's key_id must be the id of a key, not {actor.key_id!r:.50}", "actor")
    return replace(
        actor,
        name=checked_text("actor", actor.name, ACTOR_MAX),
        id=None if actor.id is None else checked_text("actor's id", actor.id, ACTOR_ID_MAX),
        address=None if actor.address is None else checked_text("address", actor.address, ADDRESS_MAX),
        project=checked_project(actor.project),
    )


def checked_moment(moment: datetime | None, name: str = "expires_at") -> datetime | None:
    """An expiry, in UTC; `None` = never. Raises `BadInputError`."""
    if moment is None:
        return None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise BadInputError(
            f"{name} must be a datetime with a time zone, such as datetime.now(UTC) + timedelta(days=90)", name
        )
    if not YEAR_MIN < moment.year < YEAR_MAX:
        raise BadInputError(f"{name} must be in a year before {YEAR_MAX}; None = never", name)
    return moment.astimezone(UTC)


def checked_bound(name: str, moment: datetime | None) -> datetime | None:
    """An end of a span of time, in UTC; `None` = open. Raises `BadInputError`."""
    if moment is None:
        return None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise BadInputError(f"{name} must be a datetime with a time zone, such as datetime.now(UTC)", name)
    if not YEAR_MIN < moment.year < YEAR_MAX:
        raise BadInputError(f"{name} must be in a year between {YEAR_MIN} and {YEAR_MAX}", name)
    return moment.astimezone(UTC)


def checked_choice(name: str, text: str | None, choices: Iterable[str]) -> str | None:
    """One of the texts; `None` = none of them. Raises `BadInputError`."""
    if text is None or (isinstance(text, str) and text in choices):
        return text
    raise BadInputError(f"{name} must be one of {', '.join(choices)}, not {text!r:.50}", name)


def check_in_future(moment: datetime | None, now: datetime) -> None:
    """Raise `BadInputError` for an expiry that has passed by the database's clock."""
    if moment is not None and moment <= now:
        raise BadInputError(
            f"expires_at {moment.isoformat()} has passed already (the database's clock: {now.isoformat()})",
            "expires_at",
        )


def checked_idempotency_key(text: str) -> str:
    """An idempotency key. Raises `BadInputError`."""
    if (
        not isinstance(text, str)
        or not IDEMPOTENCY_KEY_MIN <= len(text) <= IDEMPOTENCY_KEY_MAX
        or not (text.isascii() and text.isprintable())
    ):
        raise BadInputError(
            f"idempotency_key must be {IDEMPOTENCY_KEY_MIN} to {IDEMPOTENCY_KEY_MAX} printable ASCII characters, "
            "random ones, such as a UUID",
            "idempotency_key",
        )
    return text


def checked_ids(ids: str | Iterable[str]) -> Sequence[str]:
    """The ids in the order given, without repeats. Raises `BadInputError`."""
    if not isinstance(ids, Iterable):
        raise BadInputError(f"ids must be an id or a list of them, not {type(ids).__name__}", "ids")
    wanted = [ids] if isinstance(ids, str) else list(ids)
    for key_id in wanted:
        if not isinstance(key_id, str):
            raise BadInputError(f"an id must be a str, not {type(key_id).__name__}", "ids")
    return list(dict.fromkeys(wanted))


def checked_limit(limit: int) -> int:
    """How many entries a page has at most. Raises `BadInputError`."""
    if type(limit) is not int or not 1 <= limit <= PAGE_MAX:
        raise BadInputError(f"limit must be a whole number, 1 to {PAGE_MAX}, not {limit!r}", "limit")
    return limit


def check_id(key_id: str) -> None:
    """Raise `KeyNotFoundError` for what cannot be the id of a key."""
    if not isinstance(key_id, str):
        raise BadInputError(f"an id must be a str, not {type(key_id).__name__}", "id")
    if not is_id(key_id):
        raise KeyNotFoundError([key_id])


UNNAMED = Actor("nobody", operator=True)
"""Whoever calls a verb without saying who they are: an operator, who is not named in the audit log."""
