"""From what `APIKeys` is given to a client of redis-py that the tier can use."""

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from gatepost.base import BadInputError, ConfigurationError
from gatepost.redis.cluster import Cluster
from gatepost.redis.single import Single
from gatepost.redis.url import PORTS, SENTINEL_OPTIONS, check_url, hosts_of, kind_of

RedisClient = Redis | RedisCluster


def server_of(redis: str | RedisClient | Single) -> Single | Cluster:
    """What the tier talks to: it is a `Single` already in users' tests. Raises `BadInputError` and
    `ConfigurationError`; connects to nothing."""
    if isinstance(redis, Single):
        return redis
    client = _client_of(redis) if isinstance(redis, str) else _checked(redis)
    return Cluster(client) if isinstance(client, RedisCluster) else Single(client)


def _client_of(url: str) -> RedisClient:
    check_url(url)
    retry = Retry(NoBackoff(), 1)  # at once: an idle connection may be closed unseen. Then the breaker decides
    options: dict[str, Any] = {
        "socket_timeout": None,  # its own timeouts go on while the event loop is blocked: ours are around all it does
        "socket_connect_timeout": None,
        "retry": retry,
    }
    scheme, kind = kind_of(url)
    if kind == "one":
        return Redis.from_url(url, **options)
    parts = urlsplit(url)
    hosts = hosts_of(parts.netloc, PORTS[kind])
    service, _, number = parts.path.strip("/").partition("/")
    user, at, _ = parts.netloc.rpartition("@")
    database = f"/{number}" if kind == "sentinel" and number else ""
    options |= parse_url(urlunsplit((scheme, f"{user}{at}host", database, parts.query, "")))
    del options["host"]
    if options.pop("connection_class", None) is SSLConnection:
        options["ssl"] = True
    if kind == "cluster":
        return RedisCluster(startup_nodes=[ClusterNode(host, port) for host, port in hosts], **options)
    of_sentinels = {name: options[name] for name in options if name.startswith(("socket_", "ssl"))} | {"retry": retry}
    for name, plain in SENTINEL_OPTIONS.items():
        if name in options:
            of_sentinels[plain] = options.pop(name)
    return Sentinel(hosts, sentinel_kwargs=of_sentinels, **options).master_for(service)  # type: ignore[no-any-return, no-untyped-call]


def _checked(client: RedisClient) -> RedisClient:
    if not isinstance(client, Redis | RedisCluster):
        raise BadInputError(f"redis must be a URL or a redis.asyncio client, not {type(client).__name__}")
    if client.get_encoder().decode_responses:
        raise ConfigurationError("redis: the client decodes responses, but values are bytes: decode_responses=False")
    return client
