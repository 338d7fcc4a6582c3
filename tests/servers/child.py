"""Programs in processes of their own, which end with whoever waits for them."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def running(*command: Any, **options: Any) -> AsyncIterator[Process]:
    """Start a program, and kill it at the end if it has not ended. `options`: of `asyncio.create_subprocess_exec`."""
    process = await asyncio.create_subprocess_exec(*map(str, command), **options)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def printed(*command: Any, variables: Mapping[str, str] | None = None, **options: Any) -> str:
    """What a program prints. `variables`: of its environment, besides ours. Raises `RuntimeError` where it fails, with
    its last words."""
    environment = os.environ | (variables or {})
    async with running(*command, env=environment, stdout=PIPE, stderr=PIPE, **options) as process:
        said, wrong = (text.decode(errors="replace") for text in await process.communicate())
    if process.returncode:
        raise RuntimeError(f"{command[-1]} ended with status {process.returncode}:\n{(said + wrong)[-2000:]}")
    return said


async def commands() -> asyncio.StreamReader:
    """In such a process: what whoever started it says, over its standard input."""
    reader = asyncio.StreamReader(limit=2**24)
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin.buffer)
    return reader
