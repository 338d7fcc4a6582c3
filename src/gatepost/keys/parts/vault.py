"""The vault: secrets encrypted, so that they can be shown again (docs/decisions/0008). Only for who asks for it.

Fernet (AES-128-CBC with HMAC-SHA-256, from `cryptography`): the first key seals, all open. Who has the database and a
vault key has the secrets; without a vault only digests are stored, and nobody can get them back.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gatepost.base import BadInputError, MissingExtraError, SecretNotStoredError, digest

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


class Vault:
    """Seals and opens secrets under a list of Fernet keys (32 bytes each, in url-safe base64).

    Raises `BadInputError` for keys that are none, without their text, and `MissingExtraError`.
    """

    def __init__(self, keys: Sequence[str | bytes]) -> None:
        if isinstance(keys, str | bytes):
            raise BadInputError("vault_keys must be a list of keys, not a single one", "vault_keys")
        if not keys:
            raise BadInputError("vault_keys is empty: give at least one key, or None for no vault", "vault_keys")
        self._fernet = _fernet_of(keys)

    def seal(self, secret: str) -> str:
        """The secret, encrypted under the first key: ASCII text of about 200 characters."""
        return self._fernet.encrypt(secret.encode()).decode()

    def open(self, sealed: str, of: bytes) -> str:
        """The secret with the digest `of` again. Raises `SecretNotStoredError` where no key opens it, or what comes out
        is another secret: rows were exchanged in the database."""
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - slow to import, and needed only here

        try:
            secret = self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise SecretNotStoredError(
                "None of the vault keys opens this secret: it was sealed under a key that is not among them"
            ) from None
        if digest(secret.encode()) != of:
            raise SecretNotStoredError("What the vault holds is not the secret of this key")
        return secret


def _fernet_of(keys: Sequence[str | bytes]) -> "MultiFernet":
    try:
        from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415 - slow to import, and only for a vault
    except ModuleNotFoundError:
        raise MissingExtraError("cryptography", "vault") from None
    fernets = []
    for number, key in enumerate(keys):
        try:
            fernets.append(Fernet(key))
        except (ValueError, TypeError):
            raise BadInputError(
                f"vault_keys[{number}] is no Fernet key (32 bytes in url-safe base64): make one with "
                "cryptography.fernet.Fernet.generate_key()",
                "vault_keys",
            ) from None
    return MultiFernet(fernets)
