"""`report_leak`: what becomes of a secret that was found in the open, over each database."""

from collections.abc import AsyncIterator

import pytest

from gatepost import AccessDeniedError, Actor, APIKeys, BadInputError, Outcome
from gatepost.base import LeakResponse, digest


@pytest.fixture
async def keys(ready_url: str) -> AsyncIterator[APIKeys]:
    """Open keys in a fresh database: SQLite, PostgreSQL, MariaDB in turn."""
    async with APIKeys(ready_url, poll_interval=0.1, max_staleness=300) as keys:
        yield keys


async def logged(keys: APIKeys, key_id: str) -> list[str]:
    return [event.kind for event in (await keys.events(key_id)).items]


async def test_a_leaked_secret_opens_nothing_once_the_call_returns_and_the_log_tells_why(keys: APIKeys) -> None:
    issued = await keys.create("a key", ["FILE_UPLOAD"], project="acme")
    assert (await keys.verify(issued.secret)).valid
    leak = await keys.report_leak(issued.secret, source="CI", place="https://example.org/a", actor="ann")
    assert leak is not None
    assert (leak.key_id, leak.done, leak.issued) == (issued.key.id, "deactivated", None)
    assert (await keys.verify(issued.secret)).outcome is Outcome.DEACTIVATED
    assert await logged(keys, issued.key.id) == ["deactivated", "leaked", "created"]
    switched, leaked, _ = (await keys.events(issued.key.id)).items
    assert leaked.seq == switched.seq
    assert (leaked.actor, leaked.project) == ("ann", "acme")
    assert leaked.detail == {"source": "CI", "place": "https://example.org/a", "response": "deactivate"}
    assert issued.secret not in str((leaked, switched, leak))


async def test_a_rotation_ends_the_leaked_secret_at_once_and_the_new_one_is_told_once(keys: APIKeys) -> None:
    issued = await keys.create("a key")
    leak = await keys.report_leak(digest(issued.secret.encode()), response="rotate")
    assert leak is not None
    assert leak.issued is not None
    assert leak.done == "rotated"
    assert leak.issued.secret not in repr(leak)
    assert (await keys.verify(issued.secret)).outcome is Outcome.INVALID
    assert (await keys.verify(leak.issued.secret)).valid
    assert await keys.report_leak(issued.secret, response="rotate") is None
    assert (await keys.verify(leak.issued.secret)).valid


@pytest.mark.parametrize("response", ["deactivate", "rotate"])
async def test_of_a_key_in_rotation_only_the_leaked_older_secret_ends(keys: APIKeys, response: str) -> None:
    old = await keys.create("a key")
    new = await keys.rotate(old.key.id, grace=3600)
    leak = await keys.report_leak(old.secret, response=response)  # type: ignore[arg-type]
    assert leak is not None
    assert leak.done == "grace_ended"
    assert not (await keys.verify(old.secret)).valid
    assert (await keys.verify(new.secret)).valid


async def test_a_notice_changes_nothing_but_the_log(keys: APIKeys) -> None:
    issued = await keys.create("a key")
    leak = await keys.report_leak(issued.secret, response="notify")
    assert leak is not None
    assert leak.done == "noted"
    assert (await keys.verify(issued.secret)).valid
    assert await logged(keys, issued.key.id) == ["leaked", "created"]


async def test_a_find_that_is_told_again_is_in_the_log_once_and_with_once_undoes_nothing(keys: APIKeys) -> None:
    issued = await keys.create("a key")
    for _ in range(2):
        await keys.report_leak(issued.secret, place="https://example.org/a", once=True)
    await keys.activate(issued.key.id)
    again = await keys.report_leak(issued.secret, place="https://example.org/a", once=True)
    assert again is not None
    assert again.done == "nothing"
    assert (await keys.verify(issued.secret)).valid
    elsewhere = await keys.report_leak(issued.secret, place="https://example.org/b", once=True)
    assert elsewhere is not None
    assert elsewhere.done == "deactivated"
    await keys.activate(issued.key.id)
    assert (await keys.report_leak(issued.secret, place="https://example.org/b")) is not None  # not once: acts
    assert not (await keys.verify(issued.secret)).valid
    assert (await logged(keys, issued.key.id)).count("leaked") == 2


async def test_what_no_key_has_changes_nothing_whoever_asks(keys: APIKeys) -> None:
    issued = await keys.create("a key", project="acme")
    before = (await keys.status()).database.seq
    other = Actor("a person", project="other", permissions=frozenset({"ACCESS_MANAGE"}))
    assert await keys.report_leak(issued.secret, actor=other) is None
    assert await keys.report_leak("nothing of ours") is None
    for wrong in ({"response": "explode"}, {"source": ""}, {"place": "x" * 501}, {"source": "a\nb"}):
        with pytest.raises(BadInputError):
            await keys.report_leak(issued.secret, **wrong)  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match="digest"):
        await keys.report_leak(b"short")
    assert (await keys.status()).database.seq == before
    assert (await keys.verify(issued.secret)).valid


async def test_nobody_is_told_the_new_secret_of_a_leaked_key_that_may_do_more_than_they(keys: APIKeys) -> None:
    stronger, same = await keys.create("stronger", ["FILE_UPLOAD"]), await keys.create("as strong")
    manager = Actor("a manager", permissions=frozenset({"ACCESS_MANAGE"}))
    before = (await keys.status()).database.seq
    with pytest.raises(AccessDeniedError, match="FILE_UPLOAD"):
        await keys.report_leak(digest(stronger.secret.encode()), response="rotate", actor=manager)
    assert (await keys.status()).database.seq == before
    assert (await keys.verify(stronger.secret)).valid
    leak = await keys.report_leak(same.secret, response="rotate", actor=manager)
    assert leak is not None
    assert leak.done == "rotated"
    ended = await keys.report_leak(stronger.secret, actor=manager)  # to end it is allowed
    assert ended is not None
    assert (ended.done, ended.issued) == ("deactivated", None)


async def test_who_acts_with_an_older_secret_gets_no_new_one_by_a_report_of_the_current(keys: APIKeys) -> None:
    old = await keys.create("a manager", ["ACCESS_MANAGE"])
    new = await keys.rotate(old.key.id, grace=3600)
    actor = Actor.of(old.key, digest=digest(old.secret.encode()))
    with pytest.raises(AccessDeniedError, match="older secret"):
        await keys.report_leak(new.secret, response="rotate", actor=actor)
    assert (await keys.verify(new.secret)).valid


async def test_the_new_secret_of_a_leaked_test_key_is_for_tests_too(ready_sqlite_url: str) -> None:
    async with APIKeys(ready_sqlite_url, environment="test") as keys:
        issued = await keys.create("a key")
        leak = await keys.report_leak(issued.secret, response="rotate")
        assert leak is not None
        assert leak.issued is not None
        assert issued.secret.startswith("gp_test_")
        assert leak.issued.secret.startswith("gp_test_")
        assert (await keys.verify(leak.issued.secret)).valid


@pytest.mark.parametrize("response", ["deactivate", "rotate", "notify"])
async def test_a_temporary_secret_is_told_of_in_the_log_of_what_it_was_made_from_and_ends_nothing_else(
    keys: APIKeys, response: LeakResponse
) -> None:
    template = await keys.templates.create("for visitors", ["FILE_UPLOAD"], lifetime=300)
    parent = await keys.create("a key", ["FILE_UPLOAD"])
    for made_from in (template.id, parent.key.id):
        found, another = [await keys.issue_temporary(made_from) for _ in range(2)]
        leak = await keys.report_leak(found.secret, source="CI", response=response)
        assert leak is not None
        assert (leak.key_id, leak.done, leak.issued) == (made_from, "noted", None)
        (leaked,) = (await keys.events(made_from, kind="leaked")).items
        assert leaked.detail == {"source": "CI", "place": None, "response": response, "temporary": found.id}
        assert (await keys.verify(another.secret)).valid
    assert (await keys.verify(parent.secret)).valid
    assert await keys.report_leak("gpt_" + "A" * 90) is None
