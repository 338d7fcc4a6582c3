"""What each verb does, over SQLite, PostgreSQL and MariaDB."""

import asyncio
import dataclasses
import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from gatepost import (
    APIKeys,
    BadInputError,
    Catalogue,
    ConfigurationError,
    ImportedKey,
    KeyNotFoundError,
    Outcome,
    UnknownPermissionError,
)
from gatepost.base.secret import digest
from tests.keyring.conftest import let_pass, logged, take_foreign


async def test_a_created_key_is_read_back_as_it_was_given_and_its_secret_verifies(keys: APIKeys) -> None:
    expires = datetime(2099, 1, 2, 3, 4, 5, 678901, UTC)
    issued = await keys.create(
        "  nightly import ✓ ", ["FILE_UPLOAD", "OBJECTS_LIST"], project="acme", expires_at=expires, actor="ann"
    )

    assert await keys.get(issued.key.id) == issued.key
    assert issued.key.description == "nightly import ✓"
    assert issued.key.permissions == {"FILE_UPLOAD", "OBJECTS_LIST"}
    assert issued.key.project == "acme"
    assert issued.key.active
    assert issued.key.expires_at == expires
    assert abs(issued.key.created_at - datetime.now(UTC)) < timedelta(seconds=10)
    verdict = await keys.verify(issued.secret)
    assert verdict.outcome is Outcome.VALID
    assert verdict.key is not None
    assert (verdict.key.id, verdict.key.permissions, verdict.key.expires_at) == (
        issued.key.id,
        issued.key.permissions,
        expires,
    )
    assert verdict.key.created_at == issued.key.created_at


async def test_what_was_never_issued_is_invalid(keys: APIKeys) -> None:
    issued = await keys.create("a key")
    other = "x" if issued.secret[-1] != "x" else "y"
    for wrong in ("", "gp_", issued.secret[:-1], issued.secret[:-1] + other, issued.secret.upper(), "é" * 30, "\ud800"):
        verdict = await keys.verify(wrong)
        assert (verdict.outcome, verdict.key) == (Outcome.INVALID, None), wrong


async def test_the_secret_is_not_stored_anywhere_in_the_database(keys: APIKeys) -> None:
    issued = await keys.create("a key", ["FILE_UPLOAD"])
    await keys.rotate(issued.key.id, grace=60)
    from sqlalchemy import select  # noqa: PLC0415

    from gatepost.database.schema.tables import metadata  # noqa: PLC0415

    body = issued.secret.rpartition("_")[2]
    async with keys._database.engine.connect() as connection:
        for table in metadata.sorted_tables:
            for row in await connection.execute(select(table)):
                assert body not in repr(tuple(row))


async def test_a_deactivated_key_is_refused_when_the_call_returns_and_works_again_after_activation(
    keys: APIKeys,
) -> None:
    issued = await keys.create("a key")
    assert (await keys.verify(issued.secret)).valid
    assert keys.hit(digest(issued.secret.encode())) is not None

    receipt = await keys.deactivate(issued.key.id)

    assert (list(receipt.changed), list(receipt.unchanged), list(receipt.unknown)) == ([issued.key.id], [], [])
    assert keys.hit(digest(issued.secret.encode())) is None
    verdict = await keys.verify(issued.secret)
    assert verdict.outcome is Outcome.DEACTIVATED
    assert verdict.key is not None
    assert not (await keys.get(issued.key.id)).active

    again = await keys.deactivate(issued.key.id)
    assert (again.seq, list(again.changed), list(again.unchanged)) == (None, [], [issued.key.id])

    await keys.activate(issued.key.id)
    assert (await keys.verify(issued.secret)).valid


async def test_many_ids_are_switched_in_one_change_and_unknown_ones_are_named(keys: APIKeys) -> None:
    made = [await keys.create(f"key {n}") for n in range(5)]
    ids = [issued.key.id for issued in made]
    await keys.deactivate(ids[4])

    receipt = await keys.deactivate([ids[0], "nobody", *ids, "nothing"])

    assert list(receipt.changed) == ids[:4]
    assert list(receipt.unchanged) == [ids[4]]
    assert list(receipt.unknown) == ["nobody", "nothing"]
    for issued in made:
        assert (await keys.verify(issued.secret)).outcome is Outcome.DEACTIVATED
    position = await keys._database.read_position()
    assert position.seq == receipt.seq
    events = await logged(keys, position.seq - 1, position.seq)
    assert len({event.digest for event in events if event.seq == receipt.seq}) == 4


async def test_more_ids_than_fit_into_one_statement_are_switched_in_one_change(keys: APIKeys) -> None:
    take_foreign(keys)
    imported = [
        ImportedKey(digest=hashlib.sha256(str(n).encode()).digest(), description=f"key {n}") for n in range(1203)
    ]
    made = await keys.import_digests(imported)
    before = (await keys._database.read_position()).seq

    receipt = await keys.deactivate(key.id for key in made)

    assert len(receipt.changed) == 1203
    assert (await keys._database.read_position()).seq == before + 1 == receipt.seq
    assert (await keys.verify("1202")).outcome is Outcome.DEACTIVATED


async def test_a_single_unknown_id_raises_and_changes_nothing(keys: APIKeys) -> None:
    before = await keys._database.read_position()
    for verb in (keys.get, keys.activate, keys.deactivate, keys.delete):
        with pytest.raises(KeyNotFoundError, match="nobody"):
            await verb("nobody")
    with pytest.raises(KeyNotFoundError, match="nobody"):
        await keys.update("nobody", description="x")
    with pytest.raises(KeyNotFoundError, match="nobody"):
        await keys.rotate("nobody", grace=0)
    after = await keys._database.read_position()
    assert (after.seq, after.nonce) == (before.seq, before.nonce)


async def test_ids_and_projects_that_differ_only_in_case_are_different(keys: APIKeys) -> None:
    issued = await keys.create("a key", project="Acme")
    swapped = issued.key.id.swapcase()
    with pytest.raises(KeyNotFoundError):
        await keys.get(swapped)
    assert len((await keys.list(project="acme")).items) == 0
    assert len((await keys.list(project="Acme")).items) == 1


async def test_an_edit_changes_what_it_names_and_takes_effect_at_once(keys: APIKeys) -> None:
    issued = await keys.create("a key", ["FILE_UPLOAD"])
    assert (await keys.verify(issued.secret)).valid

    edited = await keys.update(issued.key.id, description="renamed", permissions=["DIR_MOVE", "DIR_MOVE"])

    assert (edited.description, set(edited.permissions)) == ("renamed", {"DIR_MOVE"})
    assert edited.created_at == issued.key.created_at
    assert edited.updated_at > issued.key.updated_at
    verdict = await keys.verify(issued.secret)
    assert verdict.key is not None
    assert verdict.key.permissions == {"DIR_MOVE"}


async def test_expiry_is_judged_by_the_databases_clock_and_can_be_lifted(keys: APIKeys) -> None:
    now = (await keys._database.read_position()).now
    issued = await keys.create("short", expires_at=datetime.fromtimestamp(now + 3600, UTC))
    assert (await keys.verify(issued.secret)).valid
    let_pass(keys, 3601)
    assert keys.hit(digest(issued.secret.encode())) is None
    assert (await keys.verify(issued.secret)).outcome is Outcome.EXPIRED
    await keys.update(issued.key.id, expires_at=None)
    assert (await keys.verify(issued.secret)).valid


async def test_a_rotated_secret_lives_for_its_grace_and_no_longer(keys: APIKeys) -> None:
    first = await keys.create("a key", ["FILE_UPLOAD"])
    assert (await keys.verify(first.secret)).valid

    second = await keys.rotate(first.key.id, grace=3600)

    assert second.key.id == first.key.id
    assert second.secret != first.secret
    assert second.key.hint is not None
    assert second.secret.endswith(second.key.hint[-4:])
    for issued in (first, second):
        verdict = await keys.verify(issued.secret)
        assert verdict.valid
        assert verdict.key is not None
        assert verdict.key.permissions == {"FILE_UPLOAD"}
    let_pass(keys, 3500)
    assert (await keys.verify(first.secret)).valid
    let_pass(keys, 3601)
    assert (await keys.verify(first.secret)).outcome is Outcome.EXPIRED
    assert (await keys.verify(second.secret)).valid


async def test_a_rotation_without_grace_kills_the_old_secret_at_once(keys: APIKeys) -> None:
    first = await keys.create("a key")
    assert (await keys.verify(first.secret)).valid
    second = await keys.rotate(first.key.id, grace=0)
    assert (await keys.verify(first.secret)).outcome is Outcome.INVALID
    assert (await keys.verify(second.secret)).valid


async def test_a_key_has_two_secrets_at_most(keys: APIKeys) -> None:
    first = await keys.create("a key")
    second = await keys.rotate(first.key.id, grace=3600)
    third = await keys.rotate(first.key.id, grace=3600)
    assert (await keys.verify(first.secret)).outcome is Outcome.INVALID
    assert (await keys.verify(second.secret)).valid
    assert (await keys.verify(third.secret)).valid
    await keys.deactivate(first.key.id)
    for issued in (second, third):
        assert (await keys.verify(issued.secret)).outcome is Outcome.DEACTIVATED


async def test_a_deleted_key_is_gone_and_its_events_stay(keys: APIKeys) -> None:
    issued = await keys.create("a key")
    assert (await keys.verify(issued.secret)).valid
    receipt = await keys.delete([issued.key.id, "nobody"])
    assert (list(receipt.changed), list(receipt.unknown)) == ([issued.key.id], ["nobody"])
    assert (await keys.verify(issued.secret)).outcome is Outcome.INVALID
    with pytest.raises(KeyNotFoundError):
        await keys.get(issued.key.id)
    assert receipt.seq is not None
    events = await logged(keys, 0, receipt.seq)
    digest = hashlib.sha256(issued.secret.encode()).digest()
    assert [event.seq for event in events if event.digest == digest] == [1, 2]


async def test_pages_give_every_key_once_newest_first_while_others_come_and_go(keys: APIKeys) -> None:
    made = [(await keys.create(f"key {n}")).key.id for n in range(7)]
    first = await keys.list(limit=3)
    await keys.create("in between")
    await keys.delete(made[6])
    second = await keys.list(limit=3, after=first.next)
    third = await keys.list(limit=3, after=second.next)

    seen = [key.id for page in (first, second, third) for key in page.items]
    assert seen == list(reversed(made))
    assert third.next is None


async def test_keys_of_one_import_are_paged_without_loss(keys: APIKeys) -> None:
    take_foreign(keys)
    imported = [ImportedKey(digest=hashlib.sha256(bytes([n])).digest(), description=f"key {n}") for n in range(10)]
    made = {key.id for key in await keys.import_digests(imported)}
    seen: list[str] = []
    after = None
    while True:
        page = await keys.list(limit=4, after=after)
        seen += [key.id for key in page.items]
        after = page.next
        if after is None:
            break
    assert len(seen) == 10
    assert set(seen) == made


async def test_filters_narrow_a_list(keys: APIKeys) -> None:
    a = (await keys.create("Nightly 100% import", ["FILE_UPLOAD"], project="acme")).key
    b = (await keys.create("reader", ["OBJECTS_LIST", "FILE_META_CREATE"], project="acme")).key
    c = (await keys.create("nightly_export", ["OBJECTS_LIST"], project=None)).key
    await keys.deactivate(b.id)

    async def ids(**filters: object) -> list[str]:
        return [key.id for key in (await keys.list(**filters)).items]  # type: ignore[arg-type]

    assert await ids() == [c.id, b.id, a.id]
    assert await ids(project="acme") == [b.id, a.id]
    assert await ids(active=False) == [b.id]
    assert await ids(active=True) == [c.id, a.id]
    assert await ids(permission="OBJECTS_LIST") == [c.id, b.id]
    assert await ids(permission="FILE_META_CREATE") == [b.id]
    assert await ids(search="NIGHTLY") == [c.id, a.id]
    assert await ids(search="100%") == [a.id]
    assert await ids(search="exp night") == [c.id]
    assert await ids(search="port") == []
    assert await ids(search="?!") == []
    assert await ids(search=b.id) == [b.id]
    assert await ids(search=b.id[:6]) == [b.id]
    assert await ids(project="acme", permission="OBJECTS_LIST", active=True) == []
    with pytest.raises(UnknownPermissionError, match="OBJECTS_LIST"):
        await keys.list(permission="OBJECT_LIST")
    with pytest.raises(BadInputError, match="limit"):
        await keys.list(limit=0)
    with pytest.raises(BadInputError, match="after"):
        await keys.list(after="rubbish")


async def test_imported_digests_are_verified_where_foreign_secrets_are_accepted(keys: APIKeys) -> None:
    secret = "sk_live_made_elsewhere"
    entry = ImportedKey(
        digest=hashlib.sha256(secret.encode()).digest(),
        description="old one",
        permissions=["OBJECTS_LIST"],
        project="acme",
        hint="sk_...here",
    )
    with pytest.raises(BadInputError, match="foreign_secrets=True"):
        await keys.import_digests([entry])
    take_foreign(keys)

    (key,) = await keys.import_digests([entry])

    assert (key.hint, key.project, set(key.permissions)) == ("sk_...here", "acme", {"OBJECTS_LIST"})
    assert await keys.get(key.id) == key
    assert (await keys.verify(secret)).valid
    assert (await keys.verify("sk_live_another")).outcome is Outcome.INVALID
    rotated = await keys.rotate(key.id, grace=0)
    assert (await keys.verify(secret)).outcome is Outcome.INVALID
    assert (await keys.verify(rotated.secret)).valid


async def test_an_import_with_a_bad_entry_names_it_and_changes_nothing(keys: APIKeys) -> None:
    take_foreign(keys)
    good = ImportedKey(digest=b"1" * 32, description="good")
    before = await keys._database.read_position()
    for bad, message in (
        (ImportedKey(digest=b"short", description="x"), r"keys\[1\]: digest must be 32 bytes"),
        (good, r"keys\[1\]: digest stands at keys\[0\]"),
        (ImportedKey(digest=b"2" * 32, description=""), r"keys\[1\]: description"),
        (ImportedKey(digest=b"2" * 32, description="x", permissions=["NOPE"]), r"keys\[1\]: No permission 'NOPE'"),
    ):
        with pytest.raises(BadInputError, match=message):
            await keys.import_digests([good, bad])
    assert (await keys._database.read_position()).seq == before.seq
    for entry in (b"1" * 32, b"1".hex() * 32, {"digest": b"1" * 32, "description": "x"}, None):
        with pytest.raises(
            BadInputError, match=r"keys\[1\]: each .* must be an ImportedKey, such as ImportedKey\(digest="
        ):
            await keys.import_digests([good, entry])  # type: ignore[list-item]
    with pytest.raises(BadInputError, match=r"keys must be a list: each .* must be an ImportedKey"):
        await keys.import_digests(good)  # type: ignore[arg-type]
    for field, value, says in (
        ("digest", "31" * 32, "digest must be bytes, not a text: bytes.fromhex"),
        ("digest", bytearray(32), "digest must be 32 bytes"),
        ("digest", b"31" * 32, "digest must be 32 bytes: hashlib.sha256"),
        ("description", b"x", "description must be a str, not bytes"),
        ("hint", b"x", "hint must be at most 40 printable characters"),
        ("hint", None, "hint must be at most 40 printable characters"),
        ("permissions", "FILE_UPLOAD", "FILE_UPLOAD"),
        ("permissions", None, "permissions"),
        ("project", 1, "project must be a str, not int"),
        ("active", "yes", "active must be True or False"),
        ("expires_at", "2030-01-01", "expires_at must be a datetime"),
    ):
        with pytest.raises(BadInputError, match=rf"keys\[0\]: .*{says}") as refused:
            await keys.import_digests([dataclasses.replace(good, **{field: value})])  # type: ignore[arg-type]
        assert "3131" not in str(refused.value), "it may be a secret"
    await keys.import_digests([good])
    with pytest.raises(BadInputError, match=r"keys\[1\]: a key has this digest already"):
        await keys.import_digests([ImportedKey(digest=b"3" * 32, description="x"), good])
    assert len((await keys.list()).items) == 1


async def test_bad_input_gets_one_clear_error_and_changes_nothing(sqlite_keys: APIKeys) -> None:
    keys = sqlite_keys
    issued = await keys.create("a key")
    before = await keys._database.read_position()
    with pytest.raises(BadInputError, match="description must be 1 to 200"):
        await keys.create("   ")
    with pytest.raises(BadInputError, match="description must be 1 to 200"):
        await keys.create("x" * 201)
    with pytest.raises(BadInputError, match=r"description: the 6th character is a control character \(U\+0007\)"):
        await keys.create("bell \x07")
    with pytest.raises(BadInputError, match=r"\['FILE_UPLOAD'\]"):
        await keys.create("x", "FILE_UPLOAD")
    with pytest.raises(UnknownPermissionError, match="Did you mean 'FILE_UPLOAD'"):
        await keys.create("x", ["FILE_UPLAOD"])
    with pytest.raises(BadInputError, match="project"):
        await keys.create("x", project="")
    with pytest.raises(BadInputError, match="time zone"):
        await keys.create("x", expires_at=datetime(2099, 1, 1))  # noqa: DTZ001
    with pytest.raises(BadInputError, match="has passed"):
        await keys.create("x", expires_at=datetime(2001, 1, 1, tzinfo=UTC))
    with pytest.raises(BadInputError, match="nothing to update"):
        await keys.update(issued.key.id)
    with pytest.raises(BadInputError, match="grace"):
        await keys.rotate(issued.key.id, grace=-1)
    with pytest.raises(BadInputError, match="grace"):
        await keys.rotate(issued.key.id, grace=float("nan"))
    with pytest.raises(BadInputError, match="id must be a str"):
        await keys.deactivate([1])  # type: ignore[list-item]
    with pytest.raises(BadInputError, match="actor"):
        await keys.create("x", actor="")
    after = await keys._database.read_position()
    assert (after.seq, after.nonce) == (before.seq, before.nonce)


async def test_an_app_has_its_own_catalogue(ready_sqlite_url: str) -> None:
    class Notes(Catalogue):
        NOTES_READ = "read notes"
        NOTES_WRITE = "write notes"

    async with APIKeys(ready_sqlite_url, catalogue=Notes) as keys:
        issued = await keys.create("a reader", [Notes.NOTES_READ])
        assert issued.key.permissions == {"NOTES_READ"}
        with pytest.raises(UnknownPermissionError, match="catalogue Notes"):
            await keys.create("an uploader", ["FILE_UPLOAD"])


async def test_changes_made_at_the_same_time_get_seqs_without_gaps(keys: APIKeys) -> None:
    before = (await keys._database.read_position()).seq
    await asyncio.gather(*(keys.create(f"key {n}") for n in range(20)))
    position = await keys._database.read_position()
    assert position.seq == before + 20
    events = await logged(keys, before, position.seq)
    assert [event.seq for event in events] == list(range(before, position.seq + 1))
    assert events[-1].nonce == position.nonce


async def test_using_closed_keys_says_how_to_open_them(ready_sqlite_url: str) -> None:
    keys = APIKeys(ready_sqlite_url)
    with pytest.raises(ConfigurationError, match="async with keys"):
        await keys.create("a key")
    async with keys:
        await keys.create("a key")
    with pytest.raises(ConfigurationError, match="async with keys"):
        await keys.list()


def test_settings_that_cannot_work_are_refused_at_once() -> None:
    for options, message in (
        ({"max_staleness": 0}, "max_staleness"),
        ({"max_staleness": 1, "poll_interval": 0.9}, "poll_interval"),
        ({"memory_entries": -1}, "memory_entries"),
        ({"prefix": "GP"}, "prefix"),
        ({"server_keys": []}, "server_keys"),
        ({"server_keys": [b"short"]}, r"server_keys\[0\]"),
        ({"read_timeout": float("inf")}, "read_timeout"),
    ):
        with pytest.raises(BadInputError, match=message):
            APIKeys(**options)


async def test_no_audit_brings_a_secret_of_a_server_key_that_was_dropped_into_memory(ready_sqlite_url: str) -> None:
    """An auditor asks by digests, so nothing tells whether their secrets would pass."""
    old, new = b"o" * 32, b"n" * 32
    async with APIKeys(ready_sqlite_url, server_keys=[old]) as keys:
        secret = (await keys.create("of the old server key", ["OBJECTS_LIST"])).secret
    digest = hashlib.sha256(secret.encode()).digest()
    async with APIKeys(ready_sqlite_url, server_keys=[new]) as keys:
        first, second = await asyncio.gather(keys.testify([digest]), keys.testify([digest]))
        assert first.answers[digest].outcome is second.answers[digest].outcome is Outcome.VALID
        asking = asyncio.create_task(keys.testify([digest]))
        await asyncio.sleep(0)
        asking.cancel()  # its auditor is gone; the read goes on
        await asyncio.gather(asking, return_exceptions=True)
        while keys._opened().lookup._from_database._running:  # noqa: ASYNC110 - the read that goes on
            await asyncio.sleep(0.005)
        assert keys.hit(digest) is None
        assert (await keys.verify(secret)).outcome is Outcome.INVALID
        assert not keys._opened().lookup._unshown
    async with APIKeys(ready_sqlite_url, server_keys=[new, old]) as keys:
        await keys.verify(secret)
        assert keys.hit(digest) is not None


async def test_server_keys_of_the_app_rotate_without_breaking_secrets(ready_sqlite_url: str) -> None:
    old, new = b"o" * 32, b"n" * 32
    async with APIKeys(ready_sqlite_url, server_keys=[old]) as keys:
        first = await keys.create("made under the old key")
    async with APIKeys(ready_sqlite_url, server_keys=[new, old]) as keys:
        second = await keys.create("made under the new key")
        assert (await keys.verify(first.secret)).valid
        assert (await keys.verify(second.secret)).valid
    async with APIKeys(ready_sqlite_url, server_keys=[new]) as keys:
        assert (await keys.verify(first.secret)).outcome is Outcome.INVALID
        assert (await keys.verify(second.secret)).valid


async def test_a_key_of_another_project_is_named_so(sqlite_keys: APIKeys) -> None:
    acme = await sqlite_keys.create("a", project="acme")
    wide = await sqlite_keys.create("b")
    assert (await sqlite_keys.verify(acme.secret, project="acme")).valid
    assert (await sqlite_keys.verify(acme.secret, project="other")).outcome is Outcome.PROJECT_DENIED
    assert (await sqlite_keys.verify(wide.secret, project="other")).valid
    assert (await sqlite_keys.verify(acme.secret)).valid, "not asked"
    assert (await sqlite_keys.verify(acme.secret, project=None)).outcome is Outcome.PROJECT_DENIED, "of no project"
    assert (await sqlite_keys.verify(wide.secret, project=None)).valid
