"""The secret from before a rotation: told while it works, ended when somebody says so, never longer than allowed."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from gatepost import (
    Actor,
    APIKeys,
    BadInputError,
    ForceNeededError,
    KeyNotFoundError,
    Outcome,
    StaleKeyError,
)
from gatepost.base.secret import digest
from gatepost.database.connecting.engine import changing
from tests.keyring.conftest import end_every_grace

DAYS_30 = 30 * 86400.0


async def test_the_older_secret_is_told_where_keys_are_managed_and_nowhere_else(keys: APIKeys) -> None:
    made = await keys.create("a key")
    assert made.key.old_secret is None
    assert (await keys.get(made.key.id)).old_secret is None
    rotated = await keys.rotate(made.key.id, grace=3600)
    old = rotated.key.old_secret
    assert old is not None
    assert old.hint == made.key.hint
    assert old.expires_at - rotated.key.updated_at == timedelta(hours=1)
    assert (await keys.get(made.key.id)).old_secret == old
    assert [key.old_secret for key in (await keys.list()).items] == [old]
    assert (await keys.update(made.key.id, description="edited")).old_secret == old
    for secret in (made.secret, rotated.secret):
        found = (await keys.verify(secret)).key
        assert found is not None
        assert (found.hint, found.old_secret) == (None, None)
    again = await keys.rotate(made.key.id, grace=60)
    assert again.key.old_secret is not None
    assert again.key.old_secret.hint == rotated.key.hint, "the one before the last is dead"
    assert (await keys.rotate(made.key.id, grace=0)).key.old_secret is None


async def test_an_older_secret_whose_grace_has_run_out_is_told_no_more(keys: APIKeys) -> None:
    made = await keys.create("a key")
    await keys.rotate(made.key.id, grace=3600)
    await end_every_grace(keys, made.key.id)
    assert (await keys.get(made.key.id)).old_secret is None
    assert [key.old_secret for key in (await keys.list()).items] == [None]
    receipt = await keys.end_grace([made.key.id])
    assert (receipt.seq, list(receipt.unchanged)) == (None, [made.key.id])


async def test_of_several_older_secrets_that_somebody_made_by_hand_the_last_to_end_is_told(keys: APIKeys) -> None:
    made = await keys.create("a key")
    second = await keys.rotate(made.key.id, grace=60)
    await keys.rotate(made.key.id, grace=60)
    async with changing(keys._database.engine) as connection:
        by_hand = (
            "INSERT INTO gatepost_secrets (digest, key_id, hint, created_at, expires_at) SELECT :digest, key_id,"
            " 'by hand', created_at, '2099-01-01 00:00:00' FROM gatepost_secrets WHERE expires_at IS NOT NULL"
        )
        await connection.execute(text(by_hand), {"digest": digest(made.secret.encode())})
        await connection.commit()
    old = (await keys.get(made.key.id)).old_secret
    assert old is not None
    assert old.hint == "by hand"
    await keys.end_grace(made.key.id)
    assert (await keys.get(made.key.id)).old_secret is None
    for secret in (made.secret, second.secret):
        assert (await keys.verify(secret)).outcome is Outcome.INVALID
    assert ((await keys.events(made.key.id)).items[0].detail or {})["hint"] == "by hand"


async def test_ending_the_grace_ends_the_older_secret_and_nothing_else(keys: APIKeys) -> None:
    made = [await keys.create(f"key {number}", project="acme") for number in range(3)]
    rotated = [await keys.rotate(issued.key.id, grace=3600) for issued in made[:2]]
    ids = [issued.key.id for issued in made]
    receipt = await keys.end_grace([*ids, "x" * 12], actor=Actor("ann", address="10.0.0.1", operator=True))
    assert list(receipt.changed) == ids[:2]
    assert list(receipt.unchanged) == ids[2:]
    assert list(receipt.unknown) == ["x" * 12]
    assert receipt.propagation.complete
    for before, after in zip(made[:2], rotated, strict=True):
        assert (await keys.verify(before.secret)).outcome is Outcome.INVALID
        assert (await keys.verify(after.secret)).valid
        key = await keys.get(before.key.id)
        assert (key.hint, key.old_secret) == (after.key.hint, None)
        assert key.version != after.key.version
        newest = (await keys.events(key.id)).items[0]
        old = after.key.old_secret
        assert old is not None
        assert (newest.kind, newest.actor, newest.address, newest.project) == ("grace_ended", "ann", "10.0.0.1", "acme")
        assert newest.detail == {"hint": old.hint, "expires_at": old.expires_at.isoformat()}
        assert newest.seq == receipt.seq
    assert (await keys.verify(made[2].secret)).valid
    with pytest.raises(KeyNotFoundError):
        await keys.end_grace("x" * 12)
    with pytest.raises(BadInputError, match="if_version goes with a single id"):
        await keys.end_grace(ids, if_version="x")
    await keys.rotate(ids[0], grace=60)
    with pytest.raises(StaleKeyError):
        await keys.end_grace(ids[0], if_version=rotated[0].key.version)


async def test_only_who_manages_a_key_ends_its_grace_and_only_with_force_the_own(keys: APIKeys) -> None:
    made = await keys.create("manager", ["ACCESS_MANAGE"], project="acme")
    stranger = await keys.create("another", project="umbrella")
    rotated = await keys.rotate(made.key.id, grace=3600)
    await keys.rotate(stranger.key.id, grace=3600)
    with_old = Actor.of(made.key, digest=digest(made.secret.encode()))
    with_new = Actor.of(made.key, digest=digest(rotated.secret.encode()))
    with pytest.raises(ForceNeededError, match="say force"):
        await keys.end_grace(made.key.id, actor=with_old)
    with pytest.raises(KeyNotFoundError):
        await keys.end_grace(stranger.key.id, actor=with_new)
    assert (await keys.get(made.key.id)).old_secret is not None
    await keys.end_grace(made.key.id, actor=with_old, force=True)
    again = await keys.rotate(made.key.id, grace=3600)
    await keys.end_grace(made.key.id, actor=Actor.of(made.key, digest=digest(again.secret.encode())))
    assert (await keys.get(made.key.id)).old_secret is None


async def test_no_grace_is_longer_than_the_setting_allows(ready_sqlite_url: str) -> None:
    async with APIKeys(ready_sqlite_url) as keys:
        made = await keys.create("a key")
        assert keys.max_grace == DAYS_30
        before = (await keys._database.read_position()).seq
        for grace in (DAYS_30 + 1, 10 * 365 * 86400.0):
            with pytest.raises(BadInputError, match=r"0 to 2592000, not .*: the setting max_grace says") as refused:
                await keys.rotate(made.key.id, grace=grace)
            assert refused.value.field == "grace"
        assert (await keys._database.read_position()).seq == before
        await keys.rotate(made.key.id, grace=DAYS_30)
    async with APIKeys(ready_sqlite_url, max_grace=0) as keys:
        with pytest.raises(BadInputError, match="0 to 0, not 1"):
            await keys.rotate(made.key.id, grace=1)
        await keys.rotate(made.key.id, grace=0)
    async with APIKeys(ready_sqlite_url, max_grace=365 * 86400) as keys:
        assert (await keys.rotate(made.key.id, grace=364 * 86400)).key.old_secret is not None
    for wrong in (-1, float("nan"), float("inf"), 11 * 365 * 86400.0, "30d", None):
        with pytest.raises(BadInputError, match="max_grace must be a number of seconds, 0 to 315360000"):
            APIKeys(ready_sqlite_url, max_grace=wrong)  # type: ignore[arg-type]
