"""What a server makes of X-Forwarded-For before the app sees a request, where that can be known: only uvicorn's."""

from collections.abc import Mapping
from ipaddress import ip_network

VARIABLE = "FORWARDED_ALLOW_IPS"
"""The environment's name for uvicorn's `--forwarded-allow-ips`, and gunicorn's."""

ANYBODY = (
    "uvicorn believes X-Forwarded-For whoever sends it, and takes its leftmost hop for the client, which anybody can "
    "make up: where keys may be used from, whom the sign-in's brake slows, and the addresses in the audit log"
)
REMEDY = (
    "name the networks of your proxies in --forwarded-allow-ips (FORWARDED_ALLOW_IPS), or say --no-proxy-headers and "
    "have APIKeyMiddleware(trusted_proxies=[...]) read the header"
)


def believes_anybody(setting: object) -> bool:
    """Whether a value of `--forwarded-allow-ips` trusts every address."""
    each = setting.split(",") if isinstance(setting, str) else setting if isinstance(setting, list) else []
    return any(isinstance(text, str) and _is_everybody(text.strip()) for text in each)


def server_warning(receive: object) -> str | None:
    """What is wrong with the server that calls an app with this `receive`, where it can be known to be."""
    config = getattr(getattr(receive, "__self__", None), "config", None)
    if getattr(config, "proxy_headers", False) and believes_anybody(getattr(config, "forwarded_allow_ips", None)):
        return f"{ANYBODY}. To mend it: {REMEDY}"
    return None


def environment_believes_anybody(environ: Mapping[str, str]) -> bool:
    """Whether servers started in this environment would believe anybody, unless told otherwise."""
    return believes_anybody(environ.get(VARIABLE))


def _is_everybody(text: str) -> bool:
    if text == "*":
        return True
    try:
        return ip_network(text).prefixlen == 0
    except ValueError:
        return False
