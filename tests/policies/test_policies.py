"""What is asked of keys is asked by every verb, inside its own change, over SQLite, PostgreSQL and MariaDB."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from gatepost import (
    AccessDeniedError,
    Actor,
    APIKeys,
    BadInputError,
    IdempotencyError,
    ImportedKey,
    Issued,
    Policy,
    PolicyError,
    Receipt,
    Selection,
    UnknownPermissionError,
)
from gatepost.database.connecting.engine import changing
from gatepost.rules import DAM
from tests.keyring.conftest import logged, take_foreign
from tests.keyring.test_at_once import statements_of

DAY = 86400.0
EVERYTHING = frozenset(DAM)


def ahead(days: float) -> datetime:
    """A moment so many days from now."""
    return datetime.now(UTC) + timedelta(days=days)


async def refused(what: Any, term: str, field: str | None, policy: str = "the company-wide policy") -> str:
    """What a verb says that a policy refuses."""
    with pytest.raises(PolicyError) as told:
        await what
    assert (told.value.term, told.value.field, told.value.policy) == (term, field, policy)
    assert policy in str(told.value)
    return str(told.value)


async def test_a_policy_is_set_term_by_term_read_listed_and_taken_away(keys: APIKeys) -> None:
    policies = keys.policies
    assert await policies.get() is None
    made = await policies.set(longest_lifetime=90 * DAY, environments=["test", "live"])
    assert (made.project, made.longest_lifetime, made.environments) == (None, 90 * DAY, ("live", "test"))
    assert made == await policies.get()
    made = await policies.set(permissions=["FILE_UPLOAD"], environments=None)
    assert made.terms == {"longest_lifetime": 90 * DAY, "permissions": ["FILE_UPLOAD"]}, "what is not named stays"
    await policies.set("acme", most_active_keys=3)
    await policies.set("zeta", most_active_keys=4)
    first = await policies.list(limit=2)
    assert [each.project for each in first.items] == [None, "acme"]
    assert [each.project for each in (await policies.list(after=first.next)).items] == ["zeta"]
    assert [each.project for each in (await policies.list(limit=1)).items] == [None]
    following = await policies.list(after=(await policies.list(limit=1)).next)
    assert [each.project for each in following.items] == ["acme", "zeta"]
    assert await policies.delete("acme")
    assert not await policies.delete("acme")
    assert await policies.get("acme") is None
    await policies.set("zeta", most_active_keys=None)
    assert await policies.get("zeta") is None, "one that says nothing is none"
    assert await policies.delete()
    await keys.create("free again", ["FILE_MOVE"])


async def test_an_edit_of_a_policy_is_in_the_log_and_makes_no_worker_forget(keys: APIKeys) -> None:
    issued = await keys.create("remembered")
    assert (await keys.verify(issued.secret)).valid
    freshness = keys._opened().freshness
    floor = freshness._general_floor
    await keys.policies.set("acme", longest_grace=60.0, actor="ann")
    await keys.policies.set("acme", longest_grace=60.0, actor="ann")
    await keys.policies.set("acme", longest_grace=30.0, actor="ann")
    await keys.policies.delete("acme", actor="ann")
    events = (await keys.events(kind="policy")).items
    assert [(each.project, each.key_id, each.actor, each.detail) for each in reversed(events)] == [
        ("acme", None, "ann", {"longest_grace": {"old": None, "new": 60.0}}),
        ("acme", None, "ann", {"longest_grace": {"old": 60.0, "new": 30.0}}),
        ("acme", None, "ann", {"longest_grace": {"old": 30.0, "new": None}}),
    ], "what changes nothing is no event"
    await freshness.catch_up()
    assert freshness._general_floor == floor
    assert keys.hit(hashlib.sha256(issued.secret.encode()).digest()) is not None
    seqs = [each.seq for each in await logged(keys, 0, 100)]
    assert seqs == sorted(seqs)
    assert max(seqs) - min(seqs) + 1 == len(set(seqs)), "no gap"


async def test_a_new_key_fits_or_there_is_none(keys: APIKeys) -> None:
    await keys.policies.set(longest_lifetime=90 * DAY, environments=["live"], permissions=["FILE_UPLOAD", "DIR_CREATE"])
    good: dict[str, Any] = {"permissions": ["FILE_UPLOAD"], "environment": "live", "expires_at": ahead(89)}
    made = await keys.create("good", **good)
    for term, field, other in (
        ("longest_lifetime", "expires_at", {"expires_at": ahead(91)}),
        ("longest_lifetime", "expires_at", {"expires_at": None}),
        ("environments", "environment", {"environment": "test"}),
        ("environments", "environment", {"environment": None}),
        ("permissions", "permissions", {"permissions": ["FILE_UPLOAD", "FILE_MOVE"]}),
    ):
        await refused(keys.create("bad", **good | other), term, field)
    assert [each.id for each in (await keys.list()).items] == [made.key.id]
    await keys.policies.set("acme", longest_lifetime=7 * DAY)
    told = await refused(
        keys.create("bad", **good, project="acme"), "longest_lifetime", "expires_at", "the policy of project 'acme'"
    )
    assert "7 days" in told
    near: dict[str, Any] = good | {"project": "acme", "expires_at": ahead(6)}
    await refused(keys.create("bad", **near | {"environment": "test"}), "environments", "environment")
    await keys.create("good", **near)
    await keys.create("good", **good | {"project": "other"})


async def test_an_expiry_that_nobody_gave_is_the_policys(keys: APIKeys) -> None:
    await keys.policies.set(default_lifetime=30 * DAY)
    await keys.policies.set("acme", longest_lifetime=10 * DAY)
    take_foreign(keys)
    for project, days in ((None, 30), ("acme", 10), ("other", 30)):
        issued = await keys.create("a key", project=project)
        (imported,) = await keys.import_digests(
            [ImportedKey(digest=hashlib.sha256(repr(project).encode()).digest(), description="old", project=project)]
        )
        for key in (issued.key, imported, await keys.get(issued.key.id)):
            assert key.expires_at is not None
            assert abs((key.expires_at - key.created_at).total_seconds() - days * DAY) < 1e-3
        event = (await keys.events(issued.key.id)).items[0]
        assert event.detail is not None
        assert (event.detail["default_lifetime"], event.detail["expires_at"]) == (
            days * DAY,
            issued.key.expires_at and issued.key.expires_at.isoformat(),
        )
    given = ahead(5)
    assert (await keys.create("given", expires_at=given)).key.expires_at == given
    freed = await keys.update(issued.key.id, expires_at=None)
    assert freed.expires_at is None, "a default is no bound"


async def test_a_repeated_request_is_answered_as_the_first_was_whatever_the_policy_is_now(keys: APIKeys) -> None:
    await keys.policies.set(default_lifetime=30 * DAY)

    async def again(**more: Any) -> Issued:
        return await keys.create("a key", owner="ann", idempotency_key="0123456789abcdef", **more)

    first = await again()
    assert await again() == first
    await keys.policies.set(default_lifetime=None, most_active_keys=1)
    assert await again() == first, "it makes no second key, which there might not be"
    with pytest.raises(IdempotencyError):
        await again(expires_at=first.key.expires_at)


async def test_an_import_is_refused_whole_and_names_the_entry(keys: APIKeys) -> None:
    take_foreign(keys)
    await keys.policies.set(most_active_keys=2)
    entries = [
        ImportedKey(digest=hashlib.sha256(bytes([n])).digest(), description="old", owner=owner)
        for n, owner in enumerate(["ann", "bob", "ann", "ann"])
    ]
    told = await refused(keys.import_digests(entries), "most_active_keys", "keys[3]")
    assert told.startswith("keys[3]: owner 'ann' has 2 active keys already")
    assert not (await keys.list()).items
    await keys.import_digests(entries[:3])


async def test_an_edit_is_held_to_what_it_changes_alone(keys: APIKeys) -> None:
    old = await keys.create("from before", ["FILE_MOVE"])
    await keys.policies.set(longest_lifetime=90 * DAY, permissions=["FILE_UPLOAD"], environments=["live"])
    await keys.update(old.key.id, description="as it was otherwise")
    await keys.update(old.key.id, permissions=["FILE_MOVE", "FILE_UPLOAD"])
    await refused(keys.update(old.key.id, permissions=["FILE_MOVE", "DIR_CREATE"]), "permissions", "permissions")
    await refused(keys.update(old.key.id, expires_at=ahead(100)), "longest_lifetime", "expires_at")
    await keys.update(old.key.id, expires_at=ahead(80))
    await refused(keys.update(old.key.id, expires_at=None), "longest_lifetime", "expires_at")
    key = await keys.get(old.key.id)
    assert key.permissions == {"FILE_MOVE", "FILE_UPLOAD"}
    assert key.expires_at is not None
    assert key.expires_at < ahead(81)


async def test_an_edit_of_many_leaves_out_what_does_not_fit_and_says_so(keys: APIKeys) -> None:
    await keys.policies.set("acme", longest_lifetime=10 * DAY)
    bound = (await keys.create("bound", project="acme", owner="ann", expires_at=ahead(5))).key.id
    free = (await keys.create("free", project="other", owner="ann")).key.id
    for preview in (True, False):
        edited = await keys.update(Selection(owner="ann"), expires_at=ahead(20), preview=preview)
        assert isinstance(edited, Receipt)
        assert (edited.changed, [*edited.denied]) == ([free], [bound])
        assert "the policy of project 'acme'" in edited.denied[bound]
    key = await keys.get(bound)
    assert key.expires_at is not None
    assert key.expires_at < ahead(6)


async def test_an_owner_has_no_more_keys_that_work_than_the_policies_say(keys: APIKeys) -> None:
    await keys.policies.set(most_active_keys=3)
    await keys.policies.set("acme", most_active_keys=2)
    acme = [(await keys.create("a key", project="acme", owner="ann")).key.id for _ in range(2)]
    await refused(
        keys.create("a key", project="acme", owner="ann"),
        "most_active_keys",
        "owner",
        "the policy of project 'acme'",
    )
    other = (await keys.create("a key", project="other", owner="ann")).key.id
    await refused(keys.create("a key", project="other", owner="ann"), "most_active_keys", "owner")
    await refused(keys.create("nobody's"), "most_active_keys", "owner")
    off = (await keys.create("off", owner="ann", active=False)).key.id
    await refused(keys.activate(off), "most_active_keys", "owner")
    bobs = (await keys.create("a key", owner="bob")).key.id
    await refused(keys.update(bobs, owner="ann"), "most_active_keys", "owner")
    await refused(keys.update(bobs, owner=None), "most_active_keys", "owner")
    await keys.deactivate(acme[0])
    receipt = await keys.activate([off, acme[0]])
    assert (receipt.changed, [*receipt.denied]) == ([off], [acme[0]])
    await keys.deactivate(other)
    await keys.update(bobs, owner="ann")
    await keys.delete(bobs)
    await keys.create("a key", owner="ann")


async def test_keys_whose_time_is_over_are_not_counted_until_they_get_more_of_it(keys: APIKeys) -> None:
    await keys.policies.set(most_active_keys=1)
    over = (await keys.create("over", owner="ann", expires_at=ahead(1))).key.id
    async with changing(keys._database.engine) as connection, connection.begin():
        await connection.execute(text("UPDATE gatepost_keys SET expires_at = '2020-01-01 00:00:00'"))
    await keys.create("the one", owner="ann", expires_at=ahead(1))
    await refused(keys.update(over, expires_at=ahead(1)), "most_active_keys", "owner")
    await keys.deactivate(over)
    await keys.activate(over)  # it is on, and does not work


async def test_no_race_lets_one_key_too_many_through(keys: APIKeys, ready_url: str) -> None:
    await keys.policies.set(most_active_keys=3)
    async with APIKeys(ready_url, poll_interval=0.1) as others:
        await asyncio.gather(*(each.ping() for each in (keys, others)))
        asked = [who.create("a key", owner="ann") for _ in range(8) for who in (keys, others)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
    made = [each for each in answers if isinstance(each, Issued)]
    assert len(made) == 3
    assert sum(isinstance(each, PolicyError) for each in answers) == len(asked) - 3
    assert len((await keys.list()).items) == 3


async def test_a_policy_holds_for_what_is_asked_at_the_same_time_after_it(keys: APIKeys) -> None:
    async def make(n: int) -> Any:
        return await keys.create(f"key {n}", owner="ann")

    await keys.policies.set(most_active_keys=9)
    answers = await asyncio.gather(
        make(1), keys.policies.set(permissions=[], most_active_keys=2), make(2), make(3), return_exceptions=True
    )
    assert [type(each) for each in answers] == [Issued, Policy, Issued, PolicyError], "in one transaction, in turn"


async def test_the_grace_of_a_rotation_is_bound(keys: APIKeys) -> None:
    issued = await keys.create("a key", project="acme")
    await keys.policies.set("acme", longest_grace=3600.0)
    await refused(keys.rotate(issued.key.id, grace=3601.0), "longest_grace", "grace", "the policy of project 'acme'")
    assert (await keys.verify(issued.secret)).valid
    assert (await keys.get(issued.key.id)).old_secret is None
    await keys.rotate(issued.key.id, grace=3600.0)


async def test_what_takes_away_and_looks_up_asks_nothing_and_a_create_without_policies_no_more_than_before(
    keys: APIKeys,
) -> None:
    issued = await keys.create("a key", owner="ann")
    with statements_of(keys) as without:
        await keys.create("a key", owner="ann")
    assert not [each for each in without if "policies" in each]
    await keys.policies.set(most_active_keys=5, longest_lifetime=90 * DAY, longest_grace=60.0)
    with statements_of(keys) as with_policies:
        await keys.create("a key", owner="ann", expires_at=ahead(5))
    assert len(with_policies) == len(without) + 2, "the policies, and the count"
    await keys.policies.delete()
    with statements_of(keys) as again:
        await keys.create("a key", owner="ann")
    assert len(again) == len(without)
    await keys.policies.set(most_active_keys=5)
    with statements_of(keys) as taking:
        await keys.deactivate(issued.key.id)
        await keys.verify(issued.secret, fresh=True)
        await keys.delete(issued.key.id)
    assert not [each for each in taking if "policies" in each or "keys.owner" in each]


async def test_many_creates_at_once_read_the_policies_once(keys: APIKeys) -> None:
    await keys.policies.set(longest_lifetime=90 * DAY)
    with statements_of(keys) as sent:
        await asyncio.gather(*(keys.create("a key", expires_at=ahead(5)) for _ in range(32)))
    assert sum(each.startswith("SELECT gatepost_policies") for each in sent) == sent.count("COMMIT")


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({}, "terms"),
        ({"longest_life": 5.0}, "terms"),
        ({"longest_lifetime": 0}, "longest_lifetime"),
        ({"longest_lifetime": -1.0}, "longest_lifetime"),
        ({"longest_lifetime": float("nan")}, "longest_lifetime"),
        ({"longest_lifetime": float("inf")}, "longest_lifetime"),
        ({"longest_lifetime": True}, "longest_lifetime"),
        ({"longest_lifetime": "90d"}, "longest_lifetime"),
        ({"default_lifetime": 4e9}, "default_lifetime"),
        ({"default_lifetime": 10.0, "longest_lifetime": 5.0}, "default_lifetime"),
        ({"longest_grace": -1}, "longest_grace"),
        ({"idle_days": 0}, "idle_days"),
        ({"idle_days": 1.5}, "idle_days"),
        ({"most_active_keys": 0}, "most_active_keys"),
        ({"most_active_keys": True}, "most_active_keys"),
        ({"environments": []}, "environments"),
        ({"environments": "live"}, "environments"),
        ({"environments": ["staging"]}, "environments"),
        ({"environments": [["live"]]}, "environments"),
        ({"environments": 5}, "environments"),
        ({"permissions": "FILE_UPLOAD"}, None),
    ],
)
async def test_a_policy_that_cannot_be_is_refused_by_field_and_changes_nothing(
    sqlite_keys: APIKeys, terms: dict[str, Any], field: str | None
) -> None:
    await sqlite_keys.policies.set(most_active_keys=7)
    before = await sqlite_keys.policies.get()
    with pytest.raises(BadInputError) as told:
        await sqlite_keys.policies.set(**terms)
    assert told.value.field == field
    assert await sqlite_keys.policies.get() == before
    assert len((await sqlite_keys.events(kind="policy")).items) == 1


async def test_bad_names_of_projects_terms_and_pages_are_refused(sqlite_keys: APIKeys) -> None:
    policies = sqlite_keys.policies
    with pytest.raises(UnknownPermissionError):
        await policies.set(permissions=["FILE_UPLAOD"])
    for bad in ("", "a\nb", "x" * 101):
        with pytest.raises(BadInputError, match="project"):
            await policies.set(bad, idle_days=5)
        with pytest.raises(BadInputError, match="project"):
            await policies.get(bad)
    for after in ("acme", "=a\nb", 5):
        with pytest.raises(BadInputError, match="after"):
            await policies.list(after=after)  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match="limit"):
        await policies.list(limit=0)
    with pytest.raises(BadInputError, match="term"):
        await policies.preview(term="idle")
    with pytest.raises(BadInputError, match="after"):
        await policies.preview(after="0123456789ab")
    with pytest.raises(BadInputError, match="after"):
        await policies.preview(term="idle_days", after="no id")


def person(project: str | None = None, **more: Any) -> Actor:
    """Somebody who manages keys."""
    return Actor("ann", id="7", project=project, **{"permissions": EVERYTHING} | more)


async def test_only_who_is_bound_by_nothing_else_sets_policies(keys: APIKeys) -> None:
    await keys.policies.set("acme", idle_days=5, actor=person())
    for actor in (
        person("acme"),
        person(environment="live"),
        person(permissions=EVERYTHING - {"FILE_MOVE"}),
        person(permissions=frozenset()),
        person(permissions=EVERYTHING - {"ACCESS_MANAGE"}),
    ):
        with pytest.raises(AccessDeniedError):
            await keys.policies.set("acme", idle_days=None, actor=actor)
        with pytest.raises(AccessDeniedError):
            await keys.policies.delete("acme", actor=actor)
    assert await keys.policies.get("acme") is not None
    key = (await keys.create("manages", EVERYTHING)).key
    narrowed = (await keys.create("manages", EVERYTHING)).key
    await keys.policies.set("acme", idle_days=6, actor=Actor.of(key))
    await keys.update(narrowed.id, permissions=EVERYTHING - {"FILE_MOVE"})
    with pytest.raises(AccessDeniedError):  # what it may do is read anew
        await keys.policies.set("acme", idle_days=None, actor=Actor.of(narrowed))


async def test_who_is_of_one_project_sees_its_own_policy_and_the_company_wide_one(keys: APIKeys) -> None:
    for project in (None, "acme", "other"):
        await keys.policies.set(project, idle_days=5)
    ann = person("acme", permissions=frozenset({"ACCESS_READ"}))
    assert [each.project for each in (await keys.policies.list(actor=ann)).items] == [None, "acme"]
    assert await keys.policies.get(actor=ann) is not None
    assert await keys.policies.get("acme", actor=ann) is not None
    with pytest.raises(AccessDeniedError):
        await keys.policies.get("other", actor=ann)
    with pytest.raises(AccessDeniedError):
        await keys.policies.preview("other", actor=ann)
    with pytest.raises(AccessDeniedError):
        await keys.policies.list(actor=person(permissions=frozenset()))
    await keys.create("seen", project="acme")
    await keys.create("not seen", project="other")
    seen = await keys.policies.preview(longest_lifetime=DAY, actor=ann)
    assert seen.counts["longest_lifetime"] == 1


async def test_operators_and_people_are_bound_alike(keys: APIKeys) -> None:
    await keys.policies.set(longest_lifetime=DAY)
    for actor in ("ann", person(), Actor("root", operator=True, at_shell=True)):
        await refused(keys.create("a key", actor=actor), "longest_lifetime", "expires_at")
        await refused(keys.create("a key", project="acme", actor=actor), "longest_lifetime", "expires_at")


async def test_a_preview_tells_which_keys_that_work_do_not_fit_by_term(keys: APIKeys) -> None:
    good = await keys.create("good", ["FILE_UPLOAD"], owner="ann", environment="live", expires_at=ahead(5))
    none = (await keys.create("no permission", owner="ann", environment="live", expires_at=ahead(5))).key.id
    long = (await keys.create("long", ["FILE_UPLOAD"], owner="cy", environment="live", expires_at=ahead(50))).key.id
    ever = (await keys.create("ever", ["FILE_UPLOAD", "DIR_CREATE"], owner="bob", environment="live")).key.id
    either = (await keys.create("either", ["FILE_MOVE"], expires_at=ahead(5))).key.id
    grace = await keys.create("grace", ["DIR_CREATE"], owner="dot", environment="live", expires_at=ahead(5))
    await keys.rotate(grace.key.id, grace=7200.0)
    await keys.create("off", ["FILE_MOVE"], active=False)
    events = (await keys.events()).items
    seen = await keys.policies.preview(
        longest_lifetime=10 * DAY,
        default_lifetime=DAY,
        longest_grace=3600.0,
        idle_days=1,
        most_active_keys=1,
        environments=["live"],
        permissions=["FILE_UPLOAD", "DIR_CREATE"],
    )
    found = {term: set(page.items) for term, page in seen.pages.items()}
    assert found == {
        "longest_lifetime": {long, ever},
        "longest_grace": {grace.key.id},
        "idle_days": set(),
        "most_active_keys": {good.key.id, none, either},
        "environments": {either},
        "permissions": {either},
    }
    assert seen.counts == {term: len(ids) for term, ids in found.items()}
    assert seen.policy.longest_lifetime == 10 * DAY
    assert await keys.policies.get() is None
    assert (await keys.events()).items == events, "nothing is done"
    none_allowed = await keys.policies.preview(permissions=[])
    assert none_allowed.counts == {"permissions": 5}
    await keys.policies.set(environments=["test"])
    stored = await keys.policies.preview()
    assert stored.counts == {"environments": 6}
    assert (await keys.policies.preview("acme", environments=["test"])).counts == {"environments": 0}


async def test_a_preview_is_read_page_by_page(keys: APIKeys) -> None:
    ids = {(await keys.create("a key", project="acme")).key.id for _ in range(5)}
    await keys.policies.set("acme", longest_lifetime=DAY)
    found: list[str] = []
    page = (await keys.policies.preview("acme", limit=2)).pages["longest_lifetime"]
    while True:
        assert 1 <= len(page.items) <= 2
        found += page.items
        if page.next is None:
            break
        following = await keys.policies.preview("acme", term="longest_lifetime", after=page.next, limit=2)
        page = following.pages["longest_lifetime"]
        assert [*following.pages] == ["longest_lifetime"]
        assert following.counts == {"longest_lifetime": 5}
    assert found == sorted(ids)


async def test_a_template_is_no_key_that_an_owner_has_and_what_is_issued_of_it_ends_with_it(keys: APIKeys) -> None:
    await keys.policies.set(most_active_keys=1, longest_lifetime=600.0, permissions=["OBJECTS_LIST"])
    one = await keys.create("a key", ["OBJECTS_LIST"], owner="ann", expires_at=ahead(0.001))
    template = await keys.templates.create("for all", ["OBJECTS_LIST"], lifetime=86_400, expires_at=ahead(0.006))
    assert not (await keys.policies.preview()).counts["most_active_keys"], "though nobody owns it"
    await keys.templates.update(template.id, owner="ann", description="of ann")
    await keys.templates.deactivate(template.id)
    await keys.templates.activate(template.id)
    await keys.templates.create("one more", owner="ann", expires_at=ahead(0.006))
    seen = await keys.policies.preview(idle_days=1)
    assert (seen.counts["most_active_keys"], seen.counts["idle_days"]) == (0, 0)
    await refused(keys.create("another", owner="ann", expires_at=ahead(0.001)), "most_active_keys", "owner")
    await refused(keys.templates.create("for ever"), "longest_lifetime", "expires_at")
    fields: dict[str, Any] = {"permissions": ["FILE_UPLOAD"], "expires_at": ahead(0.001)}
    await refused(keys.templates.create("more", **fields), "permissions", "permissions")
    issued = await keys.issue_temporary(template.id)
    assert issued.expires_at <= ahead(600 / 86_400), "though the template says a day"
    assert (await keys.issue_temporary(one.key.id)).expires_at <= ahead(0.001)
