"""The admin app: the page at its root, the REST API below `/api`, its document at `/openapi.json`."""

from collections.abc import Iterable, Mapping, Sequence

from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.admin.api import make_api, make_document
from gatepost.admin.mount import below_mount
from gatepost.admin.page import make_page
from gatepost.admin.page.entrance import Authorize
from gatepost.admin.page.trial import Trial
from gatepost.authority import ACCESS_MANAGE, ACCESS_READ
from gatepost.errors import ConfigurationError
from gatepost.keyring import APIKeys
from gatepost.lifespan import Lifespan
from gatepost.sources import Header, Source


class Admin:
    """Where keys are managed, for wherever it is mounted, or by itself. See `APIKeys.admin`."""

    def __init__(
        self,
        keys: APIKeys,
        *,
        authorize: Authorize | None,
        sources: Sequence[Source],
        presets: Mapping[str, Iterable[str]] | None,
        session_seconds: float,
        title: str,
        realm: str,
    ) -> None:
        missing = [name for name in (ACCESS_READ, ACCESS_MANAGE) if name not in keys.catalogue]
        if missing:
            raise ConfigurationError(
                f"The catalogue {keys.catalogue.__name__} lacks {' and '.join(missing)}, which managing keys needs: "
                "declare them there, by these names and with a sentence each, such as "
                'ACCESS_READ = "view API keys" and ACCESS_MANAGE = "manage API keys"'
            )
        self._keys = keys
        page = make_page(
            keys,
            authorize=authorize,
            presets=presets,
            session_seconds=session_seconds,
            title=title,
            trial=Trial("/api/whoami", _header(sources)),
        )
        self._app: ASGIApp = Router(
            [
                Mount("/api", make_api(keys, sources=sources, realm=realm)),
                Route("/openapi.json", make_document(keys, api="/api", sources=sources, realm=realm)),
                Mount("/", page),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope. Where nobody has opened the keys, the first request does."""
        if scope["type"] == "lifespan":
            await Lifespan(self._keys, self._app)(scope, receive, send)
            return
        await self._app(below_mount(scope), receive, send)


def _header(sources: Sequence[Source]) -> str:
    """The line that carries a secret to the API, up to the secret."""
    name = next((source.name for source in sources if isinstance(source, Header)), None)
    return "Authorization: Bearer " if name is None else f"{name}: "
