"""The demo's keys, in whatever database: they live for as long as it runs, and die soon after it was killed."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from gatepost import DAM, APIKey, APIKeys, Issued, KeyNotFoundError, StaleKeyError, UnavailableError

PROJECT = "demo"
ACTOR = "gatepost demo"
"""Who makes them, in the audit log."""

LIFE = timedelta(hours=12)
"""How long a key works that nobody keeps alive: the demo was killed, and could not remove it."""

RENEWAL_SECONDS = LIFE.total_seconds() / 4

_PERMISSIONS: Mapping[str, Sequence[str]] = {
    "everything": tuple(DAM),
    "reader": (DAM.OBJECTS_LIST, DAM.OBJECTS_FETCH, DAM.LABELS_LIST, DAM.COLLECTIONS_LIST),
    "uploader": (DAM.OBJECTS_LIST, DAM.FILE_UPLOAD),
    "deactivated": tuple(DAM),
}

logger = logging.getLogger("gatepost.demo")


@asynccontextmanager
async def demo_keys(keys: APIKeys) -> AsyncIterator[Mapping[str, Issued]]:
    """Keys to try the demo with, by their names; removed at the end."""
    await remove_leftovers(keys)
    issued: dict[str, Issued] = {}
    try:
        for name, permissions in _PERMISSIONS.items():
            issued[name] = await keys.create(
                _description(name),
                permissions,
                project=PROJECT,
                expires_at=datetime.now(UTC) + LIFE,
                active=name != "deactivated",
                actor=ACTOR,
            )
        renewing = asyncio.create_task(_keep_alive(keys, [each.key for each in issued.values()]))
        try:
            yield issued
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
    finally:
        await keys.delete((each.key.id for each in issued.values()), actor=ACTOR)


async def remove_leftovers(keys: APIKeys) -> None:
    """Remove the keys that demos left behind which were killed: those that have expired, and those that never would,
    since an earlier gatepost made them. Others may be of a demo that runs."""
    descriptions = {_description(name) for name in _PERMISSIONS}
    after = None
    left = []
    while True:
        page = await keys.list(project=PROJECT, search="demo", after=after, limit=500)
        for key in page.items:
            is_over = key.expires_at is None or key.expires_at <= datetime.now(UTC)
            if key.description in descriptions and is_over and await _is_of_a_demo(keys, key):
                left.append(key.id)
        after = page.next
        if after is None:
            break
    await keys.delete(left, actor=ACTOR)


async def renew(keys: APIKeys, issued: Sequence[APIKey], until: datetime) -> Sequence[APIKey]:
    """Let these keys live until then, and answer them; without those that somebody has deleted, or given another life
    or other permissions."""
    renewed: list[APIKey] = []
    for key in issued:
        try:
            now = await keys.get(key.id)
            if (now.expires_at, now.permissions) == (key.expires_at, key.permissions):
                renewed.append(await keys.update(key.id, expires_at=until, if_version=now.version, actor=ACTOR))
        except UnavailableError as failure:
            logger.warning("Key %s of the demo was not renewed: %s", key.id, failure)
            renewed.append(key)
        except (KeyNotFoundError, StaleKeyError):
            continue
    return renewed


async def _keep_alive(keys: APIKeys, issued: Sequence[APIKey]) -> None:
    while issued:
        await asyncio.sleep(RENEWAL_SECONDS)
        issued = await renew(keys, issued, datetime.now(UTC) + LIFE)


async def _is_of_a_demo(keys: APIKeys, key: APIKey) -> bool:
    """Whether a demo made it, and not somebody who calls a key so."""
    made = (await keys.events(key.id, kind="created")).items
    return any((event.actor, event.actor_kind) in ((ACTOR, "operator"), (ACTOR, None)) for event in made)


def _description(name: str) -> str:
    return f"demo: {name}"
