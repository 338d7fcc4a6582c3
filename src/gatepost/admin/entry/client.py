"""Who is at the other end of a connection, as far as the server tells."""

from starlette.requests import HTTPConnection

from gatepost.base import ADDRESS_MAX


def address_of(connection: HTTPConnection) -> str | None:
    """The client's address as the audit log takes it; `None` where there is none, as over a Unix socket."""
    host = "" if connection.client is None else connection.client.host[:ADDRESS_MAX].strip()
    return host if host and host.isprintable() else None
