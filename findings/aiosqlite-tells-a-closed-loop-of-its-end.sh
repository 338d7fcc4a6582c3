#!/usr/bin/env bash
# aiosqlite 0.22.1, CPython 3.11.
# Where a file cannot be opened, `aiosqlite.connect` raises sqlite3's error, as it should, and tells its thread to stop; the thread
# answers the event loop, for which nobody waits. Where the loop ends with that error (`asyncio.run` of a short program does, and a
# test client that gives each request a loop of its own), the answer comes too late in most runs: the thread ends with an exception
# that nobody can catch, and Python prints "Exception in thread … RuntimeError: Event loop is closed" under the real error.
# Seen: "of 200 runs 126 ended with RuntimeError('Event loop is closed') in the thread" (how many differs from run to run), and none
# where the loop goes on for a moment.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install aiosqlite==0.22.1
cat >"$folder/seen.py" <<'PYTHON'
import asyncio
import sqlite3
import sys
import threading

import aiosqlite

raised = []
threading.excepthook = lambda failed: raised.append(repr(failed.exc_value))


async def connect(seconds):
    try:
        await aiosqlite.connect(f"{sys.argv[1]}/no such folder/x.db")
    except sqlite3.OperationalError:
        await asyncio.sleep(seconds) if seconds else None
    else:
        raise AssertionError("it was opened")


def runs(count, seconds=0.0):
    raised.clear()
    for _ in range(count):
        asyncio.run(connect(seconds))
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join()
    return list(raised)


found = runs(200)
print(f"of 200 runs {len(found)} ended with {', '.join(set(found))} in the thread")
assert set(found) == {"RuntimeError('Event loop is closed')"}, found
assert runs(20, seconds=0.2) == []
PYTHON
"$folder/venv/bin/python" "$folder/seen.py" "$folder"
