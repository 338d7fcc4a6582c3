#!/usr/bin/env bash
# CPython 3.11.7 (3.12.1 does the same, 3.13.0 does not), pydantic 2.14.3.
# `asyncio.run(main())` has the whole result of `main` written out as text, twice, and throws the texts away. It puts its own handler for
# SIGINT in place and takes it out again; `signal.signal` answers with the handler from before, and asks an enum first whether it is one of
# its members. The enum says no with a ValueError whose message has the handler's repr in it: a partial with the task in it, whose repr has
# the result's: of a list the first six, of any other object all of it, which is cut to a few characters then. A program whose `main`
# returns a large object (a report, a model with rows) pays for that as it ends.
# Seen: "asyncio.run: 40000 rows written out; a loop of one's own: 0" for a report of 20,000 rows.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=$(command -v python3.11 || command -v python3)
"$python" -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install pydantic==2.14.3
cat >"$folder/seen.py" <<'PYTHON'
import asyncio

from pydantic import BaseModel

ROWS = 20_000
written = 0


class Row(BaseModel):
    number: int

    def __repr_args__(self):
        global written
        written += 1
        return super().__repr_args__()


class Report(BaseModel):
    rows: list[Row]


async def main():
    return Report(rows=[Row(number=number) for number in range(ROWS)])


assert len(asyncio.run(main()).rows) == ROWS
by_run, written = written, 0
loop = asyncio.new_event_loop()
assert len(loop.run_until_complete(main()).rows) == ROWS
loop.close()
print(f"asyncio.run: {by_run} rows written out; a loop of one's own: {written}")
assert (by_run, written) == (2 * ROWS, 0)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
