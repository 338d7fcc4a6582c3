"""A script that Redis runs, sent by its hash: its text goes out only to a Redis that does not know it yet."""

from collections.abc import Sequence
from hashlib import sha1
from pathlib import Path
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import NoScriptError


class Script:
    """A script of this folder. `name`: of its file."""

    def __init__(self, name: str) -> None:
        self.text = (Path(__file__).parent / name).read_bytes()
        self._hash = sha1(self.text, usedforsecurity=False).hexdigest()  # as Redis names scripts

    async def run(self, client: Redis | RedisCluster, names: Sequence[bytes], arguments: Sequence[bytes | int]) -> Any:
        """What it answers. One exchange; two at the first time, and after a restart. Raises what redis-py raises."""
        told = (len(names), *names, *arguments)
        try:
            return await client.execute_command("EVALSHA", self._hash, *told)
        except NoScriptError:  # nothing of it has run
            return await client.execute_command("EVAL", self.text, *told)


LIMITS = Script("limits.lua")
