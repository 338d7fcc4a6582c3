"""What those are answered who ask for a temporary secret: in the one form, or in the other. Nothing may keep it."""

from http import HTTPStatus
from math import ceil

import orjson
from starlette.responses import Response

from gatepost.temporary import TemporarySecret


class RefusedError(Exception):
    """Nothing is issued. `status`, `detail`: what is answered. `wait`: seconds after which to try again."""

    def __init__(self, status: HTTPStatus, detail: str, *, wait: float = 0.0) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = {"Retry-After": str(max(1, ceil(wait)))} if wait else {}


def plain(issued: TemporarySecret, origin: str | None) -> Response:
    """`{"status": "success", "key": …}`. `origin`: of the page that may read it; `None` = the app says which may."""
    return _json({"status": "success", "key": issued.secret}, HTTPStatus.OK, _readable_by(origin))


def plain_refusal(refusal: RefusedError) -> Response:
    """`{"status": "error", "message": …}`."""
    return _json({"status": "error", "message": refusal.detail}, refusal.status, refusal.headers)


def told(issued: TemporarySecret, origin: str | None) -> Response:
    """All that there is to know of it."""
    body = {
        "id": issued.id,
        "secret": issued.secret,
        "key_id": issued.key_id,
        "expires_at": issued.expires_at,
        "permissions": sorted(issued.permissions),
        "subject": issued.subject,
        "resources": issued.resources,
    }
    return _json(body, HTTPStatus.CREATED, _readable_by(origin))


def refusal_told(refusal: RefusedError) -> Response:
    """A problem (RFC 9457)."""
    detail = refusal.detail
    body = {"title": refusal.status.phrase, "status": int(refusal.status), "detail": detail, "message": detail}
    return _json(body, refusal.status, refusal.headers, media_type="application/problem+json")


def _readable_by(origin: str | None) -> dict[str, str]:
    return {} if origin is None else {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}


def _json(body: object, status: HTTPStatus, headers: dict[str, str], media_type: str = "application/json") -> Response:
    return Response(orjson.dumps(body), int(status), {"Cache-Control": "no-store", **headers}, media_type)
