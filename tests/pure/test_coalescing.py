"""Many lookups, few round trips: and each asker gets a read that began after it asked."""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.base.waiting.coalescing import Coalescer
from tests.eager import eager

A, B, C = b"a" * 32, b"b" * 32, b"c" * 32


class Source:
    """A source of values that tells when each fetch began, and answers when the test says so.

    The value of a digest is the number of the fetch, counted from 0.
    """

    def __init__(self, *, held: bool = False) -> None:
        self.fetches: list[list[bytes]] = []
        self.gates: list[asyncio.Event] = []
        self.failure: Exception | None = None
        self.running = 0
        self.most_running = 0
        self._held = held

    async def fetch(self, digests: Sequence[bytes]) -> Mapping[bytes, int]:
        number = len(self.fetches)
        self.fetches.append(list(digests))
        gate = asyncio.Event()
        self.gates.append(gate)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            if self._held:
                await gate.wait()
            else:
                await asyncio.sleep(0)
        finally:
            self.running -= 1
        if self.failure is not None:
            raise self.failure
        return dict.fromkeys(digests, number)


def coalescer_of(source: Source, *, size: int = 100, at_once: int = 4) -> Coalescer[bytes, int]:
    return Coalescer(source.fetch, size=size, at_once=at_once)


async def turns(count: int = 5) -> None:
    """Let the loop go round."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_all_that_is_asked_in_one_turn_goes_out_in_one_fetch() -> None:
    source = Source()
    coalescer = coalescer_of(source)
    digests = [bytes([number]) * 32 for number in range(50)]
    assert await asyncio.gather(*(coalescer.ask(digest) for digest in digests)) == [0] * 50
    assert source.fetches == [digests]


async def test_a_thousand_askers_of_one_digest_are_one_fetch_of_one_digest() -> None:
    source = Source()
    coalescer = coalescer_of(source)

    async def request() -> int:
        return await coalescer.ask(A)

    assert await asyncio.gather(*(request() for _ in range(1000))) == [0] * 1000
    assert source.fetches == [[A]]


async def test_a_later_ask_begins_a_fetch_of_its_own_while_one_is_under_way() -> None:
    source = Source(held=True)
    coalescer = coalescer_of(source)
    first = coalescer.ask(A)
    await turns()
    assert len(source.fetches) == 1
    second = coalescer.ask(A)
    begun_before = len(source.fetches)
    await turns()
    assert source.fetches == [[A], [A]]
    source.gates[0].set()
    await turns()
    assert first.done()
    assert not second.done()
    source.gates[1].set()
    assert (await first, await second) == (0, 1)
    assert await second >= begun_before


async def test_an_answer_never_comes_from_a_fetch_that_had_begun_even_when_all_slots_are_taken() -> None:
    source = Source(held=True)
    coalescer = coalescer_of(source, at_once=1)
    first = coalescer.ask(A)
    await turns()
    waiting = [coalescer.ask(A), coalescer.ask(B), coalescer.ask(A)]
    await turns()
    assert source.fetches == [[A]]
    source.gates[0].set()
    await turns()
    assert source.fetches == [[A], [A, B]]
    source.gates[1].set()
    assert await first == 0
    assert await asyncio.gather(*waiting) == [1, 1, 1]


class Story:
    """A run of events around one coalescer; the test, not the loop, says when a fetch is answered."""

    def __init__(self, size: int, at_once: int) -> None:
        self.source = Source(held=True)
        self.coalescer = coalescer_of(self.source, size=size, at_once=at_once)
        self.asked: list[tuple[asyncio.Future[int], int]] = []
        self.joined: list[tuple[asyncio.Future[int], int]] = []
        self.answered = 0

    async def happen(self, event: str, digest: bytes) -> None:
        begun = len(self.source.fetches)
        under_way = any(digest in fetch for fetch in self.source.fetches[self.answered :])
        if event == "ask":
            self.asked.append((self.coalescer.ask(digest), begun))
        elif event == "join":
            future = self.coalescer.join(digest)
            assert (future is not None) == under_way
            self.joined += [(future, begun)] if future is not None else []
        elif event == "ask_or_join":
            (self.joined if under_way else self.asked).append((self.coalescer.ask_or_join(digest), begun))
        elif event == "expect":
            self.coalescer.expect(digest)
        else:
            await self.turn(answer=event == "answer")

    async def turn(self, *, answer: bool) -> None:
        if answer and self.answered < len(self.source.gates):
            self.source.gates[self.answered].set()
            self.answered += 1
        await turns()

    async def end(self) -> None:
        while self.coalescer._running or not all(future.done() for future, _ in self.asked + self.joined):
            await self.turn(answer=True)


kinds = st.sampled_from(["ask", "ask_or_join", "join", "expect", "turn", "answer"])


@given(st.lists(st.tuples(kinds, st.sampled_from([A, B, C]))), st.integers(1, 3), st.integers(1, 3))
@settings(max_examples=150)
def test_in_any_order_of_events_an_ask_is_answered_by_a_later_fetch_and_a_join_by_an_earlier(
    events: list[tuple[str, bytes]], size: int, at_once: int
) -> None:
    async def tell() -> None:
        story = Story(size, at_once)
        for event, digest in events:
            await story.happen(event, digest)
        await story.end()
        assert all(future.result() >= begun for future, begun in story.asked)
        assert all(future.result() < begun for future, begun in story.joined)
        for fetch in story.source.fetches:
            assert 0 < len(fetch) == len(set(fetch)) <= size
        assert story.source.most_running <= at_once
        await story.coalescer.close()

    asyncio.run(tell())


async def test_join_gives_only_what_is_under_way() -> None:
    source = Source(held=True)
    coalescer = coalescer_of(source)
    assert coalescer.join(A) is None
    asked = coalescer.ask(A)
    assert coalescer.join(A) is None  # asked, but not begun
    await turns()
    joined = coalescer.join(A)
    assert joined is not None
    assert coalescer.join(B) is None
    source.gates[0].set()
    assert await joined == await asked == 0
    assert coalescer.join(A) is None
    assert source.fetches == [[A]]


async def test_the_end_of_an_older_fetch_leaves_the_newer_one_to_be_joined() -> None:
    source = Source(held=True)
    coalescer = coalescer_of(source)
    first = coalescer.ask(A)
    await turns()
    second = coalescer.ask(A)
    await turns()
    source.gates[0].set()
    assert await first == 0
    joined = coalescer.join(A)
    assert joined is not None
    source.gates[1].set()
    assert await joined == await second == 1


async def test_ask_or_join_takes_what_is_under_way_and_else_asks() -> None:
    source = Source(held=True)
    coalescer = coalescer_of(source)
    asked = coalescer.ask_or_join(A)
    assert coalescer.ask_or_join(A) is not asked
    await turns()
    joined = coalescer.ask_or_join(A)
    await turns()
    assert source.fetches == [[A]]
    source.gates[0].set()
    assert await asked == await joined == 0


async def test_what_is_expected_is_fetched_once_for_those_who_join_and_for_those_who_ask_before_it_begins() -> None:
    source = Source(held=True)
    coalescer = coalescer_of(source)
    coalescer.expect(A)
    coalescer.expect(A)
    asked = coalescer.ask(A)
    await turns()
    coalescer.expect(A)
    joined = coalescer.join(A)
    assert joined is not None
    await turns()
    assert source.fetches == [[A]]
    source.gates[0].set()
    assert await asked == await joined == 0


async def test_what_nobody_waits_for_is_joined_all_the_same() -> None:
    source = Source(held=True)
    coalescer = coalescer_of(source)
    coalescer.expect(A)
    await turns()
    joined = coalescer.ask_or_join(A)
    await turns()
    assert source.fetches == [[A]]
    source.gates[0].set()
    assert await joined == 0


async def test_no_fetch_is_larger_than_size_and_no_more_run_than_at_once() -> None:
    source = Source()
    coalescer = coalescer_of(source, size=10, at_once=3)
    digests = [number.to_bytes(32) for number in range(95)]
    await asyncio.gather(*(coalescer.ask(digest) for digest in digests))
    assert [len(fetch) for fetch in source.fetches] == [10] * 9 + [5]
    assert [digest for fetch in source.fetches for digest in fetch] == digests
    assert source.most_running == 3


async def test_a_slot_that_gets_free_is_used_again() -> None:
    source = Source()
    coalescer = coalescer_of(source, size=1, at_once=1)
    for _ in range(3):
        assert await asyncio.gather(*(coalescer.ask(digest) for digest in (A, B, C)))
    assert len(source.fetches) == 9
    assert source.most_running == 1


async def test_an_asker_that_is_cancelled_takes_nobody_with_it() -> None:
    source = Source(held=True)
    coalescer = coalescer_of(source)

    async def request(digest: bytes) -> int:
        return await coalescer.ask(digest)

    before, under_way, others = (asyncio.create_task(request(A)) for _ in range(3))
    lonely = asyncio.create_task(request(B))
    await asyncio.sleep(0)
    before.cancel()
    await turns()
    under_way.cancel()
    lonely.cancel()
    await turns()
    assert source.running == 1
    source.gates[0].set()
    assert await others == 0
    assert before.cancelled()
    assert under_way.cancelled()
    assert lonely.cancelled()


class ComplaintsError(Exception):
    """What a fetch fails with here."""


@pytest.fixture
def complaints(caplog: pytest.LogCaptureFixture) -> Callable[[], Awaitable[list[str]]]:
    """What asyncio has logged so far, once everything unreachable is gone."""

    async def collect() -> list[str]:
        await turns()
        gc.collect()
        await turns()
        return [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.WARNING]

    return collect


async def test_a_failure_goes_to_every_asker_and_nobody_complains(
    complaints: Callable[[], Awaitable[list[str]]],
) -> None:
    source = Source(held=True)
    source.failure = ComplaintsError("down")
    coalescer = coalescer_of(source)

    async def request(digest: bytes) -> int:
        return await coalescer.ask(digest)

    requests = [asyncio.create_task(request(digest)) for digest in (A, A, B, C)]
    await turns()
    joined = coalescer.join(A)
    assert joined is not None
    requests[3].cancel()  # nobody is left who waits for C
    source.gates[0].set()
    results = await asyncio.gather(*requests[:3], joined, return_exceptions=True)
    assert [type(result) for result in results] == [ComplaintsError] * 4
    del results, joined, requests
    assert await complaints() == []
    source.failure = None
    later = coalescer.ask(A)
    await turns()
    source.gates[1].set()
    assert await later == 1


async def test_nobody_complains_where_every_asker_has_gone(complaints: Callable[[], Awaitable[list[str]]]) -> None:
    source = Source(held=True)
    source.failure = ComplaintsError("down")
    coalescer = coalescer_of(source)

    async def request() -> int:
        return await coalescer.ask(A)

    requests = [asyncio.create_task(request()) for _ in range(3)]
    await turns()
    for task in requests:
        task.cancel()
    await asyncio.gather(*requests, return_exceptions=True)
    source.gates[0].set()
    await coalescer.close()
    assert await complaints() == []


async def test_a_fetch_that_leaves_a_digest_out_is_a_failure_for_all_and_hangs_nobody(
    complaints: Callable[[], Awaitable[list[str]]],
) -> None:
    async def forgetful(digests: Sequence[bytes]) -> Mapping[bytes, int]:
        return {digests[0]: 1}

    coalescer: Coalescer[bytes, int] = Coalescer(forgetful, size=10, at_once=1)
    results = await asyncio.wait_for(
        asyncio.gather(coalescer.ask(A), coalescer.ask(B), return_exceptions=True), timeout=60
    )
    assert [type(result) for result in results] == [KeyError, KeyError]
    assert await complaints() == []


async def test_close_waits_for_what_runs_and_for_what_was_asked() -> None:
    source = Source()
    coalescer = coalescer_of(source, at_once=1)
    first = coalescer.ask(A)
    await asyncio.sleep(0)
    waiting = coalescer.ask(B)
    await coalescer.close()
    assert first.done()
    assert waiting.done()
    last = coalescer.ask(C)  # asked in the same turn as the close
    await coalescer.close()
    assert last.done()
    assert source.running == 0
    assert source.fetches == [[A], [B], [C]]


async def test_close_of_an_idle_coalescer_returns_at_once() -> None:
    await asyncio.wait_for(coalescer_of(Source()).close(), timeout=60)


async def ended_this_turn(coalescer: Coalescer[bytes, int], asked: "asyncio.Future[int]") -> None:
    """Wait until its fetch has ended, and the loop has not yet run the callbacks of the task."""
    await turns(2)  # in the first the fetch begins, in the second it ends
    assert asked.done()
    assert any(task.done() for task in coalescer._running)


async def test_close_needs_no_turn_of_the_loop_where_all_has_ended() -> None:
    coalescer = coalescer_of(Source())
    await ended_this_turn(coalescer, coalescer.ask(A))
    with pytest.raises(StopIteration):  # it waited for nothing
        coalescer.close().send(None)


async def test_close_in_the_turn_in_which_a_fetch_ended_waits_for_what_comes_after_it() -> None:
    source = Source()
    coalescer = coalescer_of(source, size=1, at_once=1)
    first, second = coalescer.ask(A), coalescer.ask(B)
    await ended_this_turn(coalescer, first)
    await coalescer.close()
    assert second.done()
    await turns()  # the callbacks that came late change nothing
    assert source.fetches == [[A], [B]]
    assert await coalescer.ask(C) == 2


async def test_a_close_that_is_cancelled_cancels_no_fetch() -> None:
    source = Source(held=True)
    coalescer = coalescer_of(source)
    asked = coalescer.ask(A)
    await turns()
    closing = asyncio.create_task(coalescer.close())
    await turns()
    closing.cancel()
    await turns()
    assert closing.cancelled()
    source.gates[0].set()
    assert await asked == 0
    await coalescer.close()


async def test_askers_of_a_fetch_that_is_cancelled_are_told() -> None:
    async def cancelled(digests: Sequence[bytes]) -> Mapping[bytes, int]:
        raise asyncio.CancelledError

    coalescer: Coalescer[bytes, int] = Coalescer(cancelled, size=10, at_once=1)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(coalescer.ask(A), timeout=60)
    await coalescer.close()


@pytest.mark.parametrize("digests", [[A], [A, B, C]])
async def test_fetches_that_are_cancelled_before_they_begin_hold_nobody_up(digests: list[bytes]) -> None:
    source = Source()
    coalescer = coalescer_of(source, size=1, at_once=2)
    asked = [coalescer.ask(digest) for digest in digests]
    for _ in range(2):  # what was begun by the asking, then what that one began
        for task in [*coalescer._coming]:
            task.cancel()
        await asyncio.sleep(0)
    await asyncio.wait_for(asyncio.gather(*asked), timeout=60)
    assert sorted(source.fetches) == [[digest] for digest in digests]
    await asyncio.wait_for(coalescer.close(), timeout=60)


async def test_what_waits_for_a_further_fetch_of_its_turn_is_not_fetched_twice() -> None:
    source = Source(held=True)
    coalescer = coalescer_of(source, size=1)
    asked = [coalescer.ask_or_join(A), coalescer.ask_or_join(B)]
    await asyncio.sleep(0)  # the first has begun, the other is about to
    asked.append(coalescer.ask_or_join(B))
    await turns()
    assert source.fetches == [[A], [B]]
    for gate in source.gates:
        gate.set()
    assert await asyncio.gather(*asked) == [0, 1, 1]


async def test_where_tasks_begin_at_once_a_fetch_still_begins_after_the_turn() -> None:
    source = Source()
    source.failure = OSError("no answer")
    loop = asyncio.get_running_loop()
    loop.set_task_factory(eager)
    try:
        coalescer = coalescer_of(source)
        asked = [coalescer.ask(A), coalescer.ask(B)]
        assert source.fetches == []
        for one in asked:
            with pytest.raises(OSError, match="no answer"):
                await asyncio.wait_for(one, timeout=60)
        assert source.fetches == [[A, B]]
    finally:
        loop.set_task_factory(None)
