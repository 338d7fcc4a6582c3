"""WebSocket handshakes per second with a key, under uvicorn: connect, accept, close.

One uvicorn worker per contestant on the same core, a light client on another, 32 handshakes at once.
"""

from collections.abc import Sequence
from functools import partial

from benchmarks.measured import Table
from benchmarks.rivals import bare, gatepost_app, starlette_authentication
from benchmarks.rivals.rival import SOCKET
from benchmarks.rounds import Plan, ratios, series, take_turns
from benchmarks.serving.handshake import Handshakes
from benchmarks.serving.lineup import Contestant, served

RIVALS = (bare.STARLETTE, gatepost_app.STARLETTE, starlette_authentication.RIVAL)

AT_ONCE = 32

TURN_SECONDS = 1.0


async def measure(plan: Plan) -> Sequence[Table]:
    """Handshakes per second."""
    async with served(RIVALS, plan.tell) as contestants:
        turns = {one.rival.name: partial(_turn, one) for one in contestants}
        runs = await take_turns(turns, plan.pick(10, 1), plan.tell)
    table = Table(
        title="WebSocket handshakes",
        unit="handshakes/s",
        series=series(runs, {rival.name: rival.note for rival in RIVALS}),
        ratios=ratios(runs, "gatepost", [rival.name for rival in RIVALS if rival is not gatepost_app.STARLETTE]),
        note="each a connection of its own: TCP, the upgrade, the key, accept, close; Starlette under uvicorn",
    )
    return [table]


async def _turn(one: Contestant) -> float:
    handshakes = Handshakes(one.port, SOCKET, one.header("usable"), at_once=AT_ONCE)
    with one.awake():
        await one.ask()
        return await handshakes.rate(TURN_SECONDS)
