"""Workers that hear nothing: for tests of what they do until they poll."""

from gatepost import APIKeys


def deafen(keys: APIKeys) -> None:
    """Have keys that are open hear no doorbell of their database, from before they serve: they poll when it is time."""
    keys._database.doorbell.listen = lambda: None  # type: ignore[method-assign]
