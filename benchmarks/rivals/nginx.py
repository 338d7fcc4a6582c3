"""A gateway: nginx with a `map` of keys, in front of the bare app. A hop more, and a process more."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from tests.servers.process import ServerProcess
from tests.servers.programs import first_on_this_machine

from benchmarks.rivals import bare
from benchmarks.rivals.rival import Prepared, Stores
from benchmarks.rivals.ten_lines import make_secrets

UPSTREAM_CONNECTIONS = 1_024
"""Most that are kept open to the app while nobody uses them."""

CONFIGURATION = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000000;
    map_hash_bucket_size 256;
    map $http_authorization $known {{
        default 0;
        "Bearer {secret}" 1;
    }}
    upstream app {{
        server 127.0.0.1:{upstream};
        keepalive {connections};
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            if ($known = 0) {{ return 401; }}
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
        }}
    }}
}}
"""


program = partial(first_on_this_machine, "nginx", package="nginx-light")
"""Where it is. Raises `ProgramMissingError`."""


def configuration(folder: Path, port: int, upstream: int, secret: str) -> str:
    """Of an nginx that listens on `port`, keeps its files in `folder`, and lets the secret through to `upstream`."""
    places = {"folder": folder, "port": port, "upstream": upstream}
    return CONFIGURATION.format(**places, secret=secret, connections=UPSTREAM_CONNECTIONS)


def start(folder: Path, port: int, upstream: int, secret: str) -> ServerProcess:
    """Start it, and return at once. One process, without a master. Raises `ProgramMissingError`."""
    path = folder / "nginx.conf"
    path.write_text(configuration(folder, port, upstream, secret))
    return ServerProcess([program(), "-p", folder, "-c", path, "-e", "stderr"], folder)


async def prepare(_stores: Stores) -> Prepared:
    """Make the secret that the configuration holds."""
    return Prepared(secrets=make_secrets())


RIVAL = replace(
    bare.STARLETTE,
    name="nginx map",
    prepare=prepare,
    note="a gateway before the bare app, on the same core; a list in its configuration: no revocation without a "
    "reload, no expiry, no permissions, no management",
)
