"""Ports of the loopback that nobody uses."""

import random
import socket
from collections.abc import Iterator

# Below the ports that systems give to outgoing connections (Linux from 32768, others from 49152): a client that retries
# while the server is stopped would sooner or later be given the server's own port, and connect to itself.
PORTS = range(20_000, 32_768)


def free_ports() -> Iterator[int]:
    """Those that could be taken just now, each once: for servers that take theirs only a while after it was chosen."""
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port


def free_port() -> int:
    """One that could be taken just now. Raises OSError where there is none."""
    for port in free_ports():
        return port
    raise OSError(f"no free port from {PORTS.start} to {PORTS.stop - 1}")
