"""What all pages share: the parts, and how a request is let in and answered."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from jinja2 import Environment
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gatepost.admin.entry import Entrance, Guest, Sessions, Stranger, check_single, csrf, session
from gatepost.admin.page.assets import Assets
from gatepost.admin.page.form import read_form
from gatepost.admin.page.sign_in import SignInDesk
from gatepost.admin.page.told import FORGED, TOLD, Failure, failure_of
from gatepost.admin.page.trial import Trial
from gatepost.admin.page.visit import SIGN_IN_FIELD, Visit
from gatepost.keys import APIKeys
from gatepost.rules import Authority

_KEPT_OUT = Failure(403, "You may not manage keys", "Ask whoever runs this app to let you in.")

Handler = Callable[[Visit], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The parts that pages are made of. `signs_in`: whether people sign in here, or the host app lets them in."""

    keys: APIKeys
    title: str
    presets: Mapping[str, frozenset[str]]
    entrance: Entrance
    sessions: Sessions
    signs_in: bool
    desk: SignInDesk
    assets: Assets
    templates: Environment
    trial: Trial | None

    def page(self, handler: Handler, *, holds: bool = False) -> Endpoint:
        """The handler as an endpoint for those who have been let in. `holds`: what was typed into its form before a
        session ended is kept, and shown again after the sign-in. Such a form changes keys."""

        async def enter(visit: Visit) -> Response:
            visit.holds = holds
            if holds and self.signs_in and SIGN_IN_FIELD in visit.fields:
                refused = await self.desk.let_in(visit)
                if refused is not None:
                    return refused
                Authority(visit.actor).check_manage()
                visit.is_shown_again = True
                return await handler(visit)
            guest = await self.entrance.admit(visit.request)
            if guest is None:
                return visit.failed(_KEPT_OUT)
            if isinstance(guest, Stranger):
                visit.ends_session = guest.reason is not None
                return visit.sign_in(guest.reason)
            visit.guest = guest
            visit.check_token()
            return await handler(visit)

        return self.open_page(enter)

    def open_page(self, handler: Handler) -> Endpoint:
        """The handler as an endpoint for everybody."""

        async def endpoint(request: Request) -> Response:
            visit = Visit(self, request)
            try:
                check_single(request, [csrf.COOKIE, session.COOKIE] if self.signs_in else [csrf.COOKIE])
                await self.keys.open()  # where nobody has
                if request.method == "POST":
                    if not csrf.is_own_request(request.headers):
                        return visit.failed(Failure(403, "This was refused", FORGED))
                    visit.fields = await read_form(request)
                response = await handler(visit)
            except TOLD as error:
                response = visit.failed(failure_of(error))
            visit.set_cookies(response)
            return response

        return endpoint

    async def failed(self, request: Request, error: Exception) -> Response:
        """Answer what no route answers, and what nobody foresaw."""
        visit = Visit(self, request)
        if isinstance(error, HTTPException):
            with suppress(*TOLD):  # the frame around the page is for those who may be here
                await self.keys.open()
                guest = await self.entrance.admit(request)
                visit.guest = guest if isinstance(guest, Guest) else visit.guest
        return visit.failed(failure_of(error))
