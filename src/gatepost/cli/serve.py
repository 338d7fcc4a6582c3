"""`gatepost serve`: the page and the REST API for managing keys, as a server of their own."""

import ipaddress
import os
import shlex
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from typer import Option

from gatepost.base import MissingExtraError
from gatepost.cli.input import KeysOptions, verb
from gatepost.cli.output import print_json, print_line, print_note
from gatepost.keys import SERVER_KEYS, VAULT_KEYS, APIKeys
from gatepost.rules import ACCESS_MANAGE, ACCESS_READ


@verb
async def serve(
    options: KeysOptions,
    *,
    host: Annotated[str, Option("--host", metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, Option("--port", metavar="N", min=0, max=65535, help="0 = a free one.")] = 8400,
) -> None:
    """Serve the page and the REST API for managing keys. Ctrl-C ends it.

    Nobody gets in without a key that has ACCESS_READ or ACCESS_MANAGE.
    """
    from gatepost import Admin  # noqa: PLC0415 - needs the extra

    try:
        from gatepost.cli.listening import Server, bound, url_of  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as missing:
        if str(missing.name).partition(".")[0] != "uvicorn":
            raise
        raise MissingExtraError("uvicorn", "serve") from missing
    options.check_file()
    keys = options.serving_keys()
    app = Admin(keys)
    with bound(host, port) as listener:
        url = url_of(listener)
        async with keys:
            managed = await _can_be_managed(keys)

            def introduce() -> None:
                if options.as_json:
                    print_json({"url": url, "api": f"{url}/api", "openapi": f"{url}/openapi.json"})
                else:
                    _introduce(options, url, listener, managed=managed)

            await Server(app).run_on(listener, introduce)


async def _can_be_managed(keys: APIKeys) -> bool:
    """Whether there is a key that lets people in to change keys."""
    return bool((await keys.list(permission=ACCESS_MANAGE, state="active", limit=1)).items)


def _introduce(options: KeysOptions, url: str, listener: socket.socket, *, managed: bool) -> None:
    """Where it is, and for who comes for the first time how to get in."""
    print_line(f"Manage keys: {url}", "bold")
    print_line(f"REST API:    {url}/api, described by {url}/openapi.json")
    if not managed:
        print_line("")
        print_line("No key can sign in there to change keys yet. Make one:")
        for needed in _needed(options):
            print_line(f"  {needed}")
        print_line(f'  gatepost keys create "admin" -p {ACCESS_READ},{ACCESS_MANAGE} {options.place()}')
        print_line("It can give others only the permissions that it has itself, so name those too.")
    print_line("")
    print_line("Stop with Ctrl-C.")
    if not ipaddress.ip_address(listener.getsockname()[0]).is_loopback:
        print_note(
            f"Warning: {url} is not this machine alone, and not https: secrets and sessions can be read on the way. "
            "Listen on 127.0.0.1, and let a proxy with TLS answer others"
        )


def _needed(options: KeysOptions) -> Iterator[str]:
    """What a shell must have before it can be told the command: secrets are not shown."""
    if options.of_app is not None:
        yield f"cd {shlex.quote(str(Path.cwd()))}"
    elif options.holds_password:
        yield f"export GATEPOST_DATABASE='{options.database_name()}'    # with its password in place of ***"
    for name in (SERVER_KEYS, VAULT_KEYS):
        if options.of_app is None and os.environ.get(name):
            yield f"export {name}=...    # as it is here"
