"""Sets the page's cookies: only for the page's own paths, out of reach of scripts and of other sites."""

from dataclasses import dataclass

from starlette.responses import Response


def name_of(name: str, scheme: str) -> str:
    """What a cookie is called in requests of this scheme: over https, so that only a page of https can have set it
    (RFC 6265bis, section 4.1.3.1)."""
    return f"__Secure-{name}" if scheme == "https" else name


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
