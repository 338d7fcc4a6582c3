"""Links for outsiders, who have no key: shares let them fetch, airboxes let them drop files.

A link is known by its token, told once, when it is made; the ledger keeps only the token's digest: the link's id.
"""

import secrets
from dataclasses import asdict

from gatepost.demo.errors import NotFoundError
from gatepost.demo.ledger import SHARE_MAX_SECONDS, Link, checked_count, digest
from gatepost.demo.store import JSON, AssetStore, Content
from gatepost.demo.tree import checked_name, joined
from gatepost.demo.upload import Upload

TOKEN_BYTES = 20
"""Random bytes in a token: 160 bits, as in a key's secret."""

AIRBOX_MAX_FILES = 1000
"""Most files that one airbox may be made for."""


def create_share(store: AssetStore, path: str, seconds: int | None = None) -> JSON:
    """Share a file or a directory for some time (by default the configured one). Answers with the link, once."""
    with store.changing() as ledger:
        store.tree.find(path)
        token, link = _new_link(store, path, ledger.config.share_seconds if seconds is None else seconds)
        ledger.shares[digest(token)] = link
        return _shown(digest(token), link) | {"url": f"/shared/{token}"}


def list_shares(store: AssetStore) -> list[JSON]:
    """List all shares, without their tokens."""
    with store.reading() as ledger:
        return [_shown(link_id, link) for link_id, link in ledger.shares.items()]


def delete_share(store: AssetStore, link_id: str) -> None:
    """End a share: its link opens nothing from now on."""
    with store.changing() as ledger:
        if ledger.shares.pop(link_id, None) is None:
            raise NotFoundError("There is no such share.")


def open_share(store: AssetStore, token: str, path: str = "") -> Content | list[JSON]:
    """Show a shared file, or list the public files under a shared directory, or show one of those."""
    with store.reading() as ledger:
        share = ledger.live(ledger.shares, digest(token), store.clock())
        full = joined(share.path, path) if path else share.path
        place = store.tree.find(full)
        if ledger.is_private(full):
            raise NotFoundError("There is nothing public here.")
        if place.is_file():
            return store.fetch(full)
        below = len(full) + 1 if full else 0
        public = [found for found in store.tree.walk(full, deep=True) if not ledger.is_private(found)]
        return [{"path": found[below:]} for found in public if store.tree.find(found).is_file()]


def create_airbox(store: AssetStore, directory: str, files: int = 10, seconds: int | None = None) -> JSON:
    """Let outsiders drop so many files into a directory for some time. Answers with the link, once."""
    with store.changing() as ledger:
        store.tree.directory(directory)
        token, link = _new_link(store, directory, ledger.config.share_seconds if seconds is None else seconds)
        link.remaining = checked_count("files", files, AIRBOX_MAX_FILES)
        ledger.airboxes[digest(token)] = link
        return _shown(digest(token), link) | {"url": f"/airbox/{token}"}


def list_airboxes(store: AssetStore) -> list[JSON]:
    """List all airboxes, without their tokens."""
    with store.reading() as ledger:
        return [_shown(link_id, link) for link_id, link in ledger.airboxes.items()]


def delete_airbox(store: AssetStore, link_id: str) -> None:
    """End an airbox: its link takes nothing from now on. What was dropped stays."""
    with store.changing() as ledger:
        if ledger.airboxes.pop(link_id, None) is None:
            raise NotFoundError("There is no such airbox.")


def open_airbox(store: AssetStore, token: str) -> JSON:
    """Tell how many files an airbox still takes, and how large ones."""
    with store.reading() as ledger:
        airbox = ledger.live(ledger.airboxes, digest(token), store.clock())
        return {"remaining": airbox.remaining, "upload_max_bytes": ledger.config.upload_max_bytes}


def start_drop(store: AssetStore, token: str, name: str) -> Upload:
    """Drop a file into an airbox.

    A name that is taken gets a number, so that nothing is told or overwritten. Begins it; the store's `finish_upload`
    ends it.
    """
    with store.reading() as ledger:
        airbox = ledger.live(ledger.airboxes, digest(token), store.clock())
        return store.new_upload(ledger, joined(airbox.path, checked_name(name)), airbox=digest(token))


def _new_link(store: AssetStore, path: str, seconds: int) -> tuple[str, Link]:
    lifetime = checked_count("seconds", seconds, SHARE_MAX_SECONDS)
    return secrets.token_urlsafe(TOKEN_BYTES), Link(path, store.clock() + lifetime)


def _shown(link_id: str, link: Link) -> JSON:
    return {"id": link_id, **asdict(link)}
