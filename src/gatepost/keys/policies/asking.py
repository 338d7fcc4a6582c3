"""What a verb asks of the policies, inside the transaction of its change: what holds then, and nothing that was
remembered. Under the counter's row no other change can come between the count of an owner's keys and one more.

    the counter's row ── no policies ──> nothing is asked, no statement
                      └─ some ──> those of the projects: one statement ── a most of keys? ──> counts: one more
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from gatepost.base import APIKey, PolicyError
from gatepost.rules import Bounds, policy_of

if TYPE_CHECKING:
    from gatepost.database import Change

_NO_BOUNDS = Bounds()


class Countable(Protocol):
    """What counting needs to know of a key."""

    @property
    def project(self) -> str | None: ...
    @property
    def owner(self) -> str | None: ...
    @property
    def active(self) -> bool: ...
    @property
    def expires_at(self) -> datetime | None: ...


@dataclass(slots=True)
class Asked:
    """What holds for the keys of some projects in one change. `now`: of the change. `live`: how many keys that work
    each owner has, by owner and project, as far as that is asked."""

    now: datetime
    bounds: Mapping[str | None, Bounds] = field(default_factory=dict)
    live: defaultdict[str, Counter[str | None]] = field(default_factory=lambda: defaultdict(Counter))

    @classmethod
    async def of(cls, change: "Change", projects: Iterable[str | None], owners: Iterable[str | None] = ()) -> "Asked":
        """What holds for keys of these projects; `owners`: whose keys may become more. No statement where there are no
        policies."""
        stored = await change.policies.read(set(projects))
        bounds = {project: Bounds([policy_of(*each) for each in held]) for project, held in stored.items()}
        asked = cls(change.now, bounds)
        named = {owner for owner in owners if owner is not None}
        if named and any(each.count_keys for each in bounds.values()):
            for (owner, project), number in (await change.policies.count(named, change.now)).items():
                asked.live[owner][project] = number
        return asked

    def of_project(self, project: str | None) -> Bounds:
        """What holds for keys of a project."""
        return self.bounds.get(project, _NO_BOUNDS)

    def check_edit(self, before: APIKey, after: APIKey) -> None:
        """For an edit: of what it changes alone. Raises `PolicyError`."""
        bounds = self.of_project(before.project)
        bounds.check_permissions(after.permissions - before.permissions)
        if after.expires_at != before.expires_at:
            bounds.check_expiry(after.expires_at, self.now)
        if after.template is None:
            self.count(before, after)

    def count(self, before: Countable | None, after: Countable) -> None:
        """For a key that begins to work, or gets another owner: it is counted with the others of its owner. Raises
        `PolicyError`."""
        was, works = before is not None and self._works(before), self._works(after)
        if works and not (was and before is not None and before.owner == after.owner):
            self._check_count(after)
        if was and before is not None and before.owner is not None:
            self.live[before.owner][before.project] -= 1
        if works and after.owner is not None:
            self.live[after.owner][after.project] += 1

    def _check_count(self, key: Countable) -> None:
        for policy in self.of_project(key.project).policies:
            most = policy.most_active_keys
            if most is None:
                continue
            if key.owner is None:
                wrong = f"owner must be named: an owner may have {most} active keys"
                raise PolicyError(wrong, policy.name, "most_active_keys", "owner")
            of_owner = self.live[key.owner]
            found = of_owner.total() if policy.project is None else of_owner[key.project]
            if found >= most:
                wrong = f"owner {key.owner!r} has {found} active keys already, and may have {most}"
                raise PolicyError(wrong, policy.name, "most_active_keys", "owner")

    def _works(self, key: Countable) -> bool:
        return key.active and (key.expires_at is None or key.expires_at > self.now)


@dataclass(frozen=True, slots=True)
class _NewKey:
    """What counting needs to know of a key that is made."""

    project: str | None
    owner: str | None
    active: bool
    expires_at: datetime | None


async def fitting_rows(
    change: "Change", rows: Sequence[Mapping[str, Any]], entry: str | None = None
) -> Sequence[Mapping[str, Any]]:
    """The rows of keys that are to be made, with the expiry that a policy gives those without. `entry`: what an error
    calls a row by its number, `keys[{}]`; `None` = there is one row. Raises `PolicyError`. No statement where there
    are no policies, else one or two."""
    if not change.policies.number:
        return rows
    asked = await Asked.of(change, [row["project"] for row in rows], [row["owner"] for row in rows])
    fitting = []
    for number, row in enumerate(rows):
        try:
            fitting.append(_fitting(asked, row))
        except PolicyError as refusal:
            if entry is None:
                raise
            name = entry.format(number)
            refusal.args = (f"{name}: {refusal}",)
            refusal.field = name
            raise
    return fitting


def _fitting(asked: Asked, row: Mapping[str, Any]) -> Mapping[str, Any]:
    bounds = asked.of_project(row["project"])
    expires_at = bounds.expiry(row["expires_at"], asked.now)
    bounds.check_expiry(expires_at, asked.now)
    bounds.check_environment(row["environment"])
    bounds.check_permissions(frozenset(row["permissions"].split()))
    if row.get("kind") is None:  # a template is no key that an owner has
        asked.count(None, _NewKey(row["project"], row["owner"], row["active"], expires_at))
    if expires_at == row["expires_at"] or expires_at is None:
        return row
    return {**row, "expires_at": expires_at, "default_lifetime": (expires_at - asked.now).total_seconds()}


async def keys_to_count(change: "Change", ids: Sequence[str]) -> tuple[Asked, Mapping[str, APIKey]] | None:
    """What holds for these keys, which are to be switched on, and the keys; `None` = nobody counts any. No statement
    where there are no policies."""
    if not change.policies.number:
        return None
    found = await change.read_keys(ids)
    asked = await Asked.of(change, [key.project for key in found.values()], [key.owner for key in found.values()])
    return asked, found


async def check_grace(change: "Change", project: str | None, seconds: float) -> None:
    """For a rotation. Raises `PolicyError`. No statement where there are no policies."""
    if change.policies.number:
        (await Asked.of(change, [project])).of_project(project).check_grace(seconds)
