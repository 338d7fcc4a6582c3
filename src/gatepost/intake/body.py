"""Reads the body of a request: no more of it than it may have, and for no longer than it may take."""

import asyncio

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

BODY_SECONDS = 30.0
"""For how long a body may be on its way: 1 MiB over a line of 300 kbit/s. Who sends it drop by drop holds a connection
and what has come of it for so long, and no longer."""


async def read_body(request: Request, bytes_max: int) -> bytes:
    """The whole body. Raises `HTTPException`: 413 where it has more than `bytes_max` bytes, 408 where it takes longer
    than `BODY_SECONDS`, 400 where it breaks off."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > bytes_max:
                    raise HTTPException(413, f"The body must have at most {bytes_max} bytes.")
    except TimeoutError:
        detail = f"The body took longer than {BODY_SECONDS:g} seconds to arrive."
        raise HTTPException(408, detail, _closing(request)) from None
    except ClientDisconnect:
        raise HTTPException(400, "The body broke off.") from None
    return bytes(body)


def _closing(request: Request) -> dict[str, str]:
    """Has the connection closed: the rest of the body would be taken for the next request. HTTP/2 has no such header
    (RFC 9113, section 8.2.2)."""
    return {"Connection": "close"} if request.scope["http_version"].startswith("1") else {}
