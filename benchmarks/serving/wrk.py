"""The load client: wrk, the same for every contestant. One thread, connections that are kept open, no pauses."""

from pathlib import Path

import msgspec
from tests.servers.programs import ProgramMissingError, on_this_machine

from benchmarks.child import printed

SCRIPT = Path(__file__).with_suffix(".lua")

TIMEOUT_SECONDS = 30
"""After that wrk counts an answer as an error. Longer than any queue that `connections` make for itself."""


class LoadError(Exception):
    """A load that did not go as it should: connections broke, or answers were not those expected."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What wrk found. `requests`: that were answered. `p50`, `p99`: of the time to an answer, microseconds.

    `refused`: answers with a status of 400 or more. `connect`, `read`, `write`, `timeout`: errors of connections.
    """

    requests: int
    microseconds: int
    p50: int
    p99: int
    refused: int
    connect: int
    read: int
    write: int
    timeout: int

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.requests / (self.microseconds / 1e6)

    def check(self, *, refused: bool) -> None:
        """Raises `LoadError` unless connections held and every answer, or none, was a refusal."""
        if broken := self.connect + self.read + self.write + self.timeout:
            raise LoadError(f"{broken} errors of connections beside {self.requests} answers: {self}")
        if self.refused != (self.requests if refused else 0):
            raise LoadError(f"{self.refused} of {self.requests} requests were refused")


def program() -> Path:
    """Raises `ProgramMissingError`."""
    for path in on_this_machine(["wrk"]):
        return path
    raise ProgramMissingError("no wrk found on this machine: apt install wrk")


def parse(output: str) -> Load:
    """What wrk printed. Raises `LoadError`."""
    for line in reversed(output.splitlines()):
        if line.startswith("{"):
            try:
                return msgspec.json.decode(line, type=Load)
            except msgspec.DecodeError as wrong:
                raise LoadError(f"wrk's last line cannot be read ({wrong}): {line}") from None
    raise LoadError(f"wrk measured nothing:\n{output}")


async def load(url: str, authorization: str, *, connections: int, seconds: int) -> Load:
    """Send requests with that `Authorization` header over all `connections` at once. Raises `LoadError`."""
    options = f"-t1 -c{connections} -d{seconds}s --timeout {TIMEOUT_SECONDS}s".split()
    header = f"Authorization: {authorization}"
    try:
        return parse(await printed(program(), *options, "-s", SCRIPT, "-H", header, url))
    except RuntimeError as wrong:
        raise LoadError(str(wrong)) from wrong
