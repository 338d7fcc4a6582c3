"""Where the admin app is mounted. Frameworks tell it in three ways, and in one they do not."""

import re
from urllib.parse import unquote

from starlette.types import Scope

_SLASHES = re.compile("/+")


def below_mount(scope: Scope) -> Scope:
    """The scope as Starlette hands it to what it mounts: `root_path` is where the app is mounted, seen from outside,
    and `path` begins with it.

    So say Starlette, FastAPI and hypercorn's dispatcher themselves. Where a proxy has taken the server's root path off,
    the path lacks it. Litestar tells nothing: its `path` is what lies below the mount, with a slash at the end, and
    only `raw_path` is still what the client asked for. Nothing of it comes from `Host`.
    """
    root: str = scope.get("root_path", "").rstrip("/")
    path: str = scope["path"]
    below = _below(path, root)
    asked = _SLASHES.sub("/", unquote((scope.get("raw_path") or b"").decode("latin-1").partition("?")[0]))
    if asked and asked != path and path.endswith("/"):
        inner = below.rstrip("/")
        outer = asked.rstrip("/").removesuffix(inner)
        if asked.rstrip("/") == outer + inner:
            root = outer if outer == root or outer.startswith(root + "/") else root + outer
            below = inner + "/" * asked.endswith("/")
    return {**scope, "root_path": root, "path": root + (below or "/")}


def _below(path: str, root: str) -> str:
    """The path without the root path, or as much of its end as the path begins with."""
    while root:
        if path == root or path.startswith(root + "/"):
            return path[len(root) :]
        root = root[root.find("/", 1) :] if "/" in root[1:] else ""
    return path
