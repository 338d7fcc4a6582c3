"""Who acts on keys: `Actor`, and what kinds of them there are."""

from collections.abc import Set
from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from typing import Self

from gatepost.base.errors import BadInputError
from gatepost.base.models import ENVIRONMENTS, APIKey


class ActorKind(StrEnum):
    """What acted on keys, as the audit log tells it. Names can be chosen; this cannot.

    `PERSON`: somebody whom the host app knows. `OPERATOR`: the app's own code, by a name that it wrote. `KEY`: a key,
    over REST or the page. `SHELL`: the `gatepost` command. `DATABASE`: a user of the database, by hand in SQL.
    """

    PERSON = "person"
    OPERATOR = "operator"
    KEY = "key"
    SHELL = "shell"
    DATABASE = "database"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts on keys, from where, and what limits them (`gatepost.authority` has the rules).

    Closed unless told otherwise: an actor holds nothing but `permissions`, in nothing but `project`.

    `name`: 1 to 200 characters, for people. `id`: what the host app knows a person by for good, such as a user's id, 1
    to 200 characters; two people of one name are told apart by it; `None` = the name is that. `address`: where from: an
    IP address, a host; `None` = not known.

    `permissions`: what the actor holds; left out, nothing, and every verb refuses it. `project`: the only one whose
    keys the actor reaches; `None` = all, with what `permissions` allow. `environment`: likewise, `live` or `test`; what
    the actor makes is for it too. `operator=True`: whom nothing limits; it goes with none of them. `at_shell`: an
    operator at a shell. `key_id`: the key that acts, where one does: what it may do is read anew in each change, and is
    no more than `permissions`. `digest`: of the secret that it acts with (32 bytes), which must still be good then;
    `None` = not asked.

    Raises `BadInputError` for what contradicts itself, and for `permissions` that are no set.
    """

    name: str
    _: KW_ONLY
    id: str | None = None
    address: str | None = None
    project: str | None = None
    permissions: frozenset[str] = frozenset()
    operator: bool = False
    at_shell: bool = False
    key_id: str | None = None
    digest: bytes | None = field(default=None, repr=False)
    environment: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.permissions, Set):  # a str, a list or None may be a mistake that would give more
            raise BadInputError(
                "permissions must be a set of names, frozenset({'ACCESS_READ'}) for one; "
                f"operator=True is for whom nothing limits; not {self.permissions!r:.50}",
                "permissions",
            )
        object.__setattr__(self, "permissions", frozenset(self.permissions))
        for name in ("operator", "at_shell"):
            if not isinstance(getattr(self, name), bool):
                raise BadInputError(f"{name} must be True or False, not {getattr(self, name)!r:.50}", name)
        if self.environment not in (None, *ENVIRONMENTS):
            raise BadInputError(f"environment must be live, test or None, not {self.environment!r:.50}", "environment")
        limits = {"project": self.project, "permissions": self.permissions or None, "key_id": self.key_id}
        limits |= {"environment": self.environment}
        given = [name for name, value in limits.items() if value is not None]
        if self.operator and given:
            raise BadInputError(f"An operator is limited by nothing: leave out operator=True, or {' and '.join(given)}")
        if self.at_shell and not self.operator:
            raise BadInputError("Whoever has a shell is an operator: say operator=True too", "at_shell")
        if self.key_id is not None and self.id is not None:
            raise BadInputError("A key is known by its key_id: leave out id", "id")

    @classmethod
    def of(cls, key: APIKey, address: str | None = None, digest: bytes | None = None) -> Self:
        """A key that acts for itself."""
        return cls(
            name=f"key {key.id}",
            address=address,
            key_id=key.id,
            project=key.project,
            permissions=key.granted,
            digest=digest,
            environment=key.environment,
        )

    @property
    def kind(self) -> ActorKind:
        """What it is. An operator that has an `id` is a person."""
        if self.key_id is not None:
            return ActorKind.KEY
        if self.at_shell:
            return ActorKind.SHELL
        return ActorKind.OPERATOR if self.operator and self.id is None else ActorKind.PERSON

    @property
    def identity(self) -> str:
        """What tells it from all others of its kind: the key's id, else `id`, else the name."""
        if self.key_id is not None:
            return self.key_id
        return self.name if self.id is None else self.id

    @property
    def held(self) -> frozenset[str] | None:
        """The permissions that it holds; `None` = an operator: all."""
        return None if self.operator else self.permissions
