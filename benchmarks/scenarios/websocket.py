"""WebSocket handshakes per second with a key, under uvicorn: connect, accept, close.

One uvicorn worker per contestant on the same core, a light client on another, 32 handshakes at once.
"""

from collections.abc import Sequence
from functools import partial

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from benchmarks.measured import Table
from benchmarks.rivals import bare, gatepost_app, starlette_authentication
from benchmarks.rivals.rival import SOCKET
from benchmarks.rounds import Plan, ratios, series, take_turns
from benchmarks.serving.handshake import Handshakes
from benchmarks.serving.lineup import Contestant, served

AT_ONCE = 32

TURN_SECONDS = 1.0


async def measure(plan: Plan) -> Sequence[Table]:
    """Handshakes per second."""
    rivals = (bare.STARLETTE, gatepost_app.STARLETTE, starlette_authentication.RIVAL)
    async with served(rivals, plan.tell) as contestants:
        for one in contestants:
            with one.awake():
                await verify(one)
        turns = {one.rival.name: partial(_turn, one) for one in contestants}
        runs = await take_turns(turns, plan.pick(10, 1), plan.tell)
    table = Table(
        title="WebSocket handshakes",
        unit="handshakes/s",
        series=series(runs, {rival.name: rival.note for rival in rivals}),
        ratios=ratios(runs, "gatepost", [rival.name for rival in rivals if rival is not gatepost_app.STARLETTE]),
        note="each a connection of its own: TCP, the upgrade, the key, accept, close; Starlette under uvicorn",
    )
    return [table]


async def verify(one: Contestant) -> None:
    """Try it with a client that speaks the whole protocol. Raises `RuntimeError` where it lets the wrong ones in."""
    await _connect(one, one.secrets.usable)
    if not one.protects:
        return
    for kind, secret in one.secrets.refused().items():
        try:
            await _connect(one, secret)
        except InvalidStatus as refusal:
            if refusal.response.status_code not in {401, 403}:
                raise RuntimeError(f"{one.rival.label}: {kind}: {refusal}") from refusal
        else:
            raise RuntimeError(f"{one.rival.label} accepts a WebSocket whose key is {kind}")


async def _turn(one: Contestant) -> float:
    handshakes = Handshakes(one.port, SOCKET, one.rival.header(one.secrets.usable), at_once=AT_ONCE)
    with one.awake():
        await one.settle()
        return await handshakes.rate(TURN_SECONDS)


async def _connect(one: Contestant, secret: str) -> None:
    headers = {"Authorization": one.rival.header(secret)}
    async with connect(f"ws://127.0.0.1:{one.port}{SOCKET}", additional_headers=headers, proxy=None) as socket:
        await socket.wait_closed()
