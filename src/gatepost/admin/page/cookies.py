"""Sets the page's cookies: only for the page's own paths, out of reach of scripts and of other sites."""

from dataclasses import dataclass

from starlette.responses import Response


@dataclass(frozen=True, slots=True)
class Cookies:
    """`path`: where the page is mounted. `secure`: only over https, for it was asked for over https."""

    path: str
    secure: bool

    def set(self, response: Response, name: str, text: str, max_age: int | None = None) -> None:
        """Have the browser keep one, for `max_age` seconds; `None` = until it is closed."""
        response.set_cookie(
            name, text, max_age=max_age, path=self.path, secure=self.secure, httponly=True, samesite="strict"
        )

    def delete(self, response: Response, name: str) -> None:
        """Have the browser forget one."""
        response.delete_cookie(name, path=self.path, secure=self.secure, httponly=True, samesite="strict")
