"""The page's own style, script and logo: read once, served under a URL that changes with their content."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from importlib.resources import files

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

PATH = "/static/{version}/{name}"

_MEDIA_TYPES: Mapping[str, str] = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "shortcuts.js": "text/javascript",
    "logo.svg": "image/svg+xml",
}
_HEADERS = {"Cache-Control": "public, max-age=31536000, immutable"}


@dataclass(frozen=True, slots=True)
class Assets:
    """The files. `version`: 16 hex characters, a hash of all of them. `content`: by name."""

    version: str
    content: Mapping[str, bytes]

    @classmethod
    def load(cls) -> "Assets":
        """Read them from the package."""
        folder = files("gatepost.admin.page") / "static"
        content = {name: (folder / name).read_bytes() for name in _MEDIA_TYPES}
        return cls(blake2b(b"".join(content.values()), digest_size=8).hexdigest(), content)

    def path(self, name: str) -> str:
        """Where a file is, below the page's root."""
        return PATH.format(version=self.version, name=name)

    async def serve(self, request: Request) -> Response:
        """Answer a request for one. Another version's URL is 404: it must not be cached under the wrong content."""
        name = request.path_params["name"]
        if request.path_params["version"] != self.version or name not in self.content:
            raise HTTPException(404)
        return Response(self.content[name], media_type=_MEDIA_TYPES[name], headers=_HEADERS)
