"""The module of `hit.c`, which is there only where it was built. `compiled.py` says what the arguments are."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, final

SOURCES: str
"""`mark_of` what it was compiled of."""

@final
class MemoryHit:
    def __init__(
        self,
        records: dict[bytes, Any],
        temporary: dict[bytes, Any],
        freshness: Any,
        clock: Callable[[], float] | None,
    ) -> None: ...
    def __call__(self, digest: bytes, /) -> Any: ...

@final
class LetIn:
    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        names: tuple[bytes, ...],
        strip: bool,
        user: str,
        sha256: Callable[[bytes], Any],
        variable: ContextVar[Any],
        finish: Callable[..., Awaitable[None]],
        bounded: type | None,
        task_of: Callable[[Any], Any] | None,
        send_watched: Callable[..., Awaitable[None]],
        count: Callable[..., None],
        routes: dict[int, tuple[object, str]],
        limiting: tuple[Any, ...],
    ) -> None: ...

@final
class HitFirst:
    def __init__(self, function: Callable[..., Any]) -> None: ...

@final
class Served: ...

@final
class Request: ...

def find_openssl(path: str | None, /) -> bool:
    """Hash by the OpenSSL 3 that the library at `path` has loaded; answers whether it has. `None`: by hashlib."""
