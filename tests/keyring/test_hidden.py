"""While a verb waits for the database, no variable of gatepost's and no repr shows the secret that it made."""

from cryptography.fernet import Fernet

from gatepost import APIKeys
from tests.frameworks.hidden import watching


async def test_no_verb_has_a_secret_in_a_variable_while_it_waits(ready_sqlite_url: str) -> None:
    keys = APIKeys(ready_sqlite_url, vault_keys=[Fernet.generate_key()])
    async with keys:
        with watching() as watch:
            once = "once and never again 0123456789"
            made = await keys.create("a key", idempotency_key=once)
            again = await keys.create("a key", idempotency_key=once)
            assert again.secret == made.secret
            rotated = await keys.rotate(made.key.id, grace=60)
            assert await keys.reveal(made.key.id) == rotated.secret
            assert (await keys.verify(rotated.secret)).valid
            assert (await keys.verify(made.secret, fresh=True)).valid
    assert {"Changing.create", "Changing.rotate", "Changing.reveal", "APIKeys.verify"} <= watch.names
    for secret in (made.secret, rotated.secret):
        assert watch.places_of(secret) == set()
    assert watch.places_of(made.key.id), "what is no secret is found"
