"""One request: who sent it, what it may do, and how it is answered."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from gatepost.admin.entry import SESSION_PURPOSE, Cookies, Guest, csrf, name_of, session
from gatepost.admin.page.back import Back
from gatepost.admin.page.told import FORGED, Failure
from gatepost.base import AccessDeniedError, Actor, APIKey
from gatepost.keys import APIKeys
from gatepost.rules import Authority

if TYPE_CHECKING:
    from gatepost.admin.page.site import Site

CSRF_PURPOSE = "admin csrf"
"""Names the derived keys that tokens are made with."""

SIGN_IN_FIELD = "secret"
"""The field of the sign-in. No other form has one of that name."""

WAIT_SECONDS = 5.0
"""For how long a change waits for every worker before the page answers that it is still spreading."""

_CHALLENGE = {"WWW-Authenticate": 'Session realm="API keys"'}
"""A 401 has to carry one (RFC 9110, section 11.6.1); browsers ignore a scheme that they do not know."""

_OF_SIGN_IN = frozenset((csrf.FIELD, SIGN_IN_FIELD, "next"))

_OUTSIDE = Guest(Actor("nobody"))
"""Who has not been let in: somebody who may do nothing."""


@dataclass(slots=True)
class Visit:
    """What is known of a request. `fields`: of the form that was sent. `guest`: once let in. `begins_session`: whether
    the visitor has signed in just now. `ends_session`: whether the answer has the browser forget its session.
    `new_csrf_cookie`: made for a browser that has none. `holds`: whether what was typed is kept for after a sign-in.
    `is_shown_again`: the form was sent before that sign-in: it is to be shown, and nothing is to be done."""

    site: "Site"
    request: Request
    fields: FormData = field(default_factory=FormData, repr=False)  # a form may hold a secret
    guest: Guest = _OUTSIDE
    begins_session: bool = False
    ends_session: bool = False
    holds: bool = False
    is_shown_again: bool = False
    new_csrf_cookie: str | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def keys(self) -> APIKeys:
        """Whose verbs are called."""
        return self.site.keys

    @property
    def actor(self) -> Actor:
        """Who acts."""
        return self.guest.actor

    @property
    def is_let_in(self) -> bool:
        """Whether it is known who acts."""
        return self.guest is not _OUTSIDE

    @property
    def base(self) -> str:
        """Where the page is mounted, without a slash at the end. From the path as it was routed: who forges a `Host`,
        or begins a path with two slashes, leads nobody elsewhere."""
        path = quote(self.request.scope.get("root_path", "").strip("/"))
        return f"/{path}" if path else ""

    @property
    def back(self) -> Back:
        """Where this page was opened from."""
        return Back.parse(str(self.fields.get("back") or self.request.query_params.get("back", "")))

    @property
    def who(self) -> str:
        """What the visitor is called: the description of the key that they use, or the name that the host app gave."""
        return self.guest.title or self.actor.name

    @property
    def can_manage(self) -> bool:
        """Whether changing keys is offered at all."""
        return self._may(Authority.check_manage)

    def can_hand_out(self, key: APIKey) -> bool:
        """Whether the visitor may bring a key to life, or be told a secret of it."""
        return self.can_give(key.permissions)

    def can_give(self, permissions: frozenset[str]) -> bool:
        """Whether the visitor may give all of these to a key, such as by a role."""
        return self.can_manage and self._may(Authority.check_grant, permissions)

    def is_own(self, key_id: str) -> bool:
        """Whether it is the key that the visitor uses."""
        return key_id == self.actor.key_id

    @property
    def csrf_token(self) -> str:
        """The token for this answer's forms."""
        cookie = self._csrf_cookie or self.new_csrf_cookie
        if cookie is None:
            cookie = self.new_csrf_cookie = csrf.new_cookie()
        return csrf.make_token(self.keys.derived_keys(CSRF_PURPOSE), cookie, self.guest.identity)

    def check_token(self) -> None:
        """Raise `HTTPException` 403 for a POST without the token that belongs to this browser and whoever uses it."""
        if self.request.method != "POST":
            return
        text = str(self.fields.get(csrf.FIELD) or self.request.headers.get(csrf.HEADER, ""))
        cookie = self._csrf_cookie
        if not cookie or not csrf.is_token(text, self.keys.derived_keys(CSRF_PURPOSE), cookie, self.guest.identity):
            raise HTTPException(403, FORGED)

    def render(self, template: str, status_code: int = 200, **context: Any) -> Response:
        """A page."""
        text = self.site.templates.get_template(template).render(visit=self, site=self.site, base=self.base, **context)
        return HTMLResponse(text, status_code)

    def sign_in(self, reason: str | None = None, status_code: int = 401, *, error: str | None = None) -> Response:
        """The form that asks for a key, which leads back to what was asked for. `reason`: why a session is over.
        `error`: what is wrong with the key that was given. A form that was typed before goes along, to its own path."""
        held = self._held
        path = self._path if held else "/sign-in"
        asked = str(self.fields.get("next") or self._asked_path)
        response = self.render(
            "sign_in.html", status_code, reason=reason, error=error, next=asked, held=held, path=path
        )
        if status_code == 401:  # noqa: PLR2004 - HTTP's
            response.headers.update(_CHALLENGE)
        return response

    def failed(self, failure: Failure) -> Response:
        """A page that says what is wrong."""
        response = self.render("error.html", failure.status, failure=failure)
        response.headers.update(failure.headers)
        return response

    def redirect(self, path: str) -> Response:
        """Lead on to a path of this page, with a GET."""
        return RedirectResponse(f"{self.base}{path}", 303)

    def set_cookies(self, response: Response) -> None:
        """What every answer does: a session that is used goes on, one that is over is forgotten."""
        if self.new_csrf_cookie is not None:
            self._cookies.set(response, csrf.COOKIE, self.new_csrf_cookie)
        current = self.guest.session
        if self.ends_session:
            self._cookies.delete(response, session.COOKIE)
            self._cookies.delete(response, session.MARK)
        elif current is not None and (self.begins_session or self.site.sessions.needs_renewal(current, time.time())):
            self._set_session(response, current.secret, current.began)

    @property
    def is_led_here(self) -> bool:
        """Whether another site's link led here: the browser has kept the session's cookie back then (SameSite=Strict),
        and sends it once this page asks for itself."""
        is_foreign = self.request.headers.get("sec-fetch-site") in ("cross-site", "same-site")
        return is_foreign and self.request.method == "GET"

    @property
    def _asked_path(self) -> str:
        """The path below the page's root, with its query, that a GET asked for; where a form was opened from."""
        if self.request.method != "GET":
            return f"/{self.back.path}"
        query = self.request.scope["query_string"].decode("latin-1")
        return f"{self._path}?{query}" if query else self._path

    @property
    def _path(self) -> str:
        """The path below the page's root."""
        return quote(self.request.scope["path"]).removeprefix(self.base)

    @property
    def _held(self) -> Sequence[tuple[str, str]]:
        """What was typed into a form that nobody was signed in for. A secret is never among it."""
        if not self.holds or self.request.method != "POST":
            return ()
        return [(name, str(text)) for name, text in self.fields.multi_items() if name not in _OF_SIGN_IN]

    @property
    def _csrf_cookie(self) -> str | None:
        return self.request.cookies.get(name_of(csrf.COOKIE, self.request.scope["scheme"]))

    @property
    def _cookies(self) -> Cookies:
        return Cookies(self.base or "/", self.request.scope["scheme"])

    def _may(self, rule: Callable[..., None], *arguments: Any) -> bool:
        """Whether one of the rules of `Authority` lets the visitor do something: what it does not is not offered. The
        verbs decide all the same."""
        try:
            rule(Authority(self.actor), *arguments)
        except AccessDeniedError:
            return False
        return True

    def _set_session(self, response: Response, secret: str, began: float) -> None:
        text = self.site.sessions.seal(self.keys.derived_keys(SESSION_PURPOSE), secret, began)
        self._cookies.set(response, session.COOKIE, text, int(self.site.sessions.idle_seconds))
        self._cookies.set(response, session.MARK, "1", int(session.AGE_MAX_SECONDS))
