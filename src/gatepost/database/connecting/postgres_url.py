"""The options of a PostgreSQL URL, which are libpq's, and what asyncpg is called with for them."""

import os
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

from sqlalchemy import URL

from gatepost.base import BadInputError
from gatepost.database.connecting.options import (
    FALSE,
    PERCENT,
    TRUE,
    check_files,
    load,
    number,
    single,
    texts,
)

_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_SESSIONS = {"read-write", "primary"}
_OTHER_SESSIONS = {"any", "read-only", "standby", "prefer-standby"}
_SSL_FILES = ("sslcert", "sslkey", "sslrootcert", "sslcrl")
_OF_DSN = {
    "gsslib",
    "krbsrvname",
    "passfile",
    "service",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcrl",
    "sslkey",
    "sslmode",
    "sslnegotiation",
    "sslpassword",
    "sslrootcert",
    "target_session_attrs",
}
"""libpq's options that asyncpg knows in a DSN."""

_OF_LIBPQ_ALONE = {
    "gssdelegation",
    "hostaddr",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "load_balance_hosts",
    "max_protocol_version",
    "min_protocol_version",
    "replication",
    "require_auth",
    "requirepeer",
    "requiressl",
    "sslcertmode",
    "sslcompression",
    "sslcrldir",
    "sslsni",
    "tcp_user_timeout",
}
_OF_POSTGRES_DRIVER: Mapping[str, type[int] | type[float]] = {
    "command_timeout": float,
    "max_cacheable_statement_size": int,
    "max_cached_statement_lifetime": int,
    "prepared_statement_cache_size": int,
    "statement_cache_size": int,
    "timeout": float,
}
"""Numbers that asyncpg and SQLAlchemy's dialect for it take."""

OF_ASYNCPG = {*_OF_POSTGRES_DRIVER, "database", "ssl"}
"""What libpq does not have."""

_IDENTITIES = {"user": "user", "password": "password", "dbname": "database", "database": "database"}
POSTGRES_OPTIONS = {
    *_OF_DSN,
    *_OF_POSTGRES_DRIVER,
    *_IDENTITIES,
    "application_name",
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "fallback_application_name",
    "gssencmode",
    "host",
    "options",
    "port",
    "ssl",
}
OF_LIBPQ = (POSTGRES_OPTIONS - OF_ASYNCPG) | _OF_LIBPQ_ALONE


def for_asyncpg(url: URL) -> tuple[URL, dict[str, Any]]:
    options = single(url, POSTGRES_OPTIONS | _OF_LIBPQ_ALONE, several=("host", "port"))
    dsn = {name: options[name] for name in sorted(_OF_DSN & options.keys())}
    arguments: dict[str, Any] = {
        name: number(name, options[name], kind) for name, kind in _OF_POSTGRES_DRIVER.items() if name in options
    }
    arguments |= {argument: options[name] for name, argument in _IDENTITIES.items() if name in options}
    for name in sorted(_OF_LIBPQ_ALONE & options.keys()):
        raise BadInputError(
            f"database: {name} is an option of libpq that the driver asyncpg does not have: leave it out"
        )
    _check_binding(options)
    check_encoding(options)
    if "ssl" in options:
        if options["ssl"].lower() in TRUE | FALSE:
            raise BadInputError(
                "database: instead of ssl=… write sslmode=disable, sslmode=require (encrypted), or "
                "sslmode=verify-full&sslrootcert=system (encrypted, and the server is the one that the URL names)"
            )
        dsn.setdefault("sslmode", options["ssl"])
    if "connect_timeout" in options:  # libpq: 0 or less = no limit
        seconds = number("connect_timeout", options["connect_timeout"], float)
        arguments.setdefault("timeout", seconds if seconds > 0 else None)
    hosts = _hosts(url)
    if hosts:
        arguments["host"], arguments["port"] = [host for host, _ in hosts], [port for _, port in hosts]
    settings = {name: options[name] for name in ("application_name", "options") if name in options}
    if "fallback_application_name" in options:
        settings.setdefault("application_name", options["fallback_application_name"])
    if settings:
        arguments["server_settings"] = settings
    check_session(dsn, several=len(hosts) > 1)
    context = _checked_ssl(dsn)
    if context is not None:
        arguments["ssl"] = context
    if dsn:
        arguments["dsn"] = f"postgresql://?{urlencode(dsn)}"
    return url.set(host=None, port=None, query={}), arguments


def _check_binding(options: Mapping[str, str]) -> None:
    """Raise `BadInputError` for what only libpq can hold. Left out, it would be given up in silence."""
    if options.get("channel_binding", "prefer") not in {"prefer", "disable"}:
        raise BadInputError(
            "database: channel_binding=require cannot be had, for the driver asyncpg binds no channels. Leave it out, "
            "and write sslmode=verify-full&sslrootcert=system, so that it is sure in another way who the server is"
        )
    if options.get("gssencmode", "prefer") not in {"prefer", "disable"}:
        raise BadInputError("database: gssencmode=require cannot be had with the driver asyncpg: use sslmode=require")


def check_encoding(options: Mapping[str, str]) -> None:
    """Raise `BadInputError` for another encoding than that which texts are in."""
    if options.get("client_encoding", "utf8").lower() not in {"utf8", "utf-8", "auto"}:
        raise BadInputError("database: client_encoding must be utf8: leave it out")


def check_session(dsn: dict[str, str], *, several: bool) -> None:
    """Of several hosts the one that takes changes is meant: the others may lag behind."""
    wanted = dsn.get("target_session_attrs")
    if wanted is None and several and "PGTARGETSESSIONATTRS" not in os.environ:
        dsn["target_session_attrs"] = "read-write"
    elif wanted in _OTHER_SESSIONS:
        raise BadInputError(
            f"database: target_session_attrs={wanted} may lead to a standby, which knows of changes later: "
            "write target_session_attrs=read-write"
        )
    elif wanted is not None and wanted not in _SESSIONS:
        raise BadInputError("database: target_session_attrs must be read-write or primary")


def _checked_ssl(dsn: dict[str, str]) -> ssl.SSLContext | None:
    """A context where the certificates of this machine are asked for, which asyncpg has no word for in a DSN."""
    mode = dsn.get("sslmode")
    if mode is not None:
        mode = mode.lower().replace("_", "-")
        if mode not in _SSL_MODES:
            raise BadInputError(f"database: sslmode must be one of {', '.join(_SSL_MODES)}")
        dsn["sslmode"] = mode
    if dsn.get("sslnegotiation", "postgres") not in {"postgres", "direct"}:
        raise BadInputError("database: sslnegotiation must be postgres or direct")
    if dsn.get("sslrootcert") == "system":  # as libpq has it since 16
        if mode not in {None, "verify-full"}:
            raise BadInputError("database: sslrootcert=system goes with sslmode=verify-full only")
        del dsn["sslrootcert"]
        dsn.pop("sslmode", None)
        check_files(dsn, ("sslcert", "sslkey"))
        context = ssl.create_default_context()
        context.set_alpn_protocols(["postgresql"])
        if "sslcert" in dsn:
            load(lambda: context.load_cert_chain(dsn["sslcert"], dsn.get("sslkey"), dsn.get("sslpassword")), "sslcert")
        return context
    check_files(dsn, _SSL_FILES)
    if "sslrootcert" in dsn:
        load(lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(dsn["sslrootcert"]), "sslrootcert")
    if mode in {"verify-ca", "verify-full"} and "sslrootcert" not in dsn and not _has_root_certificate():
        raise BadInputError(
            f"database: sslmode={mode} needs the certificates of who vouches for the server: add sslrootcert=FILE, "
            "or sslmode=verify-full&sslrootcert=system for those that this machine trusts"
        )
    return None


def _has_root_certificate() -> bool:
    """Whether asyncpg finds one without being told, where libpq looks."""
    try:
        home = Path.home()
    except (RuntimeError, KeyError):
        return "PGSSLROOTCERT" in os.environ
    return "PGSSLROOTCERT" in os.environ or (home / ".postgresql" / "root.crt").exists()


def _hosts(url: URL) -> Sequence[tuple[str, int]]:
    """Where the servers are, `[]` = where asyncpg looks by itself. As libpq and SQLAlchemy write several."""
    ports = [each for text in texts(url, "port") for each in text.split(",")]
    given = [each for text in texts(url, "host") for each in text.split(",")]  # counts more, as to libpq
    if not given and url.host:
        given = [unquote(url.host)]
    if not ports and url.port is not None:
        ports = [str(url.port)]
    if not given:
        return [("localhost", port) for port in map(_port, ports)]
    if len(ports) > 1 and len(ports) != len(given):
        raise BadInputError(f"database: {len(given)} hosts and {len(ports)} ports: give one port, or one for each host")
    default = os.environ.get("PGPORT", "5432")
    hosts = []
    for place, text in enumerate(given):
        host, port = (text, "") if text.startswith("/") or (text.count(":") > 1 and "]" not in text) else _split(text)
        if not host:
            raise BadInputError("database: a host without a name stands between the commas")
        wanted = ports[place] if len(ports) > 1 else ports[0] if ports else default
        hosts.append((host, _port(port or wanted)))
    return hosts


def _split(text: str) -> tuple[str, str]:
    """Host and port of `host`, `host:port`, `[address]` or `[address]:port`."""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        return host, port.removeprefix(":")
    host, _, port = text.partition(":")
    return host, port


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 1 << 16:
        raise BadInputError(f"database: a port must be a number from 1 to 65535. {PERCENT}")
    return int(text)
