"""What a Redis URL may say. redis-py reads past what it does not understand, and then calls `localhost`."""

import os
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from gatepost.base import BadInputError

_EXAMPLES = "Examples: redis://host:6379/0, rediss://user:password@host/0, unix:///run/redis.sock"
_PERCENT = (
    "In a user name or password write %40 for @, %2F for /, %3F for ?, %23 for #, %5B for [ and %25 for % "
    "(python -c \"import urllib.parse; print(urllib.parse.quote(input(), safe=''))\" does it)"
)

Kind = Literal["text", "number", "whole", "flag"]

_OPTIONS: Mapping[str, Kind] = {
    "client_name": "text",
    "db": "whole",
    "health_check_interval": "whole",
    "max_connections": "whole",
    "password": "text",
    "protocol": "whole",
    "retry_on_timeout": "flag",
    "socket_connect_timeout": "number",
    "socket_keepalive": "flag",
    "socket_read_size": "whole",
    "socket_timeout": "number",
    "username": "text",
}
_OF_TLS: Mapping[str, Kind] = {
    "ssl_ca_certs": "text",
    "ssl_ca_data": "text",
    "ssl_ca_path": "text",
    "ssl_cert_reqs": "text",
    "ssl_certfile": "text",
    "ssl_check_hostname": "flag",
    "ssl_ciphers": "text",
    "ssl_keyfile": "text",
    "ssl_min_version": "whole",
    "ssl_password": "text",
}
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_OF_TCP = {"socket_keepalive"}
_NUMBERS: Mapping[Kind, re.Pattern[str]] = {
    "number": re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?"),
    "whole": re.compile(r"[0-9]{1,9}"),
    "flag": re.compile(r"(?i:true|false|yes|no|1|0)"),
}
_KINDS: Mapping[Kind, str] = {"number": "a number", "whole": "a whole number", "flag": "true or false"}
_OF_OTHER_NAME = {"ssl": "rediss:// in front", "tls": "rediss:// in front", "timeout": "socket_timeout=SECONDS"}


def check_url(url: str) -> None:
    """Raise `BadInputError` unless redis-py does with `url` all that it says. No message repeats what could be a part
    of a password."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise BadInputError(f"redis is not a URL. {_EXAMPLES}. {_PERCENT}") from None
    if parts.scheme not in {"redis", "rediss", "unix"}:
        raise BadInputError(f"redis must be a URL that begins with redis://, rediss:// or unix://. {_EXAMPLES}")
    if "#" in url or any(not " " < sign < "\x7f" for sign in url):
        raise BadInputError(f"redis: a #, a space or another sign is in the URL that cannot stand there. {_PERCENT}")
    if "@" in parts.path + parts.query or parts.netloc.count("@") > 1:
        raise BadInputError(f"redis: there is an @ in the wrong place of the URL. {_PERCENT}")
    if parts.scheme == "unix":
        _check_socket(parts.netloc, parts.path)
    else:
        _check_host(host, port, parts.path)
    _check_options(parts.scheme, parts.query)


def _check_host(host: str | None, port: int | None, path: str) -> None:
    if not host or "," in host or port == 0:
        raise BadInputError(f"redis: the URL must name one host. {_EXAMPLES}. {_PERCENT}")
    if path not in {"", "/"} and not re.fullmatch(r"/[0-9]{1,9}", path):
        raise BadInputError(f"redis: behind the host comes the number of a database: redis://host:6379/0. {_PERCENT}")


def _check_socket(netloc: str, path: str) -> None:
    if not path.startswith("/") or len(path) == 1 or (netloc and not netloc.endswith("@")):
        raise BadInputError("redis: a URL of a socket has three slashes before the path: unix:///run/redis.sock?db=0")


def _check_options(scheme: str, query: str) -> None:
    try:
        given = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise BadInputError(f"redis: what stands behind the ? of the URL is not NAME=VALUE. {_PERCENT}") from None
    options = dict(given)
    if len(options) < len(given):
        raise BadInputError("redis: the URL names an option more than once")
    for name, value in options.items():
        kind = _kind_of(scheme, name)
        wanted = _NUMBERS.get(kind)
        if wanted is not None and not wanted.fullmatch(value):
            raise BadInputError(f"redis: {name} must be {_KINDS[kind]}")
    if options.get("ssl_cert_reqs", "none") not in {"none", "optional", "required"}:
        raise BadInputError("redis: ssl_cert_reqs must be none, optional or required")
    if options.get("protocol", "2") not in {"2", "3"}:
        raise BadInputError("redis: protocol must be 2 or 3")
    _check_files(options, _FILES)


def _kind_of(scheme: str, name: str) -> Kind:
    known = {**_OPTIONS, **(_OF_TLS if scheme == "rediss" else {})}
    if scheme == "unix":
        known = {each: kind for each, kind in known.items() if each not in _OF_TCP}
    if name in known:
        return known[name]
    if name in _OF_OTHER_NAME:
        raise BadInputError(f"redis: instead of {name}=… write {_OF_OTHER_NAME[name]}")
    if name in _OF_TLS:
        raise BadInputError(f"redis: {name} is an option of TLS: the URL must begin with rediss://")
    if name == "decode_responses":
        raise BadInputError("redis: values are bytes: leave decode_responses out")
    near = get_close_matches(name.lower().replace("-", "_"), known, 1, 0.7)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(sorted(known))}"
    raise BadInputError(f"redis: {name!r:.60} is no option of such a URL; {hint}")


def _check_files(options: Mapping[str, str], names: Iterable[str]) -> None:
    for name in names:
        if name in options and not (Path(options[name]).is_file() and os.access(options[name], os.R_OK)):
            raise BadInputError(f"redis: {name}: there is no file {options[name]} that can be read")
