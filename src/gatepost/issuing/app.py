"""`TemporarySecrets`: an ASGI app that hands out temporary secrets.

GET  /key/{template id}  {"status": "success", "key": "gpt_…"}: of a template that is public, or where authorize= says
so POST /temporary          the same with more to say; or of the key that the request came with"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from gatepost.addresses import X_FORWARDED_FOR, Addresses
from gatepost.asgi import APIKeyMiddleware, Lifespan, serving
from gatepost.base import (
    NO_LIMITS,
    AccessDeniedError,
    BadInputError,
    BoundedRecord,
    KeyNotFoundError,
    Limits,
    Rate,
    UnavailableError,
    is_id,
    limits_of_json,
)
from gatepost.intake import line_of, read_body
from gatepost.issuing import answers
from gatepost.issuing.answers import RefusedError
from gatepost.keys import APIKeys
from gatepost.limits import Bucket, Demand, buckets_of
from gatepost.temporary import Template, TemporaryRecord, TemporarySecret, origin_of

Authorize = Callable[[Request, Template], "bool | str | Awaitable[bool | str]"]
"""The app's say on who gets a temporary secret of a template that is not public: `False` = not who asks; a text = they
do, and it is for that subject."""

RATE = Rate(5, per=60, name="issue")
"""How often one address gets a secret of one template, unless told otherwise: as the brief's product has it."""

RATE_OF_ADDRESS = Rate(60, per=60, name="address")
"""How often one address may ask at all: also for ids that no template has. Unless told otherwise, as below."""

RATE_OF_TEMPLATE = Rate(6_000, per=60, name="template")
"""How often one template is issued of in all: what many addresses together may make it."""

BODY_MAX = 16 * 1024
MEMBERS = ("template", "permissions", "allow", "limits", "lifetime", "subject", "resources")

NOBODYS = "There is no such template."
"""One answer for what is unknown, is no template, is not for who asks, or is switched off."""


class TemporarySecrets:
    """An ASGI app that hands out temporary secrets. Mount it anywhere; the paths of templates need no key.

        app.mount("/temporary", TemporarySecrets(keys))
        app.add_middleware(APIKeyMiddleware, keys=keys, exempt=TemporarySecrets.paths("/temporary"))

    `authorize(request, template)`: who gets one of a template that is not public: `True`, or whom it is for, as a text;
    may be async; `None` = nobody. `rate`: how often one address gets one of one template; `rate_of_address`: how often
    it may ask at all; `rate_of_template`: how often one template is issued of, whoever asks; `None` = as often as they
    like. Counted in Redis where there is one. `trusted_proxies`, `header`: whose word on where a request is from is
    believed, as for the middleware; left out, they are those of the middleware around the app. Raises `BadInputError`.
    """

    def __init__(
        self,
        keys: APIKeys,
        *,
        authorize: Authorize | None = None,
        rate: Rate | None = RATE,
        rate_of_address: Rate | None = RATE_OF_ADDRESS,
        rate_of_template: Rate | None = RATE_OF_TEMPLATE,
        trusted_proxies: Iterable[str] = (),
        header: str = X_FORWARDED_FOR,
    ) -> None:
        self._keys = keys
        keys.note_limits()
        self._authorize = authorize
        self._rate = _checked_rate("rate", rate)
        self._rate_of_address = _checked_rate("rate_of_address", rate_of_address)
        self._rate_of_template = _checked_rate("rate_of_template", rate_of_template)
        self._addresses = Addresses(trusted_proxies, header)
        plain = Route("/key/{template}", self._plain, methods=["GET"])
        plain.methods = {"GET"}  # Starlette adds HEAD, whose answer tells no secret: one would be issued for nobody
        self._app = Router([plain, Route("/temporary", self._told, methods=["POST"])])

    @staticmethod
    def paths(mount: str) -> Sequence[str]:
        """What the middleware's `exempt` needs to say where the app is mounted inside a wrapped app. `mount`: a path
        such as `/temporary`. Raises `BadInputError`."""
        if not isinstance(mount, str) or not mount.startswith("/") or mount.endswith("/") or "*" in mount:
            raise BadInputError(
                f"mount must be where the app is mounted, such as '/temporary', no slash at the end, not {mount!r:.60}"
            )
        return [f"{mount}/key/*"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope. Where nobody has opened the keys, the first request does."""
        if scope["type"] == "lifespan":
            await Lifespan(self._keys, self._app)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _plain(self, request: Request) -> Response:
        try:
            issued, origin = await self._of_template(request, request.path_params["template"], {})
        except RefusedError as refusal:
            return answers.plain_refusal(refusal)
        return answers.plain(issued, origin)

    async def _told(self, request: Request) -> Response:
        try:
            asked = _asked(await read_body(request, BODY_MAX))
            template = asked.pop("template", None)
            if template is None:
                return answers.told(await self._of_caller(request, asked), None)
            return answers.told(*await self._of_template(request, template, asked))
        except RefusedError as refusal:
            return answers.refusal_told(refusal)
        except HTTPException as refusal:
            return answers.refusal_told(RefusedError(HTTPStatus(refusal.status_code), refusal.detail))

    async def _of_template(
        self, request: Request, template_id: str, asked: dict[str, Any]
    ) -> tuple[TemporarySecret, str | None]:
        """A secret of a template, and the origin of the page that asks, where the template names such. Raises
        `RefusedError`."""
        if not is_id(template_id):
            raise RefusedError(HTTPStatus.NOT_FOUND, NOBODYS)
        address = self._address(request.scope)
        await self._take_of(template_id, address)
        try:
            template = await self._keys.templates.current(template_id)
        except (KeyNotFoundError, BadInputError):
            raise RefusedError(HTTPStatus.NOT_FOUND, NOBODYS) from None
        except UnavailableError as failure:
            raise _cut_off(failure) from None
        key, terms = template.key, template.terms
        if terms is None or not key.active:
            raise RefusedError(HTTPStatus.NOT_FOUND, NOBODYS)
        subject = None if terms.public else await self._subject(request, template)
        origin = origin_of(request.scope["headers"])
        if terms.origins is not None and origin not in terms.origins:
            raise RefusedError(HTTPStatus.FORBIDDEN, "This is not for pages of this origin.")
        if isinstance(key, BoundedRecord) and not key.admits(address):
            raise RefusedError(HTTPStatus.FORBIDDEN, "This is not for your address.")
        await self._take(buckets_of("issue", template_id, self._rate_of_template))  # who is refused takes nothing of it
        issued = await self._issue(template_id, {**asked, "subject": subject})
        return issued, None if terms.origins is None else origin

    async def _subject(self, request: Request, template: Template) -> str | None:
        """Whom a secret is for, of a template that is not public. Raises `RefusedError` where not for who asks."""
        answer: object = False
        if self._authorize is not None:
            said = self._authorize(request, template)
            answer = await said if inspect.isawaitable(said) else said
        if isinstance(answer, str):
            return answer
        if answer is not True:
            raise RefusedError(HTTPStatus.NOT_FOUND, NOBODYS)
        return None

    async def _of_caller(self, request: Request, asked: dict[str, Any]) -> TemporarySecret:
        """A secret of the key that the request came with. Raises `RefusedError`."""
        served: Any = serving()
        key = request.scope.get("api_key")
        is_ours = bool(served) and isinstance(served[1], APIKeyMiddleware) and served[1].keys is self._keys
        if not is_ours or key is None or served[0].get("api_key") is not key:
            raise RefusedError(HTTPStatus.UNAUTHORIZED, "Send a key, or name a template.")
        if isinstance(key, TemporaryRecord):
            raise RefusedError(HTTPStatus.FORBIDDEN, "A temporary secret issues no others.")
        digest: bytes = served[2]
        await self._take_of(key.id, self._address(request.scope))
        return await self._issue(digest, asked)

    async def _issue(self, parent: str | bytes, asked: dict[str, Any]) -> TemporarySecret:
        try:
            return await self._keys.issue_temporary(parent, **asked)
        except (KeyNotFoundError, AccessDeniedError):
            raise RefusedError(HTTPStatus.NOT_FOUND, NOBODYS) from None
        except BadInputError as wrong:
            if wrong.field == "parent":
                raise RefusedError(HTTPStatus.NOT_FOUND, NOBODYS) from None
            raise RefusedError(HTTPStatus.BAD_REQUEST, str(wrong)) from None
        except UnavailableError as failure:
            raise _cut_off(failure) from None

    async def _take_of(self, of: str, address: str | None) -> None:
        """Count a call of an address. Raises `RefusedError` where there are too many."""
        line = "" if address is None else line_of(address)[:64]
        of_both = buckets_of("issue", f"{of}/{line}", self._rate)
        await self._take([*of_both, *buckets_of("issue", line, self._rate_of_address)])

    async def _take(self, buckets: Sequence[Bucket]) -> None:
        """Take from all of them, or from none. Raises `RefusedError`."""
        if not buckets:
            return
        demand = Demand(buckets)
        try:
            if not self._keys.is_open:
                await self._keys.open()
            limiter = self._keys.limiter
            taken = limiter.take_at_once(demand.asked) or await limiter.take(demand.asked, demand.call)
        except UnavailableError as failure:
            raise _cut_off(failure) from None
        if not taken.let_in:
            raise RefusedError(HTTPStatus.TOO_MANY_REQUESTS, "Too many calls: try again later.", wait=taken.retry_after)

    def _address(self, scope: Scope) -> str | None:
        """Where a request is from."""
        addresses = self._addresses
        around: Any = serving()
        if not addresses.believes_proxies and around and isinstance(around[1], APIKeyMiddleware):
            addresses = around[1].addresses
        return addresses.of(scope)


def _checked_rate(name: str, rate: Rate | None) -> Limits:
    """It alone, or nothing. Raises `BadInputError`."""
    if rate is None:
        return NO_LIMITS
    if not isinstance(rate, Rate):
        raise BadInputError(f"{name} must be a Rate, such as Rate(5, per=60), or None, not {rate!r:.50}", name)
    return Limits([rate])


def _asked(body: bytes) -> dict[str, Any]:
    """What a body asks for. Raises `RefusedError`, which repeats nothing of it."""
    try:
        told = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError:
        told = None
    if not isinstance(told, dict) or not set(told) <= set(MEMBERS):
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"The body must be a JSON object of {', '.join(MEMBERS)}.")
    asked = {name: value for name, value in told.items() if value is not None}
    for name in ("permissions", "allow", "resources"):
        if name in asked and not (isinstance(asked[name], list) and all(isinstance(each, str) for each in asked[name])):
            raise RefusedError(HTTPStatus.BAD_REQUEST, f"{name} must be a list of texts.")
    if not isinstance(asked.get("template", ""), str):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "template must be the id of one, a text.")
    if {"template", "subject"} <= set(asked):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "subject: of a template the app says whom it is for.")
    try:
        if "limits" in asked:
            asked["limits"] = limits_of_json(asked["limits"])
    except BadInputError as wrong:
        raise RefusedError(HTTPStatus.BAD_REQUEST, str(wrong)) from None
    return asked


def _cut_off(failure: UnavailableError) -> RefusedError:
    return RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "Try again later.", wait=failure.retry_after)
