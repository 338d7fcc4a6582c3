"""One call, as endpoints get it, and how they wait for a change."""

from collections.abc import Awaitable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Generic, TypeVar

from msgspec import Struct

from gatepost.base import Actor, StillSpreadingError
from gatepost.keys import APIKeys

Q = TypeVar("Q", bound=Struct)
H = TypeVar("H", bound=Struct)
B = TypeVar("B", bound=Struct)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[Q, H, B]):
    """One call. `actor`: the key that calls. `caller_id`: its id. `key_id`, `name`: of a key or a role, in the path;
    empty where there is none. `root`: the path that the API is at."""

    keys: APIKeys
    actor: Actor
    caller_id: str
    key_id: str
    name: str
    root: str
    query: Q
    headers: H
    body: B


async def settled(change: Awaitable[T]) -> tuple[T, HTTPStatus]:
    """What a verb answered: 200, or 202 where not every worker acts on it yet."""
    try:
        return await change, HTTPStatus.OK
    except StillSpreadingError as spreading:
        return spreading.result, HTTPStatus.ACCEPTED
