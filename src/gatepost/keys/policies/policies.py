"""`keys.policies`: the verbs that say what is asked of keys, and tell which keys would not fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Unpack

from gatepost.base import PROJECT_MAX, AccessDeniedError, Actor, BadInputError, Page, is_id
from gatepost.keys.changing import announce, changed_by
from gatepost.keys.parts import Parts
from gatepost.keys.policies.idle import switch_off_idle
from gatepost.rules import (
    SLACK_SECONDS,
    TERMS,
    UNNAMED,
    Authority,
    Policy,
    PolicyTerms,
    checked_actor,
    checked_limit,
    checked_project,
    checked_terms,
    checked_text,
    policy_of,
)

if TYPE_CHECKING:
    from gatepost.database import Change, Misfits

MISFITS_MAX = 50
"""How many ids of keys that do not fit a page has, unless told otherwise."""

_PLACE = "="
"""What a place in the list of policies begins with; the project's name follows, nothing for the company-wide one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPreview:
    """Which keys that work now do not fit a policy. `counts`: how many, by term; of each term that the policy speaks
    of, but for `default_lifetime`, which no key can miss. `pages`: some of their ids, by term, in the ids' order; of
    the term alone that was asked for, if one was. `policy`: the one that is meant. Nothing is done to any of them."""

    policy: Policy
    counts: Mapping[str, int]
    pages: Mapping[str, Page[str]]


class Policies:
    """What is asked of the keys behind one database. Made anew each time that it is asked for.

    A policy binds everybody, operators and the app's own code too: who wants around it changes the policy. What is
    there already stays as it is: only what a verb makes, or makes otherwise, must fit.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def set(
        self, project: str | None = None, *, actor: str | Actor = UNNAMED, **terms: Unpack[PolicyTerms]
    ) -> Policy:
        """Ask this of the keys of `project`, from now on; `None` = of all keys. Of the `terms` (`Policy`;
        `longest_lifetime`, `default_lifetime`, `longest_grace`: seconds; `idle_days`: days; `most_active_keys`: of an
        owner; `environments`, `permissions`: their names) those that are named change; `None` = nothing more is asked.
        Keys that there are stay: `preview` tells which do not fit. Where `idle_days` are set or become fewer,
        `IdleKeys` switches nothing off for it in the first 7 days.

        For operators, and actors whom no project or environment limits and who hold every permission. `actor`: who
        asks; left out = the app itself. Raises `BadInputError`, `UnknownPermissionError`, `AccessDeniedError`,
        `UnavailableError`. One transaction.
        """
        project = checked_project(project)
        wanted = checked_terms(terms, self._parts.settings.catalogue)
        if not wanted:
            raise BadInputError(f"nothing to set: name {', '.join(TERMS)}", "terms")
        policy, _ = await self._change(project, wanted, checked_actor(actor))
        return policy

    async def delete(self, project: str | None = None, *, actor: str | Actor = UNNAMED) -> bool:
        """Ask nothing of the keys of `project` any more, or with `None` nothing that holds company-wide. Answers
        whether anything was asked. `actor`: who asks; left out = the app itself. Raises `BadInputError`,
        `AccessDeniedError`, `UnavailableError`. One transaction."""
        _, was_there = await self._change(checked_project(project), dict.fromkeys(TERMS), checked_actor(actor))
        return was_there

    async def get(self, project: str | None = None, *, actor: str | Actor = UNNAMED) -> Policy | None:
        """The policy of a `project`, or with `None` the company-wide one; `None` = there is none. `actor`: who asks;
        left out = the app itself. One round trip. Raises `AccessDeniedError` for another project than the actor's own,
        `BadInputError`, `UnavailableError`."""
        project = checked_project(project)
        self._check_look(project, checked_actor(actor))
        return await self._stored(project)

    async def list(self, *, after: str | None = None, limit: int = 50, actor: str | Actor = UNNAMED) -> Page[Policy]:
        """One page of the policies: the company-wide one, then those of projects by name; for an actor of one project
        those two. `after`: the `next` of the page before. `limit`: 1 to 500. `actor`: who asks; left out = the app
        itself. Raises `BadInputError`, `AccessDeniedError`, `UnavailableError`. One round trip."""
        authority = Authority(checked_actor(actor))
        authority.check_look()
        if after is not None and not (isinstance(after, str) and after.startswith(_PLACE)):
            raise BadInputError(f"after={after!r:.50} is not the `next` of an earlier page", "after")
        place = None if after is None else after.removeprefix(_PLACE)
        stored = await self._parts.database.policies.list(
            after=checked_text("after", place, PROJECT_MAX) if place else place,
            limit=checked_limit(limit) + 1,
            project=authority.bounds.get("project"),
        )
        found = [policy_of(*each) for each in stored]
        last = found[limit - 1] if len(found) > limit else None
        return Page(found[:limit], None if last is None else f"{_PLACE}{last.project or ''}")

    async def preview(
        self,
        project: str | None = None,
        *,
        term: str | None = None,
        after: str | None = None,
        limit: int = MISFITS_MAX,
        actor: str | Actor = UNNAMED,
        **terms: Unpack[PolicyTerms],
    ) -> PolicyPreview:
        """Which keys that work now would not fit the policy of `project`, or the company-wide one, if it were `set` so;
        with no terms: as it is. Changes nothing. `term`, `after`: the page of ids that follows; `limit`: of ids, 1 to
        500. Keys that the `actor` reaches; left out = the app itself. Terms as for `set`. Raises `BadInputError`,
        `UnknownPermissionError`, `AccessDeniedError`, `UnavailableError`. Each key is looked at: some statements, which
        take as long as it takes to read the project's keys, or all."""
        project = checked_project(project)
        actor = checked_actor(actor)
        self._check_look(project, actor)
        wanted = checked_terms(terms, self._parts.settings.catalogue)
        if term is not None and term not in TERMS:
            raise BadInputError(f"term must be one of {', '.join(TERMS)}, not {term!r:.50}", "term")
        if after is not None and (term is None or not is_id(after)):
            raise BadInputError("after must be the `next` of a page of the same term: name the term too", "after")
        limit = checked_limit(limit)
        policy = await self._stored(project) or Policy(project=project)
        tables = self._parts.database.policies
        policy = replace(policy.changed(wanted, await tables.database_now()), updated_at=policy.updated_at)
        asked = _misfits(policy, Authority(actor).bounds)
        counts = await tables.misfits(asked)
        pages = {}
        for each in counts if term is None else [term]:
            ids = await tables.misfit_ids(asked, each, after, limit + 1) if counts.get(each) else ()
            pages[each] = Page(ids[:limit], ids[limit - 1] if len(ids) > limit else None)
        return PolicyPreview(policy=policy, counts=counts, pages=pages)

    async def switch_off_idle(self) -> Sequence[str]:
        """Switch off now the keys that their policies call idle; answers their ids. What `IdleKeys` does again and
        again. Not before a policy may be heeded, and uses have been counted for as long. Some reads, and a change for
        each 500 keys. Raises `UnavailableError`, `UncertainCommitError`, `StillSpreadingError`; what was done until
        then stays done."""
        return await switch_off_idle(self._parts)

    async def take_turn(self, holder: str, seconds: float) -> float:
        """Take the turn of who switches off idle keys, for so many `seconds`; answers 0.0, or the seconds for which
        another has it. `holder`: 32 characters, random. One read, and a transaction where it is free. Raises
        `UnavailableError`."""
        tables = self._parts.database.policies
        left = await tables.lease_left()
        if left == 0.0 and not await tables.take_lease(holder, seconds):
            return await tables.lease_left() or seconds
        return left

    def _check_look(self, project: str | None, actor: Actor) -> None:
        authority = Authority(actor)
        authority.check_look()
        own = authority.bounds.get("project")
        if own is not None and project not in {None, own}:
            raise AccessDeniedError(f"A key of project {own!r} knows only its own policy, and the company-wide one")

    async def _stored(self, project: str | None) -> Policy | None:
        found = await self._parts.database.policies.list(after=None, limit=2, project=project or "")
        return next((policy_of(*each) for each in found if each.project == project), None)

    async def _change(self, project: str | None, wanted: Mapping[str, Any], actor: Actor) -> tuple[Policy, bool]:
        """Store the policy with these terms, unless it has them; one that says nothing goes. Answers also whether it
        said anything before."""
        parts = self._parts
        every = frozenset(map(str, parts.settings.catalogue))
        Authority(actor).check_policies(every)

        async def make(change: "Change", authority: Authority) -> tuple[Policy, bool]:
            from gatepost.database import StoredPolicy  # noqa: PLC0415 - SQLAlchemy, only where it is needed

            authority.check_policies(every)
            stored = (await change.policies.read([project])).get(project, ())
            before = next((policy_of(*each) for each in stored if each.project == project), Policy(project=project))
            after = before.changed(wanted, change.now)
            old, new = before.terms, after.terms
            if old == new:
                return before, bool(old)
            detail = {
                name: {"old": old.get(name), "new": new.get(name)} for name in TERMS if old.get(name) != new.get(name)
            }
            row = StoredPolicy(project, new, after.idle_from, change.now) if new else None
            await change.write_policy(project, row, detail)
            return after, bool(old)

        change, (policy, was_there) = await changed_by(parts, actor, make)
        if change.has_events:
            await announce(parts, change)
        return policy, was_there


def _misfits(policy: Policy, among: Mapping[str, str]) -> "Misfits":
    from gatepost.database import Misfits  # noqa: PLC0415 - SQLAlchemy, only where it is needed

    return Misfits(
        project=policy.project,
        among=among,
        longest_lifetime=policy.longest_lifetime,
        longest_grace=policy.longest_grace,
        idle_days=policy.idle_days,
        most_active_keys=policy.most_active_keys,
        environments=policy.environments,
        permissions=None if policy.permissions is None else sorted(policy.permissions),
        slack=SLACK_SECONDS,
    )
