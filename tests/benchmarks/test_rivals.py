"""What the benchmarks over HTTP rest on: contestants let the right callers in, and what wrk prints is understood."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.rivals import bare, drf_api_key, gatepost_app, keygate_fastapi, keyshield_fastapi, nginx, ten_lines
from benchmarks.rivals.rival import SOCKET, Rival
from benchmarks.scenarios import websocket
from benchmarks.scenarios.requests import RIVALS
from benchmarks.serving import wrk
from benchmarks.serving.handshake import HandshakeError, Handshakes
from benchmarks.serving.lineup import Contestant, served
from benchmarks.serving.servers import UVICORN
from benchmarks.serving.turns import Turns
from msgspec.structs import replace as replace_load
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.servers.programs import ProgramMissingError

FOUND = (
    '{"requests": 7000, "microseconds": 1000000, "p99": 14000, "refused": 0, '
    '"connect": 0, "read": 0, "write": 0, "timeout": 0}'
)
PRINTED = f"""Running 1s test @ http://127.0.0.1:20000/objects
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     9.92ms    1.02ms  20.10ms   90.00%
    Req/Sec     7.01k   200.00     7.20k    70.00%
  7000 requests in 1.00s, 1.00MB read
Requests/sec:   7000.00
Transfer/sec:      1.00MB
{FOUND}
"""


def on_this_machine(rival: Rival) -> bool:
    """Whether its programs are there."""
    if rival is not nginx.RIVAL:
        return True
    try:
        nginx.program()
    except ProgramMissingError:
        return False
    return True


@pytest.fixture(scope="module")
def contestants() -> Iterator[Mapping[str, Contestant]]:
    """All of them that this machine can serve, by label. That each answers right is found while they start."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        try:
            wrk.program()
        except ProgramMissingError as missing:
            pytest.skip(str(missing))
        serving = served([rival for rival in RIVALS if on_this_machine(rival)], lambda _text: None)
        found = runner.run(serving.__aenter__())
        try:
            yield {one.rival.label: one for one in found}
        finally:
            runner.run(serving.__aexit__(None, None, None))


@pytest.mark.parametrize("rival", RIVALS, ids=[rival.label for rival in RIVALS])
def test_a_contestant_lets_in_the_usable_key_and_refuses_all_others(
    rival: Rival, contestants: Mapping[str, Contestant]
) -> None:
    if not on_this_machine(rival):
        pytest.skip("no nginx found on this machine: apt install nginx-light")
    statuses = dict(contestants[rival.label].statuses)
    assert statuses.pop("usable") == 200
    assert statuses.keys() >= {"unknown", "invented"}
    expected = {401, 403} if rival.name != bare.STARLETTE.name else {200}
    assert set(statuses.values()) <= expected


@pytest.mark.parametrize(
    "rival", [gatepost_app.STARLETTE, keygate_fastapi.RIVAL, keyshield_fastapi.CACHED, drf_api_key.RIVAL]
)
def test_a_contestant_that_knows_deactivated_keys_is_tried_with_one(
    rival: Rival, contestants: Mapping[str, Contestant]
) -> None:
    assert "deactivated" in contestants[rival.label].statuses


async def test_load_that_is_refused_is_no_measurement(contestants: Mapping[str, Contestant]) -> None:
    one = contestants[gatepost_app.STARLETTE.label]
    done = await one.load("usable", connections=2, seconds=1)
    assert done.requests > 0
    wrong = replace(one, secrets={**one.secrets, "usable": one.secrets["unknown"]})
    with pytest.raises(RuntimeError, match="were refused"):
        await wrong.load("usable", connections=2, seconds=1)


@pytest.mark.parametrize("rival", websocket.RIVALS, ids=[rival.label for rival in websocket.RIVALS])
async def test_websockets_are_let_in_with_the_usable_key_alone(
    rival: Rival, contestants: Mapping[str, Contestant]
) -> None:
    one = contestants[rival.label]

    def handshakes(kind: str) -> Handshakes:
        return Handshakes(one.port, SOCKET, one.header(kind), at_once=2)

    with one.awake():
        await open_and_close(one, "usable")
        assert await handshakes("usable").rate(0.1) > 0
        for kind in one.secrets.keys() - {"usable"} if one.protects else ():
            with pytest.raises(InvalidStatus, match=r"\b40[13]\b"):
                await open_and_close(one, kind)
            with pytest.raises(HandshakeError, match=r"\b40[13]\b"):
                await handshakes(kind).rate(0.1)


async def open_and_close(one: Contestant, kind: str) -> None:
    """A WebSocket, by a client that speaks the whole protocol."""
    headers = {"Authorization": one.header(kind)}
    async with connect(f"ws://127.0.0.1:{one.port}{SOCKET}", additional_headers=headers, proxy=None) as socket:
        await socket.wait_closed()


async def test_a_contestant_is_stopped_while_it_has_no_turn(contestants: Mapping[str, Contestant]) -> None:
    one = contestants[gatepost_app.STARLETTE.label]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(one.ask(), 0.3)
    with one.awake():
        await one.ask()


def turns_of(rates: Mapping[Rival, Sequence[float]]) -> tuple[Turns, Mapping[Rival, Contestant]]:
    """Turns that were taken, with these answers per second."""
    turns = Turns(lambda _text: None, rounds=2)
    ones = {one: Contestant(rival=one, server=UVICORN, secrets={}, port=1) for one in rates}
    for rival, each in rates.items():
        turns.loads[rival.label, 64] = [replace_load(wrk.parse(FOUND), requests=int(rate)) for rate in each]
    return turns, ones


def test_one_that_was_started_once_is_compared_in_the_same_round_with_all_starts_of_another() -> None:
    several, once = ten_lines.RIVAL, keyshield_fastapi.CACHED
    turns, ones = turns_of({several: [10, 20, 30, 40], once: [10, 100]})
    (found,) = turns.ratios(ones[several], ones[once])
    assert found.runs == (1.0, 2.0, 0.3, 0.4)
    turns, ones = turns_of({several: [10, 20, 30], once: [10, 100]})
    with pytest.raises(ValueError, match="3 turns of ten lines by hand against 2 of keyshield"):
        turns.ratios(ones[several], ones[once])


def test_what_wrk_prints_is_understood() -> None:
    found = wrk.parse(PRINTED)
    assert (found.requests, found.rate, found.p99) == (7000, 7000.0, 14000)
    found.check(refused=False)


@pytest.mark.parametrize("printed", ["", "unable to connect to 127.0.0.1:1 Connection refused\n", '{"requests": 7'])
def test_what_is_no_finding_of_wrk_is_an_error(printed: str) -> None:
    with pytest.raises(RuntimeError):
        wrk.parse(printed)


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        (('"refused": 0', '"refused": 3'), False),
        (('"refused": 0', '"refused": 3'), True),
        (('"read": 0', '"read": 1'), False),
        (('"timeout": 0', '"timeout": 1'), False),
    ],
)
def test_answers_other_than_expected_are_an_error(change: tuple[str, str], refused: bool) -> None:
    with pytest.raises(RuntimeError):
        wrk.parse(FOUND.replace(*change)).check(refused=refused)


def test_nginx_lets_one_secret_through(tmp_path: Path) -> None:
    text = nginx.configuration(tmp_path, 20001, 20002, ten_lines.make_secrets()["usable"])
    assert "listen 127.0.0.1:20001;" in text
    assert "server 127.0.0.1:20002;" in text
    assert f"pid {tmp_path}/nginx.pid;" in text
    assert text.count("{") == text.count("}")
