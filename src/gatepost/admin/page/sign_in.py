"""Signing in with a key, and out."""

import math
import re

from starlette.responses import Response

from gatepost.admin.client import address_of
from gatepost.admin.page.failures import sentence
from gatepost.admin.page.site import Handler
from gatepost.admin.page.throttle import Throttle
from gatepost.admin.page.visit import Visit
from gatepost.authority import Authority
from gatepost.errors import AccessDeniedError
from gatepost.models import Actor, Outcome

_WRONG = {
    Outcome.INVALID: "This is not a key that is known here. Look whether all of it was copied.",
    Outcome.DEACTIVATED: "This key is deactivated.",
    Outcome.EXPIRED: "This key, or this secret of it, has expired.",
}
_LOCAL_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*\Z")


async def show_sign_in(visit: Visit) -> Response:
    """The form has no address of its own: it stands wherever somebody has to sign in."""
    return visit.redirect("/")


def sign_in_with(throttle: Throttle) -> Handler:
    """The handler that takes the form. Only guesses are slowed by `throttle`: a secret that was made here is told from
    them without I/O, and never waits for what others behind its address do (docs/decisions/0051)."""

    async def sign_in(visit: Visit) -> Response:
        visit.check_token()
        secret = str(visit.fields.get("secret", "")).strip()
        raw = secret.encode("utf-8", "surrogatepass")
        guesser = None if visit.keys.is_genuine(raw) else address_of(visit.request)
        wait = throttle.wait_seconds(guesser)
        if wait:
            return _wait(visit, math.ceil(wait))
        outcome, key = await visit.keys.judge(raw)
        if outcome is not Outcome.VALID or key is None:
            throttle.fail(guesser)
            return visit.sign_in(error=_WRONG[outcome])
        try:
            Authority(Actor.of(key)).check_look()
        except AccessDeniedError as denied:
            lacks = f"This key is right, but it may not be used here. {sentence(denied)}"
            return visit.sign_in(status_code=403, error=lacks)
        throttle.succeed(guesser)
        response = visit.redirect(_next(visit))
        visit.begin_session(response, secret)
        return response

    return sign_in


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
