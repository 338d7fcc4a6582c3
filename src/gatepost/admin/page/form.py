"""Reads a form that was sent, within limits."""

from urllib.parse import parse_qsl

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request

from gatepost.intake import read_body

BODY_MAX = 256 * 1024
"""Bytes: 500 ids and everything else that people type, many times over."""

FIELDS_MAX = 2_000
"""Most fields: all permissions of a large catalogue."""

_MEDIA_TYPE = "application/x-www-form-urlencoded"


async def read_form(request: Request) -> FormData:
    """The fields. Raises `HTTPException`: 415 for another media type, 413 where it is too long, 408 where it takes too
    long, 400 where it breaks off, is not UTF-8 or has too many fields."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _MEDIA_TYPE:
        raise HTTPException(415, f"This takes {_MEDIA_TYPE}.")
    body = await read_body(request, BODY_MAX)
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
    except ValueError as wrong:
        raise HTTPException(400, "The form cannot be read: not UTF-8, or too many fields.") from wrong
    return FormData([(name, text) for name, text in fields])
