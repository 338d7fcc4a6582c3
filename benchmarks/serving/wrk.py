"""The load client: wrk, the same for every contestant. One thread, connections that are kept open, no pauses."""

from functools import partial
from pathlib import Path

import msgspec
from tests.servers.child import printed
from tests.servers.programs import first_on_this_machine

SCRIPT = Path(__file__).with_suffix(".lua")

TIMEOUT_SECONDS = 30
"""After that wrk counts an answer as an error. Longer than any queue that `connections` make for itself."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What wrk found. `requests`: that were answered. `p99`: of the time to an answer, microseconds.

    `refused`: answers with a status of 400 or more. `connect`, `read`, `write`, `timeout`: errors of connections.
    """

    requests: int
    microseconds: int
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
        """Raises `RuntimeError` unless connections held and every answer, or none, was a refusal."""
        if broken := self.connect + self.read + self.write + self.timeout:
            raise RuntimeError(f"{broken} errors of connections beside {self.requests} answers: {self}")
        if self.refused != (self.requests if refused else 0):
            raise RuntimeError(f"{self.refused} of {self.requests} requests were refused")


program = partial(first_on_this_machine, "wrk", package="wrk")
"""Where it is. Raises `ProgramMissingError`."""


def parse(output: str) -> Load:
    """What wrk printed: the script's line is the last. Raises `RuntimeError` where that is none."""
    try:
        return msgspec.json.decode(output.rstrip().rpartition("\n")[2], type=Load)
    except msgspec.DecodeError as wrong:
        raise RuntimeError(f"wrk measured nothing ({wrong}):\n{output}") from None


async def load(url: str, authorization: str, *, connections: int, seconds: int) -> Load:
    """Send requests with that `Authorization` header over all `connections` at once. Raises `RuntimeError`."""
    options = f"-t1 -c{connections} -d{seconds}s --timeout {TIMEOUT_SECONDS}s".split()
    header = f"Authorization: {authorization}"
    return parse(await printed(program(), *options, "-s", SCRIPT, "-H", header, url))
