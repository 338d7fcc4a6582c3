"""A script that Redis runs, sent by its hash: its text goes out only to a Redis that does not know it yet."""

from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha1
from pathlib import Path
from typing import Any

from redis.exceptions import NoScriptError


class Script:
    """A script of this folder. `name`: of its file."""

    def __init__(self, name: str) -> None:
        self.text = (Path(__file__).parent / name).read_bytes()
        self._hash = sha1(self.text, usedforsecurity=False).hexdigest().encode()  # as Redis names scripts

    async def run(self, execute: Callable[..., Awaitable[Any]], names: Sequence[bytes], words: Sequence[bytes]) -> Any:
        """What it answers. `execute`: sends a command, and waits for its answer. One exchange; two at the first time,
        and after a restart. Raises what redis-py raises."""
        told = (b"%d" % len(names), *names, *words)
        try:
            return await execute("EVALSHA", self._hash, *told)
        except NoScriptError:  # nothing of it has run
            return await execute("EVAL", self.text, *told)


LIMITS = Script("limits.lua")
