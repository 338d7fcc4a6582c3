"""The vault: secrets that can be shown again, for who asks for it, over SQLite, PostgreSQL and MariaDB."""

from collections.abc import AsyncIterator

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from gatepost import (
    AccessDeniedError,
    Actor,
    APIKeys,
    BadInputError,
    ImportedKey,
    KeyNotFoundError,
    SecretNotStoredError,
)
from gatepost.database.connecting.engine import changing

KEY = Fernet.generate_key()


@pytest.fixture
async def vaulted(ready_url: str) -> AsyncIterator[APIKeys]:
    """Open keys with a vault."""
    keys = APIKeys(ready_url, vault_keys=[KEY], foreign_secrets=True)
    async with keys:
        yield keys


async def test_a_secret_is_revealed_again_and_the_log_tells_so(vaulted: APIKeys) -> None:
    assert vaulted.has_vault
    issued = await vaulted.create("a key", ["FILE_UPLOAD"])
    assert await vaulted.reveal(issued.key.id, actor=Actor("ann", operator=True, address="host")) == issued.secret
    rotated = await vaulted.rotate(issued.key.id, grace=60)
    assert await vaulted.reveal(issued.key.id) == rotated.secret
    for each in (issued, rotated):
        assert (await vaulted.verify(each.secret)).valid
    kinds = [(event.kind, event.actor, event.address) for event in (await vaulted.events(issued.key.id)).items]
    assert kinds == [
        ("revealed", None, None),
        ("rotated", None, None),
        ("revealed", "ann", "host"),
        ("created", None, None),
    ]


async def test_what_is_stored_is_encrypted(vaulted: APIKeys) -> None:
    issued = await vaulted.create("a key")
    async with vaulted._database.engine.connect() as connection:
        sealed = await connection.scalar(text("SELECT sealed FROM gatepost_secrets"))
    assert issued.secret not in sealed
    assert Fernet(KEY).decrypt(sealed.encode()).decode() == issued.secret


async def test_without_a_vault_nothing_recoverable_is_stored(keys: APIKeys) -> None:
    issued = await keys.create("a key")
    assert not keys.has_vault
    async with keys._database.engine.connect() as connection:
        assert await connection.scalar(text("SELECT sealed FROM gatepost_secrets")) is None
    with pytest.raises(SecretNotStoredError, match="only digests"):
        await keys.reveal(issued.key.id)


async def test_vault_keys_are_rotated_as_a_list(ready_sqlite_url: str) -> None:
    new = Fernet.generate_key()
    async with APIKeys(ready_sqlite_url, vault_keys=[KEY]) as keys:
        old = await keys.create("old")
    async with APIKeys(ready_sqlite_url, vault_keys=[new.decode(), KEY]) as keys:
        assert await keys.reveal(old.key.id) == old.secret
        later = await keys.create("later")
    async with APIKeys(ready_sqlite_url, vault_keys=[new]) as keys:
        assert await keys.reveal(later.key.id) == later.secret
        seq = (await keys._database.read_position()).seq
        with pytest.raises(SecretNotStoredError, match="None of the vault keys"):
            await keys.reveal(old.key.id)
        assert (await keys._database.read_position()).seq == seq


async def test_a_secret_from_before_the_vault_or_made_elsewhere_is_not_there(vaulted: APIKeys) -> None:
    (imported,) = await vaulted.import_digests([ImportedKey(digest=b"1" * 32, description="elsewhere")])
    with pytest.raises(SecretNotStoredError, match="before the vault"):
        await vaulted.reveal(imported.id)
    with pytest.raises(KeyNotFoundError):
        await vaulted.reveal("nobody000000")


async def test_sealed_secrets_exchanged_in_the_database_are_noticed(vaulted: APIKeys) -> None:
    """Else who can write to the database could have a stronger key's secret shown as that of a weaker one."""
    weak, strong = await vaulted.create("weak"), await vaulted.create("strong", ["FILE_DELETE"])
    async with changing(vaulted._database.engine) as connection:
        query = text("SELECT sealed FROM gatepost_secrets WHERE key_id = :id")
        sealed = await connection.scalar(query, {"id": strong.key.id})
        swap = text("UPDATE gatepost_secrets SET sealed = :sealed WHERE key_id = :id")
        await connection.execute(swap, {"sealed": sealed, "id": weak.key.id})
        await connection.commit()
    with pytest.raises(SecretNotStoredError, match="not the secret of this key"):
        await vaulted.reveal(weak.key.id)


async def test_revealing_needs_access_manage_and_all_that_the_key_may_do(vaulted: APIKeys) -> None:
    strong = await vaulted.create("strong", ["FILE_DELETE"], project="acme")
    for permissions, missing in ((["ACCESS_READ", "FILE_DELETE"], "ACCESS_MANAGE"), (["ACCESS_MANAGE"], "FILE_DELETE")):
        actor = Actor.of((await vaulted.create("who asks", permissions, project="acme")).key)
        with pytest.raises(AccessDeniedError, match=missing):
            await vaulted.reveal(strong.key.id, actor=actor)
    stranger = Actor.of((await vaulted.create("stranger", ["ACCESS_MANAGE", "FILE_DELETE"], project="other")).key)
    with pytest.raises(KeyNotFoundError):
        await vaulted.reveal(strong.key.id, actor=stranger)
    assert [event.kind for event in (await vaulted.events(strong.key.id)).items] == ["created"]


@pytest.mark.parametrize("wrong", [[], b"x" * 44, "x" * 44, ["short"], [KEY, b"not base64 at all !"], [None]])
def test_vault_keys_that_are_none_are_refused_without_their_text(ready_sqlite_url: str, wrong: object) -> None:
    with pytest.raises(BadInputError, match="vault_keys") as refused:
        APIKeys(ready_sqlite_url, vault_keys=wrong)  # type: ignore[arg-type]
    assert "not base64" not in str(refused.value)
    assert "xxx" not in str(refused.value)
