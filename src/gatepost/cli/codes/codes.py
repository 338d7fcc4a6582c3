"""How a command ends, for programs. Imports nothing that may be missing."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    FAILED = 1
    """The database cannot be reached, an extra is not installed, a confirmation was refused, …"""
    BAD_INPUT = 2
    """An argument cannot be used. Nothing was changed."""
    UNKNOWN_KEY = 3
    """An id that no key has, or a name that no role has. What was asked for the other ids is done."""
    SCHEMA = 4
    """The tables are missing, or of another revision."""
    UNANSWERED = 5
    """An audit saw nothing wrong, but the database or a worker did not answer."""
    STILL_SPREADING = 6
    """The change is committed; the wait for the workers was ended by `--timeout`."""
    NOT_USABLE = 7
    """`whoami` was given a secret that may not be used now."""
