"""What keys are called, for the ids that a change or the log names."""

import asyncio
from collections.abc import Mapping, Sequence

from gatepost.admin.page.visit import Visit
from gatepost.base import KeyNotFoundError

NAMED_MAX = 50
"""Most keys whose descriptions are read, one by one: a page of the list."""


async def names_of(visit: Visit, ids: Sequence[str]) -> Mapping[str, str]:
    """The descriptions of the first keys, as far as there are such and the visitor reaches them."""

    async def name(key_id: str) -> tuple[str, str | None]:
        try:
            return key_id, (await visit.keys.get(key_id, actor=visit.actor)).description
        except KeyNotFoundError:
            return key_id, None

    found = await asyncio.gather(*map(name, ids[:NAMED_MAX]))
    return {key_id: text for key_id, text in found if text is not None}
