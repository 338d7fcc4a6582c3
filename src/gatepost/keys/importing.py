"""Making keys for secrets that exist already, from their digests."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gatepost.base import DIGEST_BYTES, Actor, APIKey, BadInputError, ImportedKey, allow_of, limits_of, new_id
from gatepost.keys.changing import announce, changed_by, grant_roles
from gatepost.keys.given import key_of, new_row
from gatepost.keys.parts import Parts
from gatepost.keys.policies import fitting_rows
from gatepost.rules import UNNAMED, Authority, Catalogue, checked_actor

if TYPE_CHECKING:
    from gatepost.database import Change

_HINT_MAX = 40
_NOT_IMPORTED = (
    "each key to import must be an ImportedKey, such as "
    "ImportedKey(digest=hashlib.sha256(secret).digest(), description='CI', permissions=[...]), not"
)


async def import_digests(
    parts: Parts, keys: Iterable[ImportedKey], *, actor: str | Actor = UNNAMED
) -> Sequence[APIKey]:
    """`APIKeys.import_digests`, which tells of it in full."""
    if not parts.settings.foreign_secrets:
        raise BadInputError("imported keys would never be looked up: make APIKeys(..., foreign_secrets=True) first")
    actor = checked_actor(actor)
    Authority(actor).check_manage()
    if not isinstance(keys, Iterable):
        raise BadInputError(f"keys must be a list: {_NOT_IMPORTED} {type(keys).__name__}", "keys")
    rows: list[dict[str, Any]] = []
    numbers: dict[bytes, int] = {}
    for number, key in enumerate(keys):
        try:
            rows.append(_imported_row(parts.settings.catalogue, key))
        except BadInputError as wrong:
            raise BadInputError(f"keys[{number}]: {wrong}", f"keys[{number}]") from None
        if key.digest in numbers:
            first = numbers[key.digest]
            raise BadInputError(f"keys[{number}]: digest stands at keys[{first}] already", f"keys[{number}]")
        numbers[key.digest] = number
    if not rows:
        return []
    change, made = await changed_by(parts, actor, lambda change, authority: _insert(change, authority, rows, numbers))
    await announce(parts, change)
    return [key_of(row, change.now) for row in made]


async def _insert(
    change: "Change", authority: Authority, rows: Sequence[dict[str, Any]], numbers: Mapping[bytes, int]
) -> Sequence[Mapping[str, Any]]:
    """Add the rows, as policies have them; answers them. `numbers`: by digest. Raises `BadInputError`,
    `AccessDeniedError`."""
    await grant_roles(change, rows, numbered=True)
    for number, row in enumerate(rows):
        authority.check_project(row["project"])
        authority.check_environment(row["environment"])
        authority.check_grant(frozenset(row["permissions"].split()))
        authority.check_addresses(allow_of(row["allow"]))
        authority.check_limits(limits_of(row["limits"]))
        if row["expires_at"] is not None and row["expires_at"] <= change.now:
            raise BadInputError(f"keys[{number}]: expires_at has passed already", f"keys[{number}]")
    known = await change.known_digests(list(numbers))
    if known:
        first = min(numbers[digest] for digest in known)
        raise BadInputError(
            f"keys[{first}]: a key has this digest already ({len(known)} such entries in all)", f"keys[{first}]"
        )
    made = await fitting_rows(change, rows, "keys[{}]")
    await change.insert_keys(made, "imported")
    return made


def _imported_row(catalogue: type[Catalogue], key: ImportedKey) -> dict[str, Any]:
    if not isinstance(key, ImportedKey):
        raise BadInputError(f"{_NOT_IMPORTED} {type(key).__name__}")
    if isinstance(key.digest, str):
        raise BadInputError("digest must be bytes, not a text: bytes.fromhex(...) makes them of hexadecimal digits")
    if not isinstance(key.digest, bytes) or len(key.digest) != DIGEST_BYTES:
        raise BadInputError(f"digest must be {DIGEST_BYTES} bytes: hashlib.sha256(secret).digest()")
    if not isinstance(key.hint, str) or len(key.hint) > _HINT_MAX or not key.hint.isprintable():
        raise BadInputError(f"hint must be at most {_HINT_MAX} printable characters")
    row = new_row(
        catalogue,
        key.description,
        key.permissions,
        key.project,
        key.expires_at,
        active=key.active,
        allow=key.allow,
        limits=key.limits,
        owner=key.owner,
        environment=key.environment,
        metadata=key.metadata,
        roles=key.roles,
        resources=key.resources,
    )
    return row | {"id": new_id(), "digest": key.digest, "hint": key.hint}
