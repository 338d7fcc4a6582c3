"""Signing in with a key, and out."""

import logging
import math
import re
import time

from starlette.responses import Response

from gatepost.admin.entry import Guest, OnSignIn, Session, address_of
from gatepost.admin.page.told import sentence
from gatepost.admin.page.visit import SIGN_IN_FIELD, Visit
from gatepost.base import AccessDeniedError, Actor, Outcome, Presented
from gatepost.intake import Throttle
from gatepost.rules import Authority

logger = logging.getLogger("gatepost.admin")

_WRONG = {
    Outcome.INVALID: "This is not a key that is known here. Look whether all of it was copied.",
    Outcome.DEACTIVATED: "This key is deactivated.",
    Outcome.EXPIRED: "This key, or this secret of it, has expired.",
    Outcome.ENVIRONMENT_DENIED: "This key is right, but it is for another environment.",
    Outcome.ORIGIN_DENIED: "This is a temporary secret for web pages of other origins.",
    Outcome.SUBJECT_DENIED: "This is a temporary secret that was issued for somebody, whom nobody confirms here.",
    Outcome.ADDRESS_DENIED: "This key is right, but it may not be used from where you are.",
}
_LOCAL_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*\Z")


class SignInDesk:
    """Takes the form that asks for a key.

    Only guesses are slowed by `throttle`: a secret that was made here is told from them without I/O, and never waits
    for what others behind its address do (docs/decisions/0027).
    """

    def __init__(self, throttle: Throttle, on_sign_in: OnSignIn | None = None) -> None:
        self._throttle = throttle
        self._on_sign_in = on_sign_in

    async def sign_in(self, visit: Visit) -> Response:
        """Let the visitor in, and lead on to what was asked for."""
        return await self.let_in(visit) or visit.redirect(_next(visit))

    async def let_in(self, visit: Visit) -> Response | None:
        """Let the visitor in; otherwise the form again, with what is wrong."""
        visit.check_token()
        now = time.time()
        session = Session(str(visit.fields.get(SIGN_IN_FIELD, "")).strip(), began=now, used=now)
        address = address_of(visit.request)
        presented = Presented(session.secret.encode("utf-8", "surrogatepass"), address=address)
        guesser = None if visit.keys.is_genuine(session.secret.encode("utf-8", "surrogatepass")) else address
        wait = self._throttle.wait_seconds(guesser)
        if wait:
            return _wait(visit, math.ceil(wait))
        outcome, key = await visit.keys.judge_presented(presented)
        if outcome is not Outcome.VALID or key is None:
            self._throttle.fail(guesser)
            return visit.sign_in(error=_WRONG[outcome])
        try:
            Authority(Actor.of(key)).check_look()
        except AccessDeniedError as denied:
            lacks = f"This key is right, but it may not be used here. {sentence(denied)}"
            return visit.sign_in(status_code=403, error=lacks)
        self._throttle.succeed(guesser)
        visit.guest = Guest.of(key, session, address)
        visit.begins_session = True
        if self._on_sign_in is not None:
            try:
                await self._on_sign_in(key)
            except Exception:  # the host app's, and no reason to keep anybody out
                logger.exception("A sign-in with key %s could not be told", key.id)
        return None


async def show_sign_in(visit: Visit) -> Response:
    """The form has no address of its own: it stands wherever somebody has to sign in."""
    return visit.redirect("/")


async def sign_out(visit: Visit) -> Response:
    """Forget the session in the browser."""
    visit.ends_session = True
    return visit.redirect("/")


def _wait(visit: Visit, seconds: int) -> Response:
    many = f"Too many attempts failed. Try again in {seconds} second{'' if seconds == 1 else 's'}."
    response = visit.sign_in(status_code=429, error=many)
    response.headers["Retry-After"] = str(seconds)
    return response


def _next(visit: Visit) -> str:
    """Where to go on: a path of this page, never of another."""
    path = str(visit.fields.get("next", ""))
    return path if _LOCAL_PATH.match(path) else "/"
