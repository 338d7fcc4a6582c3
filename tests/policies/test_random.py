"""Whatever is done in whatever order: nothing exists afterwards that a policy forbids, unless it was there before."""

import hashlib
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gatepost import APIKey, APIKeys, ImportedKey, Policy, PolicyError
from tests.keyring.conftest import take_foreign

DAY = 86400.0
PROJECTS = (None, "acme", "beta")
OWNERS = (None, "ann", "bob")
NAMES = ("FILE_UPLOAD", "FILE_MOVE", "DIR_CREATE")
SLACK = timedelta(minutes=2)
"""What clocks, and the steps themselves, may differ by."""

State = Mapping[str, APIKey]


@dataclass
class Estate:
    """Keys, what was asked of them by whoever wrote it down here, and chance."""

    keys: APIKeys
    chance: random.Random
    policies: dict[str | None, Policy]
    refusals: Counter[str]

    async def state(self) -> State:
        """All keys by id."""
        return {key.id: key for key in (await self.keys.list(limit=500)).items}

    def some_ids(self, state: State) -> Sequence[str]:
        """Ids of up to three keys."""
        return self.chance.sample(sorted(state), min(len(state), self.chance.randint(1, 3)))

    def expiry(self) -> datetime | None:
        """A moment, or none."""
        days = self.chance.choice((None, 1, 5, 20, 80))
        return None if days is None else datetime.now(UTC) + timedelta(days=days)

    def names(self) -> Sequence[str]:
        """Some permissions."""
        return [name for name in NAMES if self.chance.random() < 0.5]

    async def set_policy(self) -> None:
        """Ask something else."""
        chance, project = self.chance, self.chance.choice(PROJECTS)
        values: dict[str, Any] = {
            "longest_lifetime": chance.choice((None, 3 * DAY, 30 * DAY)),
            "default_lifetime": chance.choice((None, 2 * DAY)),
            "longest_grace": chance.choice((None, 100.0, 1000.0)),
            "most_active_keys": chance.choice((None, 1, 2, 3)),
            "environments": chance.choice((None, ["live"], ["live", "test"])),
            "permissions": chance.choice((None, self.names())),
        }
        terms = {name: values[name] for name in chance.sample(sorted(values), 2)}
        self.policies[project] = await self.keys.policies.set(project, **terms)

    async def step(self, state: State) -> None:
        """Do something to some keys, if they allow it."""
        chance, keys, ids = self.chance, self.keys, self.some_ids(state)
        project, owner, environment = (
            chance.choice(PROJECTS),
            chance.choice(OWNERS),
            chance.choice((None, "live", "test")),
        )
        new: dict[str, Any] = {
            "project": project,
            "owner": owner,
            "environment": environment,
            "active": chance.random() < 0.8,
        }
        what = chance.choice(
            ("create", "create", "import", "owner", "expiry", "permissions", "on", "off", "rotate", "drop")
        )
        if what == "create":
            await keys.create("a key", self.names(), expires_at=self.expiry(), **new)
        elif what == "import":
            entries = [
                ImportedKey(
                    digest=hashlib.sha256(chance.randbytes(8)).digest(),
                    description="old",
                    permissions=self.names(),
                    expires_at=self.expiry(),
                    **new,
                )
                for _ in range(2)
            ]
            await keys.import_digests(entries)
        elif not ids:
            return
        elif what in {"owner", "expiry", "permissions"}:
            edit: dict[str, Any] = {"owner": owner} if what == "owner" else {"permissions": self.names()}
            edit = {"expires_at": self.expiry()} if what == "expiry" else edit
            await keys.update(ids if len(ids) > 1 else ids[0], wait="commit", **edit)
        elif what == "on":
            await keys.activate(ids if len(ids) > 1 else ids[0])
        elif what == "off":
            await keys.deactivate(ids, wait="commit")
        elif what == "rotate":
            await keys.rotate(ids[0], grace=chance.choice((50.0, 500.0, 5000.0)), wait="commit")
        else:
            await keys.delete(ids[:1], wait="commit")

    def binding(self, project: str | None) -> Sequence[Policy]:
        """What holds for keys of a project."""
        return [self.policies[name] for name in dict.fromkeys((None, project)) if name in self.policies]

    def assert_fits(self, before: State, after: State) -> None:
        """What is new fits."""
        now = datetime.now(UTC)
        for key in after.values():
            old = before.get(key.id)
            for policy in self.binding(key.project):
                if policy.permissions is not None:
                    had = frozenset[str]() if old is None else old.permissions
                    assert key.permissions - had <= policy.permissions, policy
                if policy.environments is not None and old is None:
                    assert key.environment in policy.environments, policy
                if policy.longest_lifetime is not None and (old is None or old.expires_at != key.expires_at):
                    assert key.expires_at is not None, policy
                    assert key.expires_at <= now + timedelta(seconds=policy.longest_lifetime) + SLACK, policy
                if (
                    policy.longest_grace is not None
                    and key.old_secret is not None
                    and (old is None or old.hint != key.hint)
                ):
                    assert key.old_secret.expires_at <= now + timedelta(seconds=policy.longest_grace), policy
        for project, policy in self.policies.items():
            if policy.most_active_keys is None:
                continue
            was, now_has = live_of(before, project), live_of(after, project)
            assert {*now_has[None]} <= {*was[None]}, "no key works that nobody owns, unless it did"
            for owner in ("ann", "bob"):
                many = len(now_has[owner])
                assert many <= policy.most_active_keys or {*now_has[owner]} <= {*was[owner]}, policy


def live_of(state: State, project: str | None) -> Mapping[str | None, Sequence[str]]:
    """The ids of the keys that work, of a project or of all, by owner."""
    found: dict[str | None, list[str]] = {owner: [] for owner in OWNERS}
    for key in state.values():
        if key.active and project in {None, key.project}:
            found[key.owner].append(key.id)
    return found


@pytest.mark.parametrize("seed", range(6))
async def test_nothing_comes_to_be_that_a_policy_forbids(sqlite_keys: APIKeys, seed: int) -> None:
    await do_anything(sqlite_keys, seed)


async def test_nor_on_any_database(keys: APIKeys) -> None:
    await do_anything(keys, 7)


async def do_anything(keys: APIKeys, seed: int) -> None:
    """150 steps, each looked at."""
    take_foreign(keys)
    estate = Estate(keys, random.Random(seed), {}, Counter())
    done = 0
    before = await estate.state()
    for _ in range(150):
        if estate.chance.random() < 0.12:
            try:
                await estate.set_policy()
            except ValueError as wrong:
                assert "default_lifetime" in str(wrong)  # noqa: PT017 - longer than the longest
            continue
        try:
            await estate.step(before)
        except PolicyError as refusal:
            estate.refusals[refusal.term] += 1
            after = await estate.state()
            assert after == before, "what is refused changes nothing"
        else:
            done += 1
            after = await estate.state()
            estate.assert_fits(before, after)
        before = after
    assert done > 40
    assert len(estate.refusals) >= 3, estate.refusals
