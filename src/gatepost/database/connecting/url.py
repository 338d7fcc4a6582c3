"""From a database's URL, as hosts hand it out, to what its driver takes; or to a sentence that says what to write.

The drivers take keyword arguments of types of their own, and SQLAlchemy passes on what stands in the URL as texts. So
each option that can be meant is known here by name: libpq's (PostgreSQL's manual, "Parameter Key Words") and MySQL's
`--ssl-mode` with its siblings. What libpq's mean in TLS is asyncpg's own code: it is given them as a DSN, which holds
neither user nor password. No message repeats a value that could be a part of a password.
"""

import os
import re
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from gatepost.base import BadInputError

DRIVERS = {
    "sqlite": ("sqlite+aiosqlite", ""),
    "postgresql": ("postgresql+asyncpg", "postgres"),
    "postgres": ("postgresql+asyncpg", "postgres"),
    "mysql": ("mysql+asyncmy", "mysql"),
    "mariadb": ("mariadb+asyncmy", "mysql"),
}
"""Of each backend the driver where the URL names none, and the extra that installs it."""

PLACES = ("host", "port", "unix_socket")
"""Options that tell where the server is: what may be shown of a URL's query."""

_EXAMPLES = "Examples: sqlite:///keys.db, postgresql://user:password@host/name"
_PERCENT = (
    "In a user name or password write %40 for @, %2F for /, %3F for ?, %23 for # and %25 for % "
    "(python -c \"import urllib.parse; print(urllib.parse.quote(input(), safe=''))\" does it)"
)
_HOSTS = re.compile(r"(?P<head>[^:/]+://(?:[^/?]*@)?)(?P<hosts>[^/?@]*,[^/?@]*)(?P<tail>[/?].*)?", re.DOTALL)

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

_IDENTITIES = {"user": "user", "password": "password", "dbname": "database", "database": "database"}
_POSTGRES_OPTIONS = {
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

_MYSQL_SSL_MODES = ("DISABLED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
_MYSQL_FILES = ("ssl_ca", "ssl_cert", "ssl_key")
_MYSQL_TEXTS = {"init_command", "program_name", "read_default_file", "read_default_group", "sql_mode", "unix_socket"}
_MYSQL_SSL = {*_MYSQL_FILES, "ssl_capath", "ssl_check_hostname", "ssl_cipher", "ssl_mode"}
_MYSQL_OPTIONS = {*_MYSQL_TEXTS, *_MYSQL_SSL, "charset", "connect_timeout", "read_timeout", "ssl", "use_unicode"}

_SQLITE_NUMBERS: Mapping[str, type[int] | type[float]] = {
    "cached_statements": int,
    "detect_types": int,
    "timeout": float,
}
_SQLITE_OPTIONS = {*_SQLITE_NUMBERS, "check_same_thread", "isolation_level", "uri"}

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


def parse_url(database: str) -> URL:
    """The URL with an async driver put in where none is named, and several hosts as SQLAlchemy writes them. Raises
    `BadInputError` for what is none."""
    hosts: Sequence[str] = ()
    try:
        found = _HOSTS.fullmatch(database)
        if found is not None and found["head"].partition("+")[0].partition(":")[0] in {"postgresql", "postgres"}:
            hosts = found["hosts"].split(",")
            database = f"{found['head']}{found['tail'] or ''}"
        url = make_url(database)
    except (ArgumentError, ValueError, TypeError):
        raise BadInputError(f"database is not a URL. {_EXAMPLES}. {_PERCENT}") from None
    backend = url.get_backend_name()
    if backend not in DRIVERS:
        raise BadInputError(f"database {backend!r} is not supported: use sqlite, postgresql, mysql or mariadb")
    if backend == "sqlite":
        if url.host:
            raise BadInputError(f"database: an SQLite URL has three slashes before the path: sqlite:///{url.host}")
    elif "@" in (url.host or "") or "@" in (url.database or ""):
        raise BadInputError(f"database: there is more than one @ in the URL. {_PERCENT}")
    elif not _is_query(database, url):
        raise BadInputError(f"database: what stands behind the ? is not NAME=VALUE. {_PERCENT}")
    if "+" not in url.drivername:
        url = url.set(drivername=DRIVERS[backend][0])
    return url.update_query_pairs([("host", host) for host in hosts], append=True) if hosts else url


def _is_query(text: str, url: URL) -> bool:
    """Whether behind the `?` there are names and values only. SQLAlchemy drops the rest in silence."""
    _, mark, query = text.rpartition("?")
    if not mark or "?" in f"{url.username}{url.password}":
        return True
    return all(piece.find("=") > 0 for piece in query.split("&") if piece)


def shown(url: URL) -> str:
    """The URL without anything secret: no password, and of the query only where the server is."""
    places = {name: value for name, value in url.query.items() if name in PLACES}
    return url.set(query=places).render_as_string(hide_password=True)


def to_driver(url: URL) -> tuple[URL, dict[str, Any]]:
    """The URL without options, and what its driver is to be called with. Drivers other than ours get their options as
    SQLAlchemy passes them. Raises `BadInputError` for an option that cannot be used."""
    translate = {
        "postgresql+asyncpg": _for_asyncpg,
        "mysql+asyncmy": _for_asyncmy,
        "mariadb+asyncmy": _for_asyncmy,
        "sqlite+aiosqlite": _for_sqlite,
    }.get(url.drivername)
    return (url, {}) if translate is None else translate(url)


def _for_asyncpg(url: URL) -> tuple[URL, dict[str, Any]]:
    options = _single(url, _POSTGRES_OPTIONS | _OF_LIBPQ_ALONE, several=("host", "port"))
    dsn = {name: options[name] for name in sorted(_OF_DSN & options.keys())}
    arguments: dict[str, Any] = {
        name: _number(name, options[name], kind) for name, kind in _OF_POSTGRES_DRIVER.items() if name in options
    }
    arguments |= {argument: options[name] for name, argument in _IDENTITIES.items() if name in options}
    for name in sorted(_OF_LIBPQ_ALONE & options.keys()):
        raise BadInputError(
            f"database: {name} is an option of libpq that the driver asyncpg does not have: leave it out"
        )
    _check_binding(options)
    if "ssl" in options:
        if options["ssl"].lower() in _TRUE | _FALSE:
            raise BadInputError(
                "database: instead of ssl=… write sslmode=disable, sslmode=require (encrypted), or "
                "sslmode=verify-full&sslrootcert=system (encrypted, and the server is the one that the URL names)"
            )
        dsn.setdefault("sslmode", options["ssl"])
    if "connect_timeout" in options:  # libpq: 0 or less = no limit
        seconds = _number("connect_timeout", options["connect_timeout"], float)
        arguments.setdefault("timeout", seconds if seconds > 0 else None)
    hosts = _hosts(url)
    if hosts:
        arguments["host"], arguments["port"] = [host for host, _ in hosts], [port for _, port in hosts]
    settings = {name: options[name] for name in ("application_name", "options") if name in options}
    if "fallback_application_name" in options:
        settings.setdefault("application_name", options["fallback_application_name"])
    if settings:
        arguments["server_settings"] = settings
    _check_session(dsn, several=len(hosts) > 1)
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
    if options.get("client_encoding", "utf8").lower() not in {"utf8", "utf-8", "auto"}:
        raise BadInputError("database: client_encoding must be utf8: leave it out")


def _check_session(dsn: dict[str, str], *, several: bool) -> None:
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
        _check_files(dsn, ("sslcert", "sslkey"))
        context = ssl.create_default_context()
        context.set_alpn_protocols(["postgresql"])
        if "sslcert" in dsn:
            _load(lambda: context.load_cert_chain(dsn["sslcert"], dsn.get("sslkey"), dsn.get("sslpassword")), "sslcert")
        return context
    _check_files(dsn, _SSL_FILES)
    if "sslrootcert" in dsn:
        _load(lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(dsn["sslrootcert"]), "sslrootcert")
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
    ports = [each for text in _texts(url, "port") for each in text.split(",")]
    given = [each for text in _texts(url, "host") for each in text.split(",")]  # counts more, as to libpq
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
    for number, text in enumerate(given):
        host, port = (text, "") if text.startswith("/") or (text.count(":") > 1 and "]" not in text) else _split(text)
        if not host:
            raise BadInputError("database: a host without a name stands between the commas")
        wanted = ports[number] if len(ports) > 1 else ports[0] if ports else default
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
        raise BadInputError(f"database: a port must be a number from 1 to 65535. {_PERCENT}")
    return int(text)


def _for_asyncmy(url: URL) -> tuple[URL, dict[str, Any]]:
    if "," in (url.host or ""):
        raise BadInputError("database: of MySQL and MariaDB one host can be named, not several")
    names = {name: name.lower().replace("-", "_") for name in url.query}
    names = {name: "ssl_mode" if plain == "sslmode" else plain for name, plain in names.items()}
    plain_url = url.set(query=[(names[name], value) for name, values in url.query.items() for value in _list(values)])  # type: ignore[arg-type]
    options = _single(plain_url, _MYSQL_OPTIONS)
    arguments: dict[str, Any] = {name: options[name] for name in sorted(_MYSQL_TEXTS & options.keys())}
    for name, kind in (("connect_timeout", int), ("read_timeout", float)):
        if name in options:
            arguments[name] = _number(name, options[name], kind, above=0)
    if "charset" in options:
        arguments["charset"] = _one_of("charset", options["charset"].lower(), ("utf8mb4",), "utf8mb4")
    if options.get("use_unicode", "1").lower() not in _TRUE:
        raise BadInputError("database: use_unicode must be true: leave it out")
    if "ssl" in options:
        raise BadInputError(
            "database: instead of ssl=… write ssl_mode=REQUIRED (encrypted), or ssl_mode=VERIFY_IDENTITY (encrypted, "
            "and the server is the one that the URL names)"
        )
    if _MYSQL_SSL & options.keys():
        context = _mysql_context(options)
        if context is not None:
            arguments["ssl"] = context
    return url.set(query={}), arguments


def _mysql_context(options: Mapping[str, str]) -> ssl.SSLContext | None:
    """What MySQL's options of these names mean; without a mode, what SQLAlchemy means by the others."""
    hostname = options.get("ssl_check_hostname", "true").lower()
    if hostname not in _TRUE | _FALSE:
        raise BadInputError("database: ssl_check_hostname must be true or false")
    ca, capath = options.get("ssl_ca"), options.get("ssl_capath")
    trusted = ca is not None or capath is not None
    usual = "REQUIRED" if not trusted else "VERIFY_IDENTITY" if hostname in _TRUE else "VERIFY_CA"
    mode = options.get("ssl_mode", usual).upper().replace("-", "_")
    if mode == "PREFERRED":
        raise BadInputError(
            "database: ssl_mode=PREFERRED cannot be had with the driver asyncmy: write ssl_mode=REQUIRED or DISABLED"
        )
    _one_of("ssl_mode", mode, _MYSQL_SSL_MODES, ", ".join(_MYSQL_SSL_MODES))
    if mode == "DISABLED":
        return None
    _check_files(options, _MYSQL_FILES)
    if capath is not None and not Path(capath).is_dir():
        raise BadInputError(f"database: ssl_capath: there is no folder {capath}")
    context = ssl.create_default_context()
    if trusted:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _load(lambda: context.load_verify_locations(ca, capath), "ssl_ca")
    context.check_hostname = mode == "VERIFY_IDENTITY" and hostname in _TRUE
    if mode == "REQUIRED" and not trusted:
        context.verify_mode = ssl.CERT_NONE
    if "ssl_cert" in options:
        _load(lambda: context.load_cert_chain(options["ssl_cert"], options.get("ssl_key")), "ssl_cert")
    if "ssl_cipher" in options:
        _load(lambda: context.set_ciphers(options["ssl_cipher"]), "ssl_cipher")
    return context


def _for_sqlite(url: URL) -> tuple[URL, dict[str, Any]]:
    if url.query.get("uri") in {"true", "1"}:  # the rest is SQLite's own
        return url, {}
    options = _single(url, _SQLITE_OPTIONS)
    for name, kind in _SQLITE_NUMBERS.items():
        if name in options:
            _number(name, options[name], kind)
    return url, {}


def _single(url: URL, known: Iterable[str], *, several: Iterable[str] = ()) -> dict[str, str]:
    """The options by name, each once and known. Raises `BadInputError`."""
    for name, value in url.query.items():
        if name not in known:
            raise BadInputError(_unknown(url, name, known))
        if not isinstance(value, str) and name not in several:
            raise BadInputError(f"database: the URL names {name} more than once")
    return {name: value if isinstance(value, str) else ",".join(value) for name, value in url.query.items()}


def _unknown(url: URL, name: str, known: Iterable[str]) -> str:
    """What is no option is perhaps a piece of a password, and is not repeated then."""
    if any("@" in text for value in url.query.values() for text in _list(value)) or "@" in name:
        return f"database: the URL has an option that is none. {_PERCENT}"
    near = get_close_matches(name.lower().replace("-", "_"), known, 1, 0.7)
    told = [f"database: {name!r:.60} is no option of a URL for {url.get_backend_name()}"]
    if near:
        told.append(f"did you mean {near[0]}?")
    elif "options" in known:
        told.append("a setting of the server is written options=-cNAME%3DVALUE")
    return "; ".join(told)


def _number(name: str, text: str, kind: type[int] | type[float], *, above: float | None = None) -> int | float:
    whole = "a whole number" if kind is int else "a number"
    try:
        number = kind(text)
    except ValueError:
        raise BadInputError(f"database: {name} must be {whole}") from None
    if not abs(number) < 1e9 or (above is not None and number <= above):  # noqa: PLR2004 - neither infinity nor NaN
        raise BadInputError(f"database: {name} must be {whole}{'' if above is None else f' above {above:g}'}")
    return number


def _one_of(name: str, value: str, allowed: Iterable[str], told: str) -> str:
    if value not in allowed:
        raise BadInputError(f"database: {name} must be {told}")
    return value


def _check_files(options: Mapping[str, str], names: Iterable[str]) -> None:
    for name in names:
        if name in options and not (Path(options[name]).is_file() and os.access(options[name], os.R_OK)):
            raise BadInputError(f"database: {name}: there is no file {options[name]} that can be read")


def _load(load: Callable[[], None], name: str) -> None:
    try:
        load()
    except (ssl.SSLError, OSError, ValueError) as wrong:
        raise BadInputError(f"database: {name} cannot be used: {wrong}") from None


def _texts(url: URL, name: str) -> Sequence[str]:
    return _list(url.query.get(name, ()))


def _list(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else list(value)
