"""What a Redis URL may say. redis-py reads past what it does not understand, and then calls `localhost`."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from gatepost.base import BadInputError

_EXAMPLES = (
    "Examples: redis://host:6379/0, rediss://user:password@host/0, unix:///run/redis.sock, "
    "redis+cluster://a:6379,b:6379, redis+sentinel://a:26379,b:26379/mymaster/0"
)
_PERCENT = (
    "In a user name or password write %40 for @, %2F for /, %3F for ?, %23 for #, %5B for [ and %25 for % "
    "(python -c \"import urllib.parse; print(urllib.parse.quote(input(), safe=''))\" does it)"
)

Topology = Literal["one", "cluster", "sentinel"]

SCHEMES: Mapping[str, tuple[str, Topology]] = {
    "redis": ("redis", "one"),
    "rediss": ("rediss", "one"),
    "unix": ("unix", "one"),
    "redis+cluster": ("redis", "cluster"),
    "rediss+cluster": ("rediss", "cluster"),
    "redis+sentinel": ("redis", "sentinel"),
    "rediss+sentinel": ("rediss", "sentinel"),
}
"""How connections are made, and what stands at their end."""

PORTS: Mapping[Topology, int] = {"one": 6379, "cluster": 6379, "sentinel": 26379}

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
SENTINEL_OPTIONS = {"sentinel_password": "password", "sentinel_username": "username"}
"""What Sentinels themselves are told, where they ask for it."""

_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_OF_TCP = {"socket_keepalive"}
_NOT_OF_CLUSTERS = {"db", "retry_on_timeout", "ssl_ca_path", "ssl_password"}
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
        scheme, kind = SCHEMES.get(parts.scheme, ("", "one"))
        hosts = hosts_of(parts.netloc, PORTS[kind])
    except ValueError:
        raise BadInputError(f"redis is not a URL. {_EXAMPLES}. {_PERCENT}") from None
    if not scheme:
        raise BadInputError(
            "redis must be a URL that begins with redis://, rediss:// or unix://, or with redis+cluster://, "
            f"redis+sentinel:// and the like. {_EXAMPLES}"
        )
    if "#" in url or any(not " " < sign < "\x7f" for sign in url):
        raise BadInputError(f"redis: a #, a space or another sign is in the URL that cannot stand there. {_PERCENT}")
    if "@" in parts.path + parts.query or parts.netloc.count("@") > 1:
        raise BadInputError(f"redis: there is an @ in the wrong place of the URL. {_PERCENT}")
    if scheme == "unix":
        _check_socket(parts.netloc, parts.path)
    else:
        _check_hosts(kind, hosts, parts.path)
    _check_options(scheme, kind, parts.query)


def kind_of(url: str) -> tuple[str, Topology]:
    """The scheme of connections (`redis`, `rediss`, `unix`) of a URL that has been checked, and what it leads to."""
    return SCHEMES[urlsplit(url).scheme]


def hosts_of(netloc: str, port: int) -> Sequence[tuple[str, int]]:
    """The hosts that stand between commas, each with its port or `port`. Raises ValueError where one is no number."""
    each = [urlsplit(f"//{host}") for host in netloc.rpartition("@")[2].split(",")]
    return [(host.hostname or "", port if host.port is None else host.port) for host in each]


def _check_hosts(kind: Topology, hosts: Sequence[tuple[str, int]], path: str) -> None:
    if not all(host and port for host, port in hosts) or (kind == "one" and len(hosts) > 1):
        wanted = "one host" if kind == "one" else "hosts, with commas between them"
        raise BadInputError(f"redis: the URL must name {wanted}. {_EXAMPLES}. {_PERCENT}")
    if kind == "one" and not re.fullmatch(r"/?|/[0-9]{1,9}", path):
        raise BadInputError(f"redis: behind the host comes the number of a database: redis://host:6379/0. {_PERCENT}")
    if kind == "cluster" and path not in {"", "/", "/0"}:
        raise BadInputError(f"redis: a cluster has one database, so nothing comes behind the hosts. {_PERCENT}")
    if kind == "sentinel" and not re.fullmatch(r"/[A-Za-z0-9._-]+(/[0-9]{1,9})?", path):
        raise BadInputError(
            "redis: behind the Sentinels comes the name by which they know the master, and then perhaps the number of "
            f"a database: redis+sentinel://a:26379,b:26379/mymaster/0. {_PERCENT}"
        )


def _check_socket(netloc: str, path: str) -> None:
    if not path.startswith("/") or len(path) == 1 or (netloc and not netloc.endswith("@")):
        raise BadInputError("redis: a URL of a socket has three slashes before the path: unix:///run/redis.sock?db=0")


def _check_options(scheme: str, topology: Topology, query: str) -> None:
    try:
        given = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise BadInputError(f"redis: what stands behind the ? of the URL is not NAME=VALUE. {_PERCENT}") from None
    options = dict(given)
    if len(options) < len(given):
        raise BadInputError("redis: the URL names an option more than once")
    for name, value in options.items():
        kind = _kind_of(scheme, topology, name)
        wanted = _NUMBERS.get(kind)
        if wanted is not None and not wanted.fullmatch(value):
            raise BadInputError(f"redis: {name} must be {_KINDS[kind]}")
    if options.get("ssl_cert_reqs", "none") not in {"none", "optional", "required"}:
        raise BadInputError("redis: ssl_cert_reqs must be none, optional or required")
    if options.get("protocol", "2") not in {"2", "3"}:
        raise BadInputError("redis: protocol must be 2 or 3")
    _check_files(options, _FILES)


def _kind_of(scheme: str, topology: Topology, name: str) -> Kind:
    known = {**_OPTIONS, **(_OF_TLS if scheme == "rediss" else {})}
    if topology == "sentinel":
        known |= dict.fromkeys(SENTINEL_OPTIONS, "text")
    left_out = _OF_TCP if scheme == "unix" else _NOT_OF_CLUSTERS if topology == "cluster" else set()
    known = {each: kind for each, kind in known.items() if each not in left_out}
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
