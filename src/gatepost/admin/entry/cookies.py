"""The page's cookies: set only for its own paths, out of reach of scripts and of other sites; read only where there is
one of a name."""

from collections.abc import Iterable
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_TWICE = (
    "Your browser sent two cookies where this page sets one, so another page under this domain has set one too, and "
    "nobody can tell which is yours. Nothing was done. Delete this site's cookies in the browser, then try again."
)


def name_of(name: str, scheme: str) -> str:
    """What a cookie is called in requests of this scheme: over https, so that only a page of https can have set it
    (RFC 6265bis, section 4.1.3.1)."""
    return f"__Secure-{name}" if scheme == "https" else name


def check_single(request: Request, names: Iterable[str]) -> None:
    """Raise `HTTPException` 400 where a request carries one of the cookies twice: whoever may set cookies for a parent
    domain or another path, as a neighbour under the same domain, would choose whose session this is."""
    scheme = request.scope["scheme"]
    wanted = {name_of(name, scheme) for name in names}
    sent = [chunk.partition("=")[0].strip() for line in request.headers.getlist("cookie") for chunk in line.split(";")]
    if any(sent.count(name) > 1 for name in wanted):
        raise HTTPException(400, _TWICE)


@dataclass(frozen=True, slots=True)
class Cookies:
    """`path`: where the page is mounted. `scheme`: of the request; what came over https is set for https only."""

    path: str
    scheme: str

    @property
    def _is_secure(self) -> bool:
        return self.scheme == "https"

    def set(self, response: Response, name: str, text: str, max_age: int | None = None) -> None:
        """Have the browser keep one, for `max_age` seconds; `None` = until it is closed."""
        response.set_cookie(
            name_of(name, self.scheme),
            text,
            max_age=max_age,
            path=self.path,
            secure=self._is_secure,
            httponly=True,
            samesite="strict",
        )

    def delete(self, response: Response, name: str) -> None:
        """Have the browser forget one."""
        response.delete_cookie(
            name_of(name, self.scheme), path=self.path, secure=self._is_secure, httponly=True, samesite="strict"
        )
