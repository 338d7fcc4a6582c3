"""The options of a MySQL or MariaDB URL, and what asyncmy is called with for them."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from gatepost.base import BadInputError
from gatepost.database.connecting.options import FALSE, TRUE, as_list, check_files, load, number, one_of, single

_MYSQL_SSL_MODES = ("DISABLED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
_MYSQL_FILES = ("ssl_ca", "ssl_cert", "ssl_key")
_MYSQL_TEXTS = {"init_command", "program_name", "read_default_file", "read_default_group", "sql_mode", "unix_socket"}
_MYSQL_SSL = {*_MYSQL_FILES, "ssl_capath", "ssl_check_hostname", "ssl_cipher", "ssl_mode"}
MYSQL_OPTIONS = {*_MYSQL_TEXTS, *_MYSQL_SSL, "charset", "connect_timeout", "read_timeout", "ssl", "use_unicode"}


def for_asyncmy(url: URL) -> tuple[URL, dict[str, Any]]:
    if "," in (url.host or ""):
        raise BadInputError("database: of MySQL and MariaDB one host can be named, not several")
    names = {name: name.lower().replace("-", "_") for name in url.query}
    names = {name: "ssl_mode" if plain == "sslmode" else plain for name, plain in names.items()}
    plain_url = url.set(query=[(names[name], value) for name, values in url.query.items() for value in as_list(values)])  # type: ignore[arg-type]
    options = single(plain_url, MYSQL_OPTIONS)
    arguments: dict[str, Any] = {name: options[name] for name in sorted(_MYSQL_TEXTS & options.keys())}
    for name, kind in (("connect_timeout", int), ("read_timeout", float)):
        if name in options:
            arguments[name] = number(name, options[name], kind, above=0)
    if "charset" in options:
        arguments["charset"] = one_of("charset", options["charset"].lower(), ("utf8mb4",), "utf8mb4")
    if options.get("use_unicode", "1").lower() not in TRUE:
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
    if hostname not in TRUE | FALSE:
        raise BadInputError("database: ssl_check_hostname must be true or false")
    ca, capath = options.get("ssl_ca"), options.get("ssl_capath")
    trusted = ca is not None or capath is not None
    usual = "REQUIRED" if not trusted else "VERIFY_IDENTITY" if hostname in TRUE else "VERIFY_CA"
    mode = options.get("ssl_mode", usual).upper().replace("-", "_")
    if mode == "PREFERRED":
        raise BadInputError(
            "database: ssl_mode=PREFERRED cannot be had with the driver asyncmy: write ssl_mode=REQUIRED or DISABLED"
        )
    one_of("ssl_mode", mode, _MYSQL_SSL_MODES, ", ".join(_MYSQL_SSL_MODES))
    if mode == "DISABLED":
        return None
    check_files(options, _MYSQL_FILES)
    if capath is not None and not Path(capath).is_dir():
        raise BadInputError(f"database: ssl_capath: there is no folder {capath}")
    context = ssl.create_default_context()
    if trusted:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        load(lambda: context.load_verify_locations(ca, capath), "ssl_ca")
    context.check_hostname = mode == "VERIFY_IDENTITY" and hostname in TRUE
    if mode == "REQUIRED" and not trusted:
        context.verify_mode = ssl.CERT_NONE
    if "ssl_cert" in options:
        load(lambda: context.load_cert_chain(options["ssl_cert"], options.get("ssl_key")), "ssl_cert")
    if "ssl_cipher" in options:
        load(lambda: context.set_ciphers(options["ssl_cipher"]), "ssl_cipher")
    return context
