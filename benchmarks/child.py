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


async def printed(*command: Any, variables: Mapping[str, str] | None = None) -> str:
    """What a program prints. `variables`: of its environment, besides ours. Raises `RuntimeError` where it fails, with
    its last words."""
    async with running(*command, env=os.environ | (variables or {}), stdout=PIPE, stderr=PIPE) as process:
        said, wrong = (text.decode(errors="replace") for text in await process.communicate())
    if process.returncode:
        raise RuntimeError(f"{command[-1]} ended with status {process.returncode}:\n{(said + wrong)[-2000:]}")
    return said


async def commands() -> asyncio.StreamReader:
    """In such a process: what whoever started it says, over its standard input."""
    reader = asyncio.StreamReader(limit=2**24)
    pipe = asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    await pipe
    return reader
