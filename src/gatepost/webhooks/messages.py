"""What targets are told: which types of events there are, and the body of each. Never a secret: the log has none."""

from collections.abc import Collection, Mapping
from typing import Any

import orjson

from gatepost.base import ChangeEvent
from gatepost.database import Happening, Message

EVENT_TYPES = (
    "key.created",
    "key.changed",
    "key.deactivated",
    "key.deleted",
    "key.rotated",
    "key.revealed",
    "key.leaked",
    "key.expiring",
    "key.expired",
    "limit.reached",
    "sign_in",
)
"""What a target may be told of."""

_BY_KIND: Mapping[str, str] = {
    "created": "key.created",
    "imported": "key.created",
    "deactivated": "key.deactivated",
    "deleted": "key.deleted",
    "rotated": "key.rotated",
    "revealed": "key.revealed",
    "leaked": "key.leaked",
}
"""The type of a line of the audit log; of all others about a key `key.changed`."""


def message_of(
    event: ChangeEvent | Happening, nonce: int, types: Collection[str] | None, project: str | None
) -> Message | None:
    """What a target is sent of a line of the log, or of a happening; `None` = nothing. `types`: which it is told of,
    `None` = all. `project`: of which alone, `None` = all. `nonce`: of the change."""
    if event.key_id is None:
        return None
    told = _BY_KIND.get(event.kind, "key.changed") if isinstance(event, ChangeEvent) else event.type
    if (types is not None and told not in types) or (project is not None and event.project != project):
        return None
    data: dict[str, Any] = {"key_id": event.key_id, "project": event.project}
    if isinstance(event, ChangeEvent):
        message_id = f"change_{event.seq}_{event.n}_{nonce:x}"  # the nonce: a restored database counts anew
        data |= {"change": event.kind, "seq": event.seq, "actor": _actor(event), "detail": event.detail}
    else:
        message_id = event.id
        data |= event.data
    body = {"type": told, "timestamp": event.at, "data": data}
    return Message(message_id, told, event.key_id, orjson.dumps(body).decode())


def _actor(event: ChangeEvent) -> Mapping[str, Any] | None:
    """Who did it; without where they were, which is about a person and of no use to a program."""
    if event.actor_kind is None and event.actor is None:
        return None
    return {"kind": event.actor_kind, "id": event.actor_id, "name": event.actor}
