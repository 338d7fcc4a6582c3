"""All contestants, in the order in which people read of them."""

from collections.abc import Sequence

from benchmarks.rivals import (
    bare,
    drf_api_key,
    gatepost_app,
    keygate_fastapi,
    keyshield_fastapi,
    litestar_authentication,
    nginx,
    redis_by_hand,
    starlette_authentication,
    ten_lines,
)
from benchmarks.rivals.rival import Rival

RIVALS: Sequence[Rival] = (
    bare.STARLETTE,
    gatepost_app.STARLETTE,
    gatepost_app.NO_CHECK,
    ten_lines.RIVAL,
    starlette_authentication.RIVAL,
    gatepost_app.REDIS_ONLY,
    redis_by_hand.PURE,
    redis_by_hand.BASE_HTTP,
    nginx.RIVAL,
    bare.FASTAPI,
    gatepost_app.FASTAPI,
    keygate_fastapi.RIVAL,
    keyshield_fastapi.CACHED_NO_DELAYS,
    keyshield_fastapi.CACHED,
    keyshield_fastapi.NO_DELAYS,
    keyshield_fastapi.DOCUMENTED,
    bare.LITESTAR,
    gatepost_app.LITESTAR,
    litestar_authentication.RIVAL,
    bare.DJANGO,
    gatepost_app.DJANGO,
    drf_api_key.RIVAL,
)
