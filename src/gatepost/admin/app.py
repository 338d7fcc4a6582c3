"""The admin app: the page at its root, the REST API below `/api`, its document at `/openapi.json`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.addresses import X_FORWARDED_FOR, Addresses
from gatepost.admin.api import make_api, make_document
from gatepost.admin.entry import Authorize, OnSignIn
from gatepost.admin.mount import below_mount
from gatepost.admin.page import Trial, make_page
from gatepost.asgi import APIKeyMiddleware, Bearer, Header, Lifespan, Source, serving
from gatepost.base import BadInputError, ConfigurationError
from gatepost.keys import APIKeys
from gatepost.rules import ACCESS_MANAGE, ACCESS_READ


class Admin:
    """An ASGI app where people and programs manage `keys`: a page at its root, a REST API below `/api`. Mount it
    anywhere, or serve it by itself.

        app.mount("/settings/api-keys", Admin(keys))
        app.add_middleware(APIKeyMiddleware, keys=keys, exempt=Admin.paths("/settings/api-keys"))

    Nobody gets in without a usable key: the API takes it from the headers that `sources` name; people sign in to the
    page with a key that has `ACCESS_READ` or `ACCESS_MANAGE`, for `session_seconds` since the last use (12 hours at
    most), unless `authorize(request)` says who they are: an `Actor`, or `None` for nobody who may. `presets`: sets of
    permissions to pick at once, by title; `None` = some that fit most catalogues. `title`: the page's heading. `realm`:
    for the challenge of a 401. `trusted_proxies`, `header`: whose word on where a
    request is from is believed, as for the middleware; left out, they are those of the middleware around the app.
    `on_sign_in`: an async function that is told of the key with which somebody has signed in to the page, such as
    `webhooks.signed_in`; what it raises is logged.

    Raises `ConfigurationError` for a catalogue without the two permissions, `BadInputError`. Needs the extra `admin`.
    """

    def __init__(
        self,
        keys: APIKeys,
        *,
        authorize: Authorize | None = None,
        sources: Sequence[Source] = (Bearer(), Header("X-API-Key")),
        presets: Mapping[str, Iterable[str]] | None = None,
        session_seconds: float = 1800.0,
        title: str = "API keys",
        realm: str = "api",
        trusted_proxies: Iterable[str] = (),
        header: str = X_FORWARDED_FOR,
        on_sign_in: OnSignIn | None = None,
    ) -> None:
        missing = [name for name in (ACCESS_READ, ACCESS_MANAGE) if name not in keys.catalogue]
        if missing:
            raise ConfigurationError(
                f"The catalogue {keys.catalogue.__name__} lacks {' and '.join(missing)}, which managing keys needs: "
                "declare them there, by these names and with a sentence each, such as "
                'ACCESS_READ = "view API keys" and ACCESS_MANAGE = "manage API keys"'
            )
        self._keys = keys
        self._addresses = Addresses(trusted_proxies, header)
        page = make_page(
            keys,
            authorize=authorize,
            presets=presets,
            session_seconds=session_seconds,
            title=title,
            trial=Trial("/api/whoami", _header(sources)),
            on_sign_in=on_sign_in,
        )
        self._app: ASGIApp = Router(
            [
                Mount("/api", make_api(keys, sources=sources, realm=realm)),
                Route("/openapi.json", make_document(keys, api="/api", sources=sources, realm=realm)),
                Mount("/", page),
            ]
        )

    @staticmethod
    def paths(mount: str) -> Sequence[str]:
        """What the middleware's `exempt` needs to say where the app is mounted inside a wrapped app: its root, with and
        without the slash, and all below. `mount`: a path such as `/settings/api-keys`. Raises `BadInputError`."""
        if not isinstance(mount, str) or not mount.startswith("/") or mount.endswith("/") or "*" in mount:
            raise BadInputError(
                f"mount must be where the app is mounted, such as '/settings/api-keys', with no slash at its end, not "
                f"{mount!r}"
            )
        return [mount, f"{mount}/", f"{mount}/*"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope. Where nobody has opened the keys, the first request does."""
        if scope["type"] == "lifespan":
            await Lifespan(self._keys, self._app)(scope, receive, send)
            return
        await self._app(self._told_client(below_mount(scope)), receive, send)

    def _told_client(self, scope: Scope) -> Scope:
        """The scope with who is behind the proxies as its `client`, so that everything within sees the same: the check
        of keys, the audit log, the brake of the sign-in."""
        addresses = self._addresses
        around: Any = serving()
        if not addresses.believes_proxies and around and isinstance(around[1], APIKeyMiddleware):
            addresses = around[1].addresses
        if not addresses.believes_proxies:
            return scope
        address = addresses.seen(scope).address
        return {**scope, "client": None if address is None else (address, 0)}


def _header(sources: Sequence[Source]) -> str:
    """The line that carries a secret to the API, up to the secret."""
    name = next((source.name for source in sources if isinstance(source, Header)), None)
    return "Authorization: Bearer " if name is None else f"{name}: "
