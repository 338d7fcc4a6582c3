"""Random estates: keys and templates that were given from above, and what such keys then do, by every verb there is."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hypothesis import strategies as st

from gatepost import (
    AccessDeniedError,
    Actor,
    APIKey,
    APIKeys,
    BadInputError,
    ForceNeededError,
    Issued,
    KeyNotFoundError,
    Rate,
    RoleNotFoundError,
    Selection,
)
from gatepost.base import Limit
from gatepost.base.secret import digest as digest_of
from gatepost.rules import UNSET, Unset
from gatepost.temporary import TemporarySecret

NAMES = ("FILE_UPLOAD", "FILE_RENAME", "DIR_CREATE")
MANAGE = "ACCESS_MANAGE"
ROLES = ("a", "b")
LIFETIMES = (60, 600)

REFUSALS = (AccessDeniedError, BadInputError, ForceNeededError, KeyNotFoundError, RoleNotFoundError)

Resources = Sequence[str] | None

EDITS = (*4 * ("permissions",), "roles", "roles", "resources", "limits", "rotate", "activate", "deactivate", "delete")
OF_ROLES = ("make role", "edit role", "delete role", "role's resources")
OF_TEMPLATES = (*4 * ("make template",), "edit template", "terms", "rotate template", "rotate template")
OF_MANY = ("permissions of many", "resources of many", "activate many", "deactivate many", "delete many")
ISSUING = ("issue", "issue of its own")
TAKING = ("take from a key", "take from a role")
"""Who is above takes away some of what it gave."""
PLANTING = (*6 * ("permissions",), *3 * ("roles",), "edit role", "limits", "addresses", *TAKING)
"""By which something may be given that is there already, and outlive that it is taken away."""
VERBS = (*4 * ("create",), *EDITS, *OF_ROLES, *OF_TEMPLATES, *OF_MANY, *4 * ISSUING)


class Above(NamedTuple):
    """What somebody above has made: a key, or a template."""

    names: Sequence[str]
    project: str | None
    within: Resources
    environment: str | None
    limits: Sequence[Limit]
    active: bool
    is_template: bool
    allow: Sequence[str] | None = None


class Todo(NamedTuple):
    """One verb. `who`, `which`: numbers that choose who acts, and on which key."""

    verb: str
    who: int
    which: int
    names: Sequence[str]
    roles: Sequence[str]
    project: str | None
    within: Resources
    environment: str | Unset | None
    limits: Sequence[Limit]
    lifetime: int
    allow: Sequence[str] | None = None

    @property
    def asked(self) -> Sequence[str] | None:
        """The permissions that a temporary secret is narrowed to."""
        return self.names if self.names and self.who % 2 else None


_names = st.sampled_from(
    ((), NAMES[:1], NAMES[1:2], NAMES[:2], NAMES[1:], NAMES, (MANAGE,), (*NAMES[:1], MANAGE), (*NAMES, MANAGE))
)
_project = st.sampled_from((None, None, "acme", "other"))
_within = st.sampled_from((None, None, None, None, ("dir:/a/*",), ("dir:/a/b", "dir:/c"), ()))
_environment = st.sampled_from((None, None, None, "live"))
_limits = st.sampled_from(((), (), (), (Rate(5, per=60, name="m"),), (Rate(9, per=60, name="m"),)))
_rest = {"project": _project, "environment": _environment, "limits": _limits, "allow": st.none()}

_manager = st.builds(
    Above,
    names=st.sampled_from(((*NAMES[:1], MANAGE), (*NAMES[:2], MANAGE), (*NAMES[1:], MANAGE), (*NAMES, MANAGE))),
    within=st.sampled_from((None, None, None, None, None, ("dir:/a/*",))),
    active=st.just(True),
    is_template=st.just(False),
    **_rest,
)
_given = st.builds(
    Above,
    names=_names,
    within=_within,
    active=st.booleans(),
    is_template=st.booleans(),
    **_rest,
)
estates = st.tuples(_manager, _manager, st.lists(_given, min_size=1, max_size=3)).map(
    lambda parts: [parts[0], parts[1], *parts[2]]
)

_todo = st.builds(
    Todo,
    verb=st.sampled_from(VERBS),
    who=st.integers(0, 30),
    which=st.integers(0, 30),
    names=_names,
    roles=st.sampled_from(((), (), (), (), ROLES[:1], ROLES[1:], ROLES)),
    within=_within,
    lifetime=st.sampled_from(LIFETIMES),
    **{**_rest, "environment": st.sampled_from((UNSET, UNSET, UNSET, None, "live"))},
)
verbs = st.lists(_todo, min_size=10, max_size=20)

_alone = Above((*NAMES, MANAGE), None, None, "live", (), active=True, is_template=False)
ELSEWHERE = [_alone, _alone], [Todo("make template", 0, 0, NAMES[:1], (), None, None, None, (), 60)]
"""An estate that chance seldom makes: who is for one environment makes a template for either."""

_allow = st.sampled_from((None, None, None, ("10.0.0.0/8",)))
_alike: dict[str, Any] = {"within": st.none(), "environment": st.none(), "active": st.just(True)}
_planter = st.builds(
    Above,
    names=st.sampled_from(((*NAMES[:2], MANAGE), (*NAMES, MANAGE), (*NAMES, MANAGE))),
    project=st.sampled_from((None, None, "acme")),
    limits=_limits,
    allow=st.sampled_from((("10.0.0.0/8",), ("10.1.0.0/16",))),
    is_template=st.just(False),
    **_alike,
)
_holder = st.builds(
    Above,
    names=st.sampled_from((NAMES[:1], NAMES[1:2], NAMES[1:2], NAMES[1:])),
    project=st.sampled_from((None, "acme")),
    limits=_limits,
    allow=_allow,
    is_template=st.booleans(),
    **_alike,
)
bound_estates = st.tuples(_planter, _planter, st.lists(_holder, min_size=1, max_size=3)).map(
    lambda parts: [parts[0], parts[1], *parts[2]]
)
_plant = st.builds(
    Todo,
    verb=st.sampled_from(PLANTING),
    who=st.integers(0, 30),
    which=st.integers(0, 30),
    names=st.sampled_from((NAMES[:1], NAMES[:1], NAMES[:2], NAMES[1:2], NAMES)),
    roles=st.sampled_from(((), *((role,) for role in ROLES), ROLES)),
    project=st.none(),
    within=st.none(),
    environment=st.just(UNSET),
    limits=_limits,
    lifetime=st.just(60),
    allow=_allow,
)
plants = st.lists(_plant, min_size=3, max_size=7)


@dataclass(frozen=True)
class Given:
    """A temporary secret as it was issued. `held`: what who issued it held everywhere. `permissions`, `resources`: what
    was asked for, `None` = all that its parent has."""

    parent: str
    secret: str
    held: frozenset[str]
    permissions: frozenset[str] | None
    resources: Resources


@dataclass
class FromAbove:
    """What of all that somebody above has given is not taken away yet. `own`, `roles`: by the id of a key. `of_roles`:
    by project and name."""

    own: dict[str, frozenset[str]] = field(default_factory=dict)
    roles: dict[str, Sequence[str]] = field(default_factory=dict)
    of_roles: dict[tuple[str | None, str], frozenset[str]] = field(default_factory=dict)

    def of(self, key: APIKey) -> frozenset[str]:
        """What the key may have of it."""
        held = self.roles.get(key.id, ())
        by_role = [self.of_roles.get((project, name)) for name in held for project in {None, key.project}]
        return self.own.get(key.id, frozenset()).union(*(names for names in by_role if names))


@dataclass
class Estate:
    """Keys and templates in a database, and what was handed out of them. `held`: as they are now, by id, the oldest
    first. `given`: temporary secrets. `ended`: those whose parent has lost the secret that they were made from."""

    keys: APIKeys
    held: Mapping[str, APIKey] = field(default_factory=dict)
    given: list[Given] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)
    secrets: dict[str, str] = field(default_factory=dict)
    above: FromAbove = field(default_factory=FromAbove)

    async def found(self, above: Sequence[Above], *, with_roles: bool) -> None:
        """Make what somebody above gives; some of it by a role, where there are any."""
        for one in above:
            how: dict[str, Any] = {"project": one.project, "resources": one.within, "environment": one.environment}
            how |= {"limits": one.limits, "allow": one.allow, "active": one.active}
            how["roles"] = ["a"] if with_roles and "FILE_RENAME" in one.names else []
            if one.is_template:
                await self.keys.templates.create("from above", one.names, **how)
            else:
                issued = await self.keys.create("from above", one.names, **how)
                self.secrets[issued.key.id] = issued.secret
        await self.look()
        self.above.of_roles |= {(role.project, role.name): role.permissions for role in await self.keys.roles.list()}
        self.above.own |= {key.id: _own(key) for key in self.held.values()}
        self.above.roles |= {key.id: key.roles for key in self.held.values()}

    async def take(self, verb: str, which: Iterable[str], names: Iterable[str]) -> None:
        """Somebody above takes permissions from keys, or from all roles of these names."""
        if verb == "take from a key":
            for key_id in {*which} & self.held.keys():
                key = self.held[key_id]
                update: Any = self.keys.update if key.template is None else self.keys.templates.update
                await update(key_id, permissions=_own(key) - {*names})
                self.above.own[key_id] = self.above.own.get(key_id, frozenset()) - {*names}
            return
        for role in [each for each in await self.keys.roles.list() if each.name in which]:
            await self.keys.roles.update(role.name, project=role.project, permissions=role.permissions - {*names})
            place = (role.project, role.name)
            self.above.of_roles[place] = self.above.of_roles.get(place, frozenset()) - {*names}

    async def look(self) -> None:
        """Read how everything is now."""
        plain = (await self.keys.list(sort="created", limit=500)).items
        templates = (await self.keys.templates.list(sort="created", limit=500)).items
        self.held = {key.id: key for key in (*plain, *(each.key for each in templates))}

    async def do(self, todo: Todo) -> tuple[APIKey, Any]:
        """One verb of one of the keys. Who acted, and what it was answered; `None` = it was refused."""
        actor, key = self._chosen(todo)
        acting = self.held[actor.key_id or ""]
        if todo.verb in TAKING:
            which = [key.id] if todo.verb == "take from a key" else todo.roles or ROLES
            await self.take(todo.verb, which, todo.names or NAMES)
            return acting, None
        with suppress(*REFUSALS):
            answer = await self._calls(todo, actor, key)[todo.verb]()
            self._note(todo, acting, key, answer)
            return acting, answer
        return acting, None

    def _chosen(self, todo: Todo) -> tuple[Actor, APIKey]:
        """Who acts, mostly one that manages, and on what: mostly on what it reaches, and may have."""
        plain = [key for key in self.held.values() if key.template is None]
        managers = [key for key in plain if MANAGE in key.granted and key.active]
        acting = managers if managers and todo.who % 8 < 7 else plain  # who may not manage is refused
        actor = Actor.of(acting[todo.who % len(acting)])
        others = [key for key in self.held.values() if key.id != actor.key_id] or plain
        near = [key for key in others if actor.project in (None, key.project)]
        near = [key for key in near if self._fits(todo, key, actor)] or near
        targets = (near if todo.which % 4 < 3 else others) or others
        return actor, targets[todo.which % len(targets)]

    def _fits(self, todo: Todo, key: APIKey, actor: Actor) -> bool:
        """Whether something may come of the verb with that key."""
        if todo.verb == "issue":
            return key.active and (key.permissions <= actor.permissions) is (todo.who % 4 > 0)
        if todo.verb == "activate":
            return not key.active
        if todo.verb == "rotate template":
            return key.template is not None and any(each.parent == key.id for each in self.given)
        return key.template is not None or todo.verb not in OF_TEMPLATES

    def _calls(self, todo: Todo, actor: Actor, key: APIKey) -> Mapping[str, Callable[[], Awaitable[Any]]]:
        keys, names, roles, project = self.keys, todo.names, todo.roles, todo.project
        role = (roles or ROLES)[0]
        by: dict[str, Any] = {"actor": actor}
        forced: dict[str, Any] = {"force": True, "actor": actor}
        made: dict[str, Any] = {"roles": roles, "project": project, "environment": todo.environment, "actor": actor}
        made |= {"resources": todo.within, "limits": todo.limits, "allow": todo.allow}
        many = self._selection(todo, key)
        narrow: dict[str, Any] = {"permissions": todo.asked, "resources": todo.within, "lifetime": todo.lifetime}
        own = self.secrets.get(actor.key_id or "", "")
        shown = Actor.of(self.held[actor.key_id or ""], digest=digest_of(own.encode()))
        return {
            "create": lambda: keys.create("made", names, **made),
            "permissions": lambda: keys.update(key.id, permissions=names, **forced),
            "roles": lambda: keys.update(key.id, roles=roles, **forced),
            "resources": lambda: keys.update(key.id, resources=todo.within, **forced),
            "limits": lambda: keys.update(key.id, limits=todo.limits, **forced),
            "addresses": lambda: keys.update(key.id, allow=todo.allow, **forced),
            "rotate": lambda: keys.rotate(key.id, grace=0, **forced),
            "activate": lambda: keys.activate(key.id, **by),
            "deactivate": lambda: keys.deactivate(key.id, **forced),
            "delete": lambda: keys.delete(key.id, **forced),
            "make role": lambda: keys.roles.create(role, names, project=project, **by),
            "edit role": lambda: keys.roles.update(role, project=project, permissions=names, **forced),
            "delete role": lambda: keys.roles.delete(role, project=project, **forced),
            "role's resources": lambda: keys.roles.update(role, project=project, resources=todo.within, **forced),
            "make template": lambda: keys.templates.create("made", names, lifetime=todo.lifetime, **made),
            "edit template": lambda: keys.templates.update(key.id, permissions=names, **forced),
            "terms": lambda: keys.templates.update(key.id, lifetime=todo.lifetime, **forced),
            "rotate template": lambda: keys.templates.rotate(key.id, **by),
            "permissions of many": lambda: keys.update(many, permissions=names, **forced),
            "resources of many": lambda: keys.update(many, resources=todo.within, **forced),
            "activate many": lambda: keys.activate(many, **by),
            "deactivate many": lambda: keys.deactivate(many, **forced),
            "delete many": lambda: keys.delete(many, **forced),
            "issue": lambda: keys.issue_temporary(key.id, **narrow, **by),
            "issue of its own": lambda: keys.issue_temporary(own, **narrow, actor=shown),
        }

    @staticmethod
    def _selection(todo: Todo, key: APIKey) -> Selection:
        """Many keys at once."""
        name, role = ([each for each in todo.names if each != MANAGE] or NAMES)[0], (todo.roles or ROLES)[0]
        is_template = todo.who % 2 == 0
        return (
            Selection(permission=name, templates=is_template),
            Selection(search="made", templates=is_template),
            Selection(search="from above", templates=is_template),
            Selection(project=todo.project, company_wide=todo.project is None, templates=is_template),
            Selection(role=role, templates=is_template),
            Selection(made_by=key.id),
        )[todo.which % 6]

    def _note(self, todo: Todo, acting: APIKey, key: APIKey, answer: Any) -> None:
        """What a verb has handed out, and ended."""
        if isinstance(answer, Issued):
            self.secrets[answer.key.id] = answer.secret
        if todo.verb in {"rotate", "rotate template"}:
            self.ended |= {each.secret for each in self.given if each.parent == key.id}
        if isinstance(answer, TemporarySecret):
            asked = None if todo.asked is None else frozenset(todo.asked)
            self.given.append(Given(answer.key_id, answer.secret, acting.granted, asked, todo.within))


def _own(key: APIKey) -> frozenset[str]:
    """What a key has without its roles."""
    return key.permissions if key.own_permissions is None else key.own_permissions
