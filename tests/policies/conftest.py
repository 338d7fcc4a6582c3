"""Keys over each database."""

from tests.keyring.conftest import keys, sqlite_keys

__all__ = ["keys", "sqlite_keys"]
