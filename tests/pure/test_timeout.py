"""A timeout goes on only while the event loop runs: in virtual time, where a paused process is a loop that is blocked.

What comes for a process that is blocked lies there until it goes on, and is looked at in the order in which it came, as
sockets and timers are.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from gatepost.base.waiting.timeout import LATE_PART, TICKS, Timeout
from tests.simulation.world import Process, World

SECONDS = 0.1
Limit = Callable[[float], AbstractAsyncContextManager[Any]]


def played(play: Callable[[Process], Coroutine[Any, Any, None]]) -> None:
    """Run `play` in a process of a world of its own."""
    world = World("timeout")
    process = world.process("worker")

    async def outside() -> None:
        await process.start(play(process))

    world.run(outside(), 600)
    assert world.failures == []


def now() -> float:
    """The world's time."""
    return asyncio.get_running_loop().time()


async def turns(count: int) -> None:
    """Let the loop go round."""
    for _ in range(count):
        await asyncio.sleep(0)


async def exchange(process: Process, answered_after: float, limit: Limit, steps: int = 1) -> None:
    """As many round trips with a server, one after another, as a connection takes to be opened; each `steps` turns."""
    async with limit(SECONDS):
        answer = asyncio.get_running_loop().create_future()
        process.after(answered_after, come, answer)
        await answer
        await turns(steps - 1)


def come(answer: "asyncio.Future[None]") -> None:
    """The answer is there; perhaps nobody waits for it any more."""
    if not answer.done():
        answer.set_result(None)


async def nothing_comes(limit: Limit = Timeout) -> None:
    """Wait for a server that is dead."""
    async with limit(SECONDS):
        await asyncio.get_running_loop().create_future()


def test_a_loop_that_runs_waits_as_long_as_it_was_told() -> None:
    async def play(_process: Process) -> None:
        begun = now()
        with pytest.raises(TimeoutError, match=r"^no answer within 0\.1 s$"):
            await nothing_comes()
        assert now() - begun == pytest.approx(SECONDS, abs=0.002)

    played(play)


@pytest.mark.parametrize("blocked", [5 * SECONDS, 100 * SECONDS])
@pytest.mark.parametrize("begins", [0.0, 0.5 * SECONDS, 0.96 * SECONDS])
def test_an_answer_that_came_while_the_loop_was_blocked_is_taken(blocked: float, begins: float) -> None:
    async def play(process: Process) -> None:
        process.after(begins, process.pause, blocked)
        await exchange(process, begins + 0.01, Timeout)
        process.after(begins, process.pause, blocked)
        with pytest.raises(TimeoutError):  # what it is for: the same by the clock
            await exchange(process, begins + 0.11, asyncio.timeout)

    played(play)


def test_what_takes_dozens_of_turns_ends_in_a_loop_that_never_rests() -> None:
    async def play(process: Process) -> None:
        busy = asyncio.create_task(never_rest(process))
        await exchange(process, 0.0, Timeout, steps=80)
        with pytest.raises(TimeoutError):
            await exchange(process, 0.0, asyncio.timeout, steps=80)
        busy.cancel()

    played(play)


async def never_rest(process: Process) -> None:
    """Each turn takes 60 ms."""
    while True:
        process.pause(0.06)
        await asyncio.sleep(0)


def test_a_server_that_is_dead_is_given_up_in_a_loop_that_never_rests() -> None:
    async def play(process: Process) -> None:
        begun = now()
        busy = asyncio.create_task(never_rest(process))
        with pytest.raises(TimeoutError):
            await nothing_comes()
        turned = (now() - begun) / 0.06
        assert 50 < turned <= 2 * TICKS / LATE_PART + 5
        busy.cancel()

    played(play)


@pytest.mark.parametrize("blocked", [0.02, 0.06, 0.5, 30.0])
def test_a_server_that_is_dead_is_given_up_after_about_the_time_that_the_loop_ran(blocked: float) -> None:
    async def play(process: Process) -> None:
        stops = 0

        async def stop_and_go() -> None:
            nonlocal stops
            while True:
                await asyncio.sleep(0.03)
                process.pause(blocked)
                stops += 1
                await asyncio.sleep(0)  # from here on it runs again

        begun = now()
        busy = asyncio.create_task(stop_and_go())
        with pytest.raises(TimeoutError):
            await nothing_comes()
        ran = now() - begun - stops * blocked
        assert 0.5 * SECONDS < ran < 1.6 * SECONDS
        busy.cancel()

    played(play)


def test_a_timeout_of_the_blocks_own_and_a_cancellation_pass_as_they_are() -> None:
    async def play(_process: Process) -> None:
        with pytest.raises(TimeoutError, match=r"^mine$"):
            async with Timeout(SECONDS):
                raise TimeoutError("mine")
        with pytest.raises(TimeoutError, match=r"0\.05 s"):
            async with Timeout(SECONDS):
                await inner()
        waiting = asyncio.create_task(nothing_comes())
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        begun = now()
        with pytest.raises(TimeoutError):
            async with Timeout(0.0):
                await asyncio.get_running_loop().create_future()
        assert now() - begun < 0.001

    async def inner() -> None:
        async with Timeout(0.05):
            await asyncio.get_running_loop().create_future()

    played(play)


def test_a_task_goes_on_after_a_timeout_and_no_timer_is_left_of_one_that_ended() -> None:
    async def play(_process: Process) -> None:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await nothing_comes()
        async with Timeout(SECONDS):
            pass
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await asyncio.sleep(2 * SECONDS)

    played(play)
