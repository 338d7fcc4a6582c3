"""`Leaks`: an ASGI app with a route for each who may tell of leaked secrets.

POST /github                           GitHub's secret scanning, as a partner: signed
GET  /gitlab/v1/revocable_token_types  GitLab's revocation API: a token
POST /gitlab/v1/revoke_tokens
POST /revoke                           whoever has the secret
"""

from collections.abc import Iterable, Sequence
from typing import Any

from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from gatepost.addresses import X_FORWARDED_FOR, Addresses
from gatepost.asgi import APIKeyMiddleware, Lifespan, serving
from gatepost.base import BadInputError
from gatepost.keys import APIKeys
from gatepost.leaks.answers import guarded
from gatepost.leaks.desk import Deliver, Desk
from gatepost.leaks.github import GitHub
from gatepost.leaks.gitlab import GitLab
from gatepost.leaks.revoke import Revoke


class Leaks:
    """An ASGI app that ends secrets which were found in the open. Mount it anywhere, where no key is asked for.

        app.mount("/leaks", Leaks(keys, github=GitHub()))
        app.add_middleware(APIKeyMiddleware, keys=keys, exempt=Leaks.paths("/leaks"))

    `github`, `gitlab`: who else may tell beside whoever has a secret; `None` = there is no such route. `revoke`:
    likewise, for those. `deliver`: an async function that is handed the `Issued` of each key that was rotated, to bring
    the new secret to whom it belongs; without it only a vault has the secret, so `response="rotate"` needs one of the
    two. `trusted_proxies`, `header`: whose word on where a request is from is believed, as for the middleware; left
    out, they are those of the middleware around the app.

    Nobody learns from an answer which secrets there are. Raises `BadInputError`.
    """

    def __init__(
        self,
        keys: APIKeys,
        *,
        github: GitHub | None = None,
        gitlab: GitLab | None = None,
        revoke: Revoke | None = Revoke(),  # noqa: B008 - frozen
        deliver: Deliver | None = None,
        trusted_proxies: Iterable[str] = (),
        header: str = X_FORWARDED_FOR,
    ) -> None:
        given = [each for each in (github, gitlab, revoke) if each is not None]
        if not given:
            raise BadInputError("Leaks(...) has nobody to listen to: name github=, gitlab= or revoke=")
        if any(each.response == "rotate" for each in given) and deliver is None and not keys.has_vault:
            raise BadInputError(
                "response='rotate' makes secrets that nobody would ever see: give deliver=, or the keys a vault",
                "deliver",
            )
        self._keys = keys
        self._addresses = Addresses(trusted_proxies, header)
        desk = Desk(keys, deliver)
        self._app = Router([route for each in given for route in each.routes(desk)])

    @staticmethod
    def paths(mount: str) -> Sequence[str]:
        """What the middleware's `exempt` needs to say where the app is mounted inside a wrapped app. `mount`: a path
        such as `/leaks`. Raises `BadInputError`."""
        if not isinstance(mount, str) or not mount.startswith("/") or mount.endswith("/") or "*" in mount:
            raise BadInputError(
                f"mount must be where the app is mounted, such as '/leaks', with no slash at the end, not {mount!r:.60}"
            )
        return [f"{mount}/*"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope. Where nobody has opened the keys, the first request does."""
        if scope["type"] == "lifespan":
            await Lifespan(self._keys, self._app)(scope, receive, send)
            return
        if scope["type"] == "http":
            await guarded(self._serve)(self._told_client(scope), receive, send)
            return
        await self._app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._keys.is_open:
            await self._keys.open()
        await self._app(scope, receive, send)

    def _told_client(self, scope: Scope) -> Scope:
        """The scope with who is behind the proxies as its `client`."""
        addresses = self._addresses
        around: Any = serving()
        if not addresses.believes_proxies and around and isinstance(around[1], APIKeyMiddleware):
            addresses = around[1].addresses
        address = addresses.seen(scope).address
        return {**scope, "client": None if address is None else (address, 0)}
