"""Temporary secrets through the verbs, over SQLite, PostgreSQL and MariaDB."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from gatepost import (
    AccessDeniedError,
    Actor,
    APIKeys,
    BadInputError,
    ImportedKey,
    KeyNotFoundError,
    Outcome,
    Quota,
    Rate,
    Selection,
    Terms,
    UnknownPermissionError,
)
from gatepost.base import Presented, digest
from gatepost.database.connecting.engine import changing
from gatepost.limits import Policies
from gatepost.temporary import TemporaryRecord
from tests.freshness.conftest import counted_statements
from tests.keyring.conftest import let_pass
from tests.temporary.conftest import PAGE, MakeWorker

MAY = ["FILE_UPLOAD", "OBJECTS_LIST", "ACCESS_MANAGE"]


async def outcome(keys: APIKeys, secret: str, **of_request: Any) -> Outcome:
    return (await keys.verify(secret, **of_request)).outcome


async def test_a_temporary_secret_tells_its_parent_and_what_is_left(keys: APIKeys) -> None:
    template = await keys.templates.create("a widget", MAY, project="acme", owner="ann", lifetime=600)
    issued = await keys.issue_temporary(template.id, subject="visitor 7")
    assert issued.secret.startswith("gpt_")
    assert len(issued.secret) < 150
    assert issued.secret not in repr(issued)
    assert (issued.key_id, issued.subject) == (template.id, "visitor 7")
    assert timedelta(seconds=595) < issued.expires_at - datetime.now(UTC) < timedelta(seconds=605)
    for fresh in (False, False, True):
        verdict = await keys.verify(issued.secret, subject="visitor 7", fresh=fresh)
        key = verdict.key
        assert verdict.valid
        assert key is not None
        assert (key.id, key.project, key.owner, key.description) == (template.id, "acme", "ann", "a widget")
        assert key.permissions == issued.permissions == {"FILE_UPLOAD", "OBJECTS_LIST"}, "never to manage keys"
        assert (key.subject, key.expires_at) == ("visitor 7", issued.expires_at)
    plain = await keys.create("a key", MAY)
    assert plain.key.subject is None


async def test_it_narrows_and_never_widens(keys: APIKeys) -> None:
    key = (await keys.create("a key", MAY, allow=["203.0.113.0/24"])).key
    narrowed = await keys.issue_temporary(key.id, permissions=["FILE_UPLOAD"], allow=["203.0.113.9"], lifetime=60)
    inside: dict[str, Any] = {"address": "203.0.113.9"}
    verdict = await keys.verify(narrowed.secret, **inside)
    assert verdict.key is not None
    assert verdict.valid
    assert verdict.key.permissions == {"FILE_UPLOAD"}
    assert verdict.key.allow == ("203.0.113.9/32",)
    for address in ("203.0.113.8", "198.51.100.7", None):
        assert await outcome(keys, narrowed.secret, address=address) is Outcome.ADDRESS_DENIED
    await keys.update(key.id, allow=["203.0.113.8"])
    assert await outcome(keys, narrowed.secret, **inside) is Outcome.ADDRESS_DENIED, "as the parent is now"
    await keys.update(key.id, allow=None, permissions=["OBJECTS_LIST", "FILE_DELETE"])
    verdict = await keys.verify(narrowed.secret, **inside)
    assert verdict.key is not None
    assert verdict.valid
    assert verdict.key.permissions == frozenset()
    await keys.update(key.id, permissions=["FILE_UPLOAD", "FILE_DELETE"])
    verdict = await keys.verify(narrowed.secret, **inside)
    assert verdict.key is not None
    assert verdict.key.permissions == {"FILE_UPLOAD"}
    soon = datetime.now(UTC) + timedelta(seconds=20)
    assert (await keys.update(key.id, expires_at=soon)).expires_at == soon
    verdict = await keys.verify(narrowed.secret, **inside)
    assert verdict.key is not None
    assert verdict.key.expires_at == soon
    let_pass(keys, 30)
    assert await outcome(keys, narrowed.secret, **inside) is Outcome.EXPIRED


async def test_it_ends_by_itself_whatever_its_parent_does(sqlite_keys: APIKeys) -> None:
    keys = sqlite_keys
    key = (await keys.create("a key", MAY)).key
    issued = await keys.issue_temporary(key.id, lifetime=50)
    assert await outcome(keys, issued.secret) is Outcome.VALID
    let_pass(keys, 51)
    assert await outcome(keys, issued.secret) is Outcome.EXPIRED


ENDS = ("deactivate", "delete", "rotate", "update")


@pytest.mark.parametrize("end", ENDS)
async def test_what_a_template_issued_dies_with_it(keys: APIKeys, end: str) -> None:
    template = await keys.templates.create("a widget", MAY)
    issued = await keys.issue_temporary(template.id)
    assert await outcome(keys, issued.secret) is Outcome.VALID
    if end == "update":
        await keys.templates.update(template.id, expires_at=datetime.now(UTC) + timedelta(seconds=10))
        assert await outcome(keys, issued.secret) is Outcome.VALID, "and it is remembered"
        let_pass(keys, 11)
        assert await outcome(keys, issued.secret) is Outcome.EXPIRED
        return
    await getattr(keys.templates, end)(template.id)
    assert await outcome(keys, issued.secret) is (Outcome.DEACTIVATED if end == "deactivate" else Outcome.INVALID)
    if end == "rotate":
        again = await keys.issue_temporary(template.id)
        assert await outcome(keys, again.secret) is Outcome.VALID
    elif end == "deactivate":
        with pytest.raises(AccessDeniedError, match="cannot be used now"):
            await keys.issue_temporary(template.id)
        await keys.templates.activate(template.id)
        assert await outcome(keys, issued.secret) is Outcome.VALID, "as a key's own secret"
    else:
        with pytest.raises(KeyNotFoundError):
            await keys.issue_temporary(template.id)


async def test_it_lives_as_long_as_the_secret_that_it_was_made_from(keys: APIKeys) -> None:
    made = await keys.create("a key", MAY)
    of_id, of_secret = await keys.issue_temporary(made.key.id), await keys.issue_temporary(made.secret)
    rotated = await keys.rotate(made.key.id, grace=60)
    of_new = await keys.issue_temporary(made.key.id)
    of_old = await keys.issue_temporary(made.secret)
    assert of_old.expires_at < datetime.now(UTC) + timedelta(seconds=61), "the grace ends before the hour"
    for each in (of_id, of_secret, of_new, of_old):
        assert await outcome(keys, each.secret) is Outcome.VALID
    await keys.end_grace(made.key.id)
    for each in (of_id, of_secret, of_old):
        assert await outcome(keys, each.secret) is Outcome.INVALID
    assert await outcome(keys, of_new.secret) is Outcome.VALID
    await keys.rotate(made.key.id, grace=0)
    assert await outcome(keys, of_new.secret) is Outcome.INVALID
    with pytest.raises(BadInputError, match="no key has that secret"):
        await keys.issue_temporary(rotated.secret)


async def test_a_shorter_lifetime_of_a_template_holds_for_what_was_issued(sqlite_keys: APIKeys) -> None:
    keys = sqlite_keys
    template = await keys.templates.create("a widget", MAY, lifetime=3600)
    issued = await keys.issue_temporary(template.id)
    await keys.templates.update(template.id, lifetime=50)
    assert await outcome(keys, issued.secret) is Outcome.VALID, "and it is remembered"
    let_pass(keys, 51)
    assert await outcome(keys, issued.secret) is Outcome.EXPIRED
    assert (await keys.templates.get(template.id)).terms == Terms(lifetime=50)


async def test_it_is_bound_to_a_subject_and_to_pages(keys: APIKeys) -> None:
    template = await keys.templates.create("a widget", MAY, origins=[PAGE, "http://localhost:8080"])
    issued = await keys.issue_temporary(template.id, subject="ann")
    for origin, subject, expected in [
        (PAGE, "ann", Outcome.VALID),
        ("http://localhost:8080", "ann", Outcome.VALID),
        (PAGE, "bob", Outcome.SUBJECT_DENIED),
        (PAGE, None, Outcome.SUBJECT_DENIED),
        ("https://evil.example", "ann", Outcome.ORIGIN_DENIED),
        (f"{PAGE}:8443", "ann", Outcome.ORIGIN_DENIED),
        ("null", "ann", Outcome.ORIGIN_DENIED),
        (None, "ann", Outcome.ORIGIN_DENIED),
    ]:
        assert await outcome(keys, issued.secret, origin=origin, subject=subject) is expected
    await keys.templates.update(template.id, origins=["https://other.example"])
    assert await outcome(keys, issued.secret, origin=PAGE, subject="ann") is Outcome.ORIGIN_DENIED


async def test_issuing_and_verifying_cost_no_statement_where_the_parent_is_remembered(keys: APIKeys) -> None:
    template = await keys.templates.create("a widget", MAY)
    made = await keys.create("a key", MAY)
    first = [await keys.issue_temporary(parent) for parent in (template.id, made.key.id, made.secret)]
    with counted_statements(keys) as counts:
        for _ in range(5):
            for parent in (template.id, made.key.id, made.secret):
                issued = await keys.issue_temporary(parent, permissions=["FILE_UPLOAD"])
                assert await outcome(keys, issued.secret) is Outcome.VALID
        for each in first:
            assert await outcome(keys, each.secret) is Outcome.VALID
            broken = each.secret[:-1] + ("A" if each.secret[-1] != "A" else "Q")
            assert await outcome(keys, broken) is Outcome.INVALID
    assert counts.total() - counts["counter"] == 0


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"lifetime": 0}, BadInputError, "1 to 600"),
    ({"lifetime": 601}, BadInputError, "1 to 600"),
    ({"lifetime": 1.5}, BadInputError, "lifetime"),
    ({"lifetime": True}, BadInputError, "lifetime"),
    ({"permissions": ["FILE_DELETE"]}, BadInputError, "can only narrow"),
    ({"permissions": ["FILE_UPLAOD"]}, UnknownPermissionError, "FILE_UPLOAD"),
    ({"allow": ["10.0.0.0/8"]}, BadInputError, "may not be used from all"),
    ({"allow": ["10.0.0.1/8"]}, BadInputError, "bits"),
    ({"subject": ""}, BadInputError, "subject"),
    ({"subject": "é" * 51}, BadInputError, "subject"),
    ({"subject": "a\nb"}, BadInputError, "subject"),
    ({"limits": [Rate(1, per=1, name=f"n{number}" * 10) for number in range(8)]}, BadInputError, "room|characters"),
    ({"actor": None}, BadInputError, "actor"),
]


async def test_what_cannot_be_issued_is_refused_with_what_to_do(sqlite_keys: APIKeys) -> None:
    keys = sqlite_keys
    template = await keys.templates.create("a widget", MAY, lifetime=600, allow=["203.0.113.0/24"])
    for arguments, error, said in WRONG:
        with pytest.raises(error, match=said):
            await keys.issue_temporary(template.id, **arguments)
    issued = await keys.issue_temporary(template.id, allow=["203.0.113.9"])
    for parent, error in [
        ("000000000000", KeyNotFoundError),
        ("gp_nonsense", BadInputError),
        (b"short", BadInputError),
        (bytes(32), BadInputError),
        (issued.secret, BadInputError),
        (None, BadInputError),
    ]:
        with pytest.raises(error) as told:
            await keys.issue_temporary(parent)  # type: ignore[arg-type]
        assert issued.secret not in str(told.value)


TERMS: list[tuple[dict[str, Any], str]] = [
    ({"lifetime": 86_401}, "lifetime"),
    ({"lifetime": None}, "lifetime"),
    ({"origins": []}, "origins"),
    ({"origins": PAGE}, "origins"),
    ({"origins": [f"{PAGE}/"]}, "origins"),
    ({"origins": [f"{PAGE}/path"]}, "origins"),
    ({"origins": ["www.example.org"]}, "origins"),
    ({"origins": ["https://*.example.org"]}, "origins"),
    ({"origins": ["https://user@example.org"]}, "origins"),
    ({"origins": ["https://EXAMPLE.org"]}, "origins"),
    ({"origins": ["null"]}, "origins"),
    ({"origins": ["https://a.example:99999"]}, "origins"),
    ({"public": 1}, "public"),
]


async def test_terms_that_cannot_be_are_refused_and_change_nothing(sqlite_keys: APIKeys) -> None:
    keys = sqlite_keys
    template = await keys.templates.create("a widget", MAY, origins=["https://a.example:443", "https://a.example"])
    assert template.terms == Terms(origins=("https://a.example",))
    for arguments, field in TERMS:
        for call in (keys.templates.create("another", **arguments), keys.templates.update(template.id, **arguments)):
            with pytest.raises(BadInputError) as told:
                await call
            assert told.value.field == field
    assert [each.key.version for each in (await keys.templates.list()).items] == [template.key.version]


async def test_templates_are_apart_from_keys_and_under_the_same_verbs(keys: APIKeys) -> None:
    template = await keys.templates.create("a widget", MAY, owner="ann", project="acme")
    key = (await keys.create("a key", MAY, owner="ann", project="acme")).key
    lists: list[dict[str, Any]] = [{}, {"owner": "ann"}, {"search": "a"}, {"permission": "FILE_UPLOAD"}]
    lists += [{"active": True}, {"project": "acme", "owner": "ann"}, {"never_expires": True}, {"never_used": True}]
    for which in lists:
        for sort in ("-created", "expires", "description", "last_used"):
            assert [each.id for each in (await keys.list(**which, sort=sort)).items] == [key.id]
            assert [each.id for each in (await keys.templates.list(**which, sort=sort)).items] == [template.id]
        assert (await keys.count(**which)).number == (await keys.templates.count(**which)).number == 1
    assert (await keys.templates.get(template.id)).key == await keys.get(template.id)
    for call in (
        keys.templates.get(key.id),
        keys.templates.update(key.id, lifetime=5),
        keys.templates.deactivate(key.id),
        keys.templates.delete([key.id]),
        keys.templates.rotate(key.id),
    ):
        with pytest.raises(KeyNotFoundError):
            await call
    with pytest.raises(AccessDeniedError, match=r"templates\.rotate"):
        await keys.rotate(template.id, grace=0)
    with pytest.raises(BadInputError, match="is no template"):
        await keys.update(key.id, template=Terms())
    of_owner = await keys.deactivate(Selection(owner="ann"))
    assert list(of_owner.changed) == [key.id]
    assert list((await keys.deactivate(Selection(owner="ann", templates=True))).changed) == [template.id]
    kinds = [(event.kind, (event.detail or {}).get("template")) for event in (await keys.events(template.id)).items]
    assert kinds == [("deactivated", None), ("created", {"lifetime": 3600, "origins": None, "public": False})]


async def test_what_a_leaked_manager_made_is_found_with_its_templates(sqlite_keys: APIKeys) -> None:
    keys = sqlite_keys
    manager = (await keys.create("a manager", MAY)).key
    template = await keys.templates.create("a widget", ["FILE_UPLOAD"], actor=Actor.of(manager))
    made = await keys.create("a key", ["FILE_UPLOAD"], actor=Actor.of(manager))
    receipt = await keys.deactivate(Selection(made_by=manager.id))
    assert set(receipt.changed) == {template.id, made.key.id}


async def test_issuing_and_uses_are_counted_under_the_parent(sqlite_keys: APIKeys) -> None:
    keys = sqlite_keys
    template = await keys.templates.create("a widget", MAY)
    for _ in range(3):
        issued = await keys.issue_temporary(template.id)
        await keys.verify(issued.secret)
    await keys.flush_usage()
    lines = {line.route: line.count for line in await keys.usage(template.id, by="route")}
    assert lines == {"(a temporary secret issued)": 3, "": 3}
    assert (await keys.get(template.id)).last_used_at is not None


async def test_limits_of_both_count(sqlite_keys: APIKeys) -> None:
    keys = sqlite_keys
    template = await keys.templates.create("a widget", MAY, limits=[Quota(5, per="day", name="plan")])
    assert [state.limit.name for state in await keys.limits(template.id)] == ["plan"]


async def test_what_somebody_wrote_by_hand_lets_nobody_in(keys: APIKeys) -> None:
    template = await keys.templates.create("a widget", MAY)
    issued = await keys.issue_temporary(template.id)
    async with changing(keys._database.engine) as connection, connection.begin():
        await connection.execute(text("UPDATE gatepost_keys SET template = '{'"))
    assert await outcome(keys, issued.secret, fresh=True) is not Outcome.VALID
    assert (await keys.templates.get(template.id)).terms is None
    await keys._opened().freshness.poll()
    with pytest.raises(BadInputError, match="cannot be read"):
        await keys.issue_temporary(template.id)
    assert (await keys.templates.update(template.id, lifetime=60)).terms == Terms(lifetime=60)
    assert await outcome(keys, issued.secret) is Outcome.VALID


async def test_nobody_issues_what_they_do_not_hold(keys: APIKeys) -> None:
    strong = await keys.templates.create("strong", ["FILE_UPLOAD", "FILE_DELETE"], project="acme")
    weak = await keys.templates.create("weak", ["FILE_UPLOAD"], project="acme")
    other = await keys.templates.create("other", ["FILE_UPLOAD"], project="other")
    manager = await keys.create("a manager", ["FILE_UPLOAD", "ACCESS_MANAGE"], project="acme")
    actor = Actor.of(manager.key)
    issued = await keys.issue_temporary(weak.id, actor=actor)
    with pytest.raises(AccessDeniedError, match="FILE_DELETE"):
        await keys.issue_temporary(strong.id, actor=actor)
    with pytest.raises(AccessDeniedError, match="FILE_DELETE"):
        await keys.templates.create("wider", ["FILE_DELETE"], actor=actor)
    with pytest.raises(AccessDeniedError, match="FILE_DELETE"):
        await keys.templates.update(strong.id, public=True, actor=actor)
    with pytest.raises(KeyNotFoundError):
        await keys.issue_temporary(other.id, actor=actor)
    with pytest.raises(AccessDeniedError, match="ACCESS_MANAGE"):
        await keys.issue_temporary(weak.id, actor=Actor("ann", permissions=frozenset({"FILE_UPLOAD"})))
    await keys.update(weak.id, permissions=["FILE_UPLOAD", "FILE_DELETE"])
    key = (await keys.verify(issued.secret)).key
    assert key is not None
    assert key.permissions == {"FILE_UPLOAD"}, "what was added later is not handed on by who does not hold it"
    await keys.deactivate(manager.key.id)
    with pytest.raises(AccessDeniedError):
        await keys.issue_temporary(weak.id, actor=actor)


async def test_a_temporary_secret_manages_nothing(sqlite_keys: APIKeys) -> None:
    keys = sqlite_keys
    made = await keys.create("a manager", MAY)
    issued = await keys.issue_temporary(made.secret)
    key = (await keys.verify(issued.secret)).key
    assert key is not None
    with pytest.raises(AccessDeniedError, match="ACCESS_MANAGE"):
        await keys.create("for ever", ["FILE_UPLOAD"], actor=Actor.of(key))
    with pytest.raises(AccessDeniedError, match="ACCESS_MANAGE"):
        await keys.issue_temporary(made.key.id, actor=Actor.of(key))


async def test_a_leak_of_one_whose_digest_alone_is_told_is_unknown(sqlite_keys: APIKeys) -> None:
    """With its text it is told of in the log of what it was made from: tests/leaks."""
    keys = sqlite_keys
    made = await keys.create("a key", MAY)
    issued = await keys.issue_temporary(made.secret)
    assert await keys.report_leak(digest(issued.secret.encode())) is None
    assert (await keys.verify(made.secret)).valid
    assert not keys.is_genuine(issued.secret.encode())


async def test_a_template_itself_opens_nothing(sqlite_keys: APIKeys) -> None:
    keys = sqlite_keys
    template = await keys.templates.create("a widget", MAY)
    current = await keys._database.current_secret(template.id)
    assert current is not None
    digest = current[0]
    for fresh in (True, False, False):
        presented = Presented(digest=digest, fresh=fresh)
        assert (await keys.judge_presented(presented))[0] is Outcome.INVALID
        assert keys.hit(digest) is None
        assert keys.bounded_hit(digest) is None


async def test_nothing_is_issued_of_a_secret_that_was_imported_since_it_would_tell_its_digest(
    worker: MakeWorker,
) -> None:
    keys, theirs = await worker(), await worker(foreign_secrets=True)
    weak = "legacy-4711"
    own = await keys.create("its own", ["FILE_UPLOAD"])
    hints = ["", own.key.hint, "gp_...4711", "legacy...4711"]
    texts = [weak, *(f"{weak}-{number}" for number in range(1, len(hints)))]
    imported = [
        ImportedKey(digest=digest(text.encode()), description="CI", permissions=["FILE_UPLOAD"], hint=hint)
        for text, hint in zip(texts, hints, strict=True)
    ]
    for key, shown in zip(await theirs.import_digests(imported), texts, strict=True):
        for parent in (key.id, shown, digest(shown.encode()), key.id):
            for of in (theirs,) if parent == shown else (theirs, keys):
                with pytest.raises(BadInputError, match="rotate the key first, or issue of a template"):
                    await of.issue_temporary(parent)
    rotated = await theirs.rotate(key.id, grace=60)
    for parent in (key.id, rotated.secret, digest(rotated.secret.encode())):
        issued = await theirs.issue_temporary(parent)
        assert await outcome(theirs, issued.secret) is Outcome.VALID
    with pytest.raises(BadInputError, match="was imported"):
        await theirs.issue_temporary(shown)  # in its grace
    for parent in (own.key.id, own.secret, digest(own.secret.encode())):
        assert await outcome(keys, (await theirs.issue_temporary(parent)).secret) is Outcome.VALID


async def test_whether_a_secret_was_imported_is_asked_once(keys: APIKeys) -> None:
    issued = await keys.create("a key", ["FILE_UPLOAD"])
    for parent in (digest(issued.secret.encode()), issued.key.id, issued.secret):
        await keys.issue_temporary(parent)
        with counted_statements(keys) as statements:
            await keys.issue_temporary(parent)
        assert not statements, parent


async def test_a_parent_that_the_issuer_does_not_reach_looks_as_one_that_there_is_not(worker: MakeWorker) -> None:
    keys = await worker(environment="live")
    manager = await keys.create("manager", ["ACCESS_MANAGE", "FILE_UPLOAD"], project="acme")
    actor = Actor.of(manager.key)
    made = [
        await keys.create("elsewhere", ["FILE_UPLOAD"], project="other", environment=environment)
        for environment in ("test", "live", None)
    ]
    made.append(await keys.create("of both", ["FILE_UPLOAD"], environment="test"))
    for one in made:
        with pytest.raises(KeyNotFoundError) as unreached:
            await keys.issue_temporary(one.key.id, actor=actor)
        assert str(unreached.value).replace(one.key.id, "a" * 12) == "No key with id 'aaaaaaaaaaaa'"
        for parent in (one.secret, digest(one.secret.encode()), "gp_nothing", bytes(32)):
            with pytest.raises(BadInputError, match=r"^parent: no key has that secret$"):
                await keys.issue_temporary(parent, actor=actor)
    with pytest.raises(BadInputError, match="another environment"):
        await keys.issue_temporary(made[0].key.id)


async def test_a_quota_of_its_own_tells_the_database_when_it_ends(sqlite_keys: APIKeys) -> None:
    keys = sqlite_keys
    template = await keys.templates.create("a widget", MAY, lifetime=60)
    issued = await keys.issue_temporary(template.id, limits=[Quota(1, per="month", name="q")])
    record = (await keys.verify(issued.secret)).key
    assert isinstance(record, TemporaryRecord)
    (bucket,) = [bucket for bucket, _ in Policies(None).demand(record).asked]
    assert bucket.name == f"temporary/{int(issued.expires_at.timestamp())}.{issued.id}/q/0"


async def test_a_template_and_a_key_are_named_by_themselves_too(sqlite_keys: APIKeys) -> None:
    keys = sqlite_keys
    template = await keys.templates.create("a widget", MAY)
    issued = await keys.create("a key", MAY)
    for parent, key_id in ((template, template.id), (issued, issued.key.id), (issued.key, issued.key.id)):
        assert (await keys.issue_temporary(parent)).key_id == key_id
    for wrong in (5, None, template.terms):
        with pytest.raises(BadInputError, match=r"^parent must be a template or key"):
            await keys.issue_temporary(wrong)  # type: ignore[arg-type]


async def test_who_asks_for_managing_keys_is_told_that_it_is_never_given(sqlite_keys: APIKeys) -> None:
    made = await sqlite_keys.create("a manager", MAY)
    for asked in (["ACCESS_MANAGE"], MAY):
        with pytest.raises(BadInputError, match="no temporary secret has ACCESS_MANAGE"):
            await sqlite_keys.issue_temporary(made.key.id, permissions=asked)


async def test_the_key_that_issues_ends_by_the_databases_clock(
    sqlite_keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = sqlite_keys
    soon = datetime.now(UTC) + timedelta(seconds=300)
    manager = (await keys.create("manager", MAY, expires_at=soon)).key
    template = await keys.templates.create("a widget", ["FILE_UPLOAD"])
    await keys.issue_temporary(template, actor=Actor.of(manager))
    monkeypatch.setattr(keys._parts.opened().freshness, "database_now", lambda: soon.timestamp() + 1)
    with pytest.raises(AccessDeniedError, match="cannot be used any more"):
        await keys.issue_temporary(template, actor=Actor.of(manager))
