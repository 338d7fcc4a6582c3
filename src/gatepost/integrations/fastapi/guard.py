"""`Guard`: the keys around a FastAPI app, asked first, told in its document, and looked over before it starts."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NoReturn, Unpack, cast

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.asgi import (
    APIKeyMiddleware,
    PermissionsFirst,
    RefusedError,
    faults_among,
)
from gatepost.asgi.lifespan import Placed, kept, place_of_caller
from gatepost.asgi.routes import Exemptions, Pages
from gatepost.base import BadInputError, ConfigurationError, GatepostError
from gatepost.integrations.fastapi.routes import handlers, is_page, mounted, operations
from gatepost.integrations.openapi import Gate, Json, Options, gate_of
from gatepost.keys import APIKeys

logger = logging.getLogger("gatepost.fastapi")


class Guard:
    """Puts `keys` around `app`: every request needs a usable key, unless its path is exempt.

    `Guard(app, keys)` once, below `app = FastAPI()`, before or after its routes. It adds `APIKeyMiddleware` with these
    options, and `PermissionsFirst`, where it stands among `app.add_middleware(...)`: what is added later is around it,
    as CORS has to be. The document at `/openapi.json`, and those of FastAPI apps that are mounted, then tell where a
    key is sent, what each operation needs, and how it refuses, so that `/docs` has *Authorize*. What a dependency
    refuses is told as the middleware tells it.

    `docs`: whether `/docs`, `/redoc` and `/openapi.json` can be read without a key, as in FastAPI itself; `False` =
    they need one. What the app takes at these paths by another method needs a key in any case.

    Before the app starts its routes are looked over. `ConfigurationError`, from the lifespan's start or else the first
    request, names the line of each that asks for a permission which is none, or which no key can be given; that stands
    below a `@requires` which therefore guards nothing; and of another middleware with other keys around the same app.
    Raises `BadInputError` for options that cannot be used, and for an app that has a guard. Requests pay for the
    middleware alone.
    """

    def __init__(self, app: FastAPI, keys: APIKeys, *, docs: bool = True, **options: Unpack[Options]) -> None:
        if not isinstance(app, FastAPI):
            raise BadInputError(
                f"Guard is for FastAPI apps, not {type(app).__name__}: wrap that in APIKeyMiddleware(app, keys)", "app"
            )
        earlier = next((guard for guard in map(_guard_of, app.user_middleware) if guard is not None), None)
        if earlier is not None:
            raise BadInputError(f"The app has a Guard already, at {earlier.place}: take one of them out", "app")
        options = cast("Options", kept(options))
        APIKeyMiddleware(app, keys, **options)  # says now, at this line, what is wrong with the options
        self.place: str = place_of_caller()
        """Where it was made, `file:line`."""
        self._app = app
        self._keys = keys
        self._pages = Pages(self._found)
        exempt = [*options.get("exempt", ()), *([self._pages] if docs else ())]
        self._exemptions = Exemptions([each for each in exempt if isinstance(each, str | Pages)])
        self._gate = gate_of(keys, options)
        self._adopt()
        app.add_middleware(self.begin)
        app.add_middleware(PermissionsFirst)
        options["exempt"] = Placed.at(exempt, self.place)
        app.add_middleware(APIKeyMiddleware, keys=keys, **options)

    def begin(self, app: ASGIApp) -> ASGIApp:
        """Called by Starlette as it puts the app together, from the inside out: the app, once all is looked over; in
        the place of one that is not right, one that says so."""
        try:
            self._adopt()
            self._look_over()
        except GatepostError as error:
            return partial(_fail, error)
        return app

    def _adopt(self) -> None:
        """Have the documents of the app, and of those mounted in it by now, tell of the keys. Again for what is new."""
        self._pages.look()
        for app, prefix in [(self._app, ""), *mounted(self._app)]:
            app.exception_handlers.setdefault(RefusedError, _answer)
            if not isinstance(app.openapi, Document):  # or the app's own function, put there after the guard's
                app.openapi = Document(app, app.openapi, self._gate, prefix, self._exemptions)  # type: ignore[method-assign]

    def _found(self) -> set[tuple[str, str]]:
        """The apps' own pages; once the app is put together, those of then: what is mounted later needs a key."""
        if self._app.middleware_stack is not None:
            return self._pages.known
        return {
            (method, path)
            for app, prefix in [(self._app, ""), *mounted(self._app)]
            for path in _docs_of(app, prefix)
            if is_page(self._app, path)
            for method in ("GET", "HEAD")
        }

    def _look_over(self) -> None:
        catalogue = self._keys.catalogue
        apps = [(self._app, ""), *mounted(self._app, past_keys=False)]
        listed = [(handler, catalogue, None) for app, prefix in apps for handler in handlers(app, prefix)]
        if found := [fault for fault, _ in faults_among(listed)]:
            raise ConfigurationError("\n".join(found))
        inside: list[Any] = [each.cls for each in self._app.user_middleware]
        if CORSMiddleware in inside and inside.index(CORSMiddleware) > inside.index(APIKeyMiddleware):
            logger.warning(
                "CORSMiddleware stands inside of the keys, so browsers' preflight requests are refused: add it below "
                "Guard(...) at %s",
                self.place,
            )


class Document:
    """In the place of an app's `openapi`: what that answers, with what is to be known of the keys. Made once."""

    def __init__(self, app: FastAPI, make: Callable[[], Json], gate: Gate, prefix: str, exemptions: Exemptions) -> None:
        self._app = app
        self._make = make
        self._gate = gate
        self._prefix = prefix
        self._exemptions = exemptions
        self._made: tuple[Json, Json] | None = None

    def __call__(self) -> Json:
        """The document. Raises `UnknownPermissionError` for a scope that is no permission."""
        bare = self._make()  # FastAPI keeps it until there are other routes
        if self._made is None or self._made[0] is not bare:
            asked = {
                (path, method): checks
                for path, method, checks in operations(self._app)
                if not self._exemptions.match({"type": "http", "method": method.upper(), "path": self._prefix + path})
            }
            self._made = bare, self._gate.told_in(bare, asked)
        return self._made[1]


def _guard_of(entry: Any) -> Guard | None:
    guard = getattr(entry.cls, "__self__", None)
    return guard if isinstance(guard, Guard) else None


def _docs_of(app: FastAPI, prefix: str) -> Sequence[str]:
    """The paths of an app's own pages."""
    if not app.openapi_url or "{" in prefix:
        return ()
    pages = (app.openapi_url, app.docs_url, app.redoc_url, app.docs_url and app.swagger_ui_oauth2_redirect_url)
    return [prefix + page for page in pages if page]


async def _answer(_request: Request, error: Exception) -> Response:
    """The refusal itself, which is sent as a response is."""
    return cast("Response", cast("RefusedError", error).problem)


async def _fail(error: GatepostError, scope: Scope, receive: Receive, send: Send) -> NoReturn:
    """Tell a server that the app cannot be started; raise for what else it sends."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed", "message": str(error)})
    raise error
