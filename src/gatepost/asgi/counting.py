"""Counting what came of requests, on the way out: by then the app's router has told which route it was."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.types import Message, Send

from gatepost.addresses import Addresses
from gatepost.asgi.current import OUTCOME, ROUTE, TEMPLATE, Templates
from gatepost.asgi.sources import Scope
from gatepost.base import Outcome, Presented, Record
from gatepost.keys import APIKeys

if TYPE_CHECKING:
    from gatepost.usage import UsageCounter  # SQLAlchemy, only where keys are opened

VALID = Outcome.VALID


class Counting:
    """Counts the requests of one middleware. `addresses`: tells where a request is from. `known_routes`: of each route
    whose template was found, by its `id`, the route and the template; compiled code looks there."""

    def __init__(self, addresses: Addresses) -> None:
        self._templates = Templates()
        self.known_routes = self._templates.remembered
        self._address = addresses.of if addresses.believes_proxies else _peer

    def let_in(self, uses: "UsageCounter", key: Record, digest: bytes, scope: Scope, began: float) -> None:
        """A request was let in as `key` with the secret of `digest` (32 bytes), and is over. `began`: on the boot
        clock. What compiled code does first is what this does first."""
        route = self._templates.of(scope) if ROUTE in scope or TEMPLATE in scope else ""
        if OUTCOME not in scope and uses.since <= began < uses.until:
            cell = uses.cells.get((digest, route) if route else digest)
            if cell is not None:
                cell.count += 1
                if began >= cell.last:
                    cell.last = began
                    cell.client = self._address(scope)
                return
        uses.count(scope.get(OUTCOME, VALID), key.id, digest, began or uses.clock(), route, self._address(scope))

    def refused(
        self,
        keys: APIKeys,
        outcome: Outcome,
        presented: Presented | Outcome | None,
        scope: Scope,
        began: float,
    ) -> None:
        """A request was refused before any router saw it. `presented`: what it showed; who shows nothing that tells of
        a key is counted together with all others who do not. Who watches is told too."""
        key_id, digest = "", b""
        if isinstance(presented, Presented) and presented.key_id is not None:
            key_id, claims = presented.key_id, presented.claims
            digest = presented.digest if claims is None else claims.digest
        if keys.watch is not None:
            keys.watch.refused(outcome, key_id or None, scope)
        if (uses := keys.uses) is not None:
            uses.count(outcome, key_id, digest, began or uses.clock(), "", self._address(scope))


def _peer(scope: Scope) -> Any:
    """Who is at the other end of the connection, as the server tells it."""
    return scope.get("client")


class Handshake:
    """Has a WebSocket counted when the app answers its handshake: it may last for days. `count`: does it."""

    def __init__(self, send: Send, count: Callable[[], None]) -> None:
        self._send = send
        self._count: Callable[[], None] | None = count

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message on."""
        self.count()
        return self._send(message)

    def count(self) -> None:
        """Count it, unless it is counted."""
        count, self._count = self._count, None
        if count is not None:
            count()
