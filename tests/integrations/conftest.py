"""The keys that the frameworks' tests have."""

from tests.frameworks.conftest import database, issuance, issued_file, keys, nothing_ran

__all__ = ["database", "issuance", "issued_file", "keys", "nothing_ran"]
