"""Redis URLs: nobody is led to another Redis than the one that is meant."""

from pathlib import Path

import pytest
from redis.asyncio.sentinel import SentinelConnectionPool

from gatepost import APIKeys, BadInputError
from gatepost.redis.tier import RedisTier
from gatepost.redis.url import check_url
from tests.servers.certificates import Authority
from tests.servers.redis import RedisServer
from tests.servers.tls import redis_front

SECRET = "hunter2"

UNCLEAR = [
    f"redis://:12#{SECRET}@h:6379/0",
    f"redis://:#{SECRET}@h/0",
    f"redis://u:12/{SECRET}@h:6379/0",
    f"redis://:12/{SECRET}@h",
    f"redis://:12?{SECRET}@h",
    f"redis://:12?a={SECRET}@h",
    f"redis://{SECRET}#w@h",
    f"redis://:{SECRET}@w@h",
    f"redis://:[{SECRET}@h",
    f"redis://:{SECRET}\n@h",
    f"redis://:{SECRET} @h",
    f"redis://:{SECRET}é@h",
    f"redis://u:{SECRET}@h:port/0",
    f"redis://u:{SECRET}@h/zero",
    f"redis://u:{SECRET}@a,b/0",
    f"redis://u:{SECRET}@/0",
    "redis:///0",
    "redis://",
    "redis://h:0",
]

REFUSED = [
    ("localhost:6379", "begins with redis://"),
    (f"redis+proxy://u:{SECRET}@h", "begins with redis://"),
    (f"redis+cluster://u:{SECRET}@h/1", "a cluster has one database"),
    (f"redis+cluster://u:{SECRET}@h,", "hosts, with commas"),
    (f"redis+cluster://u:{SECRET}@h:0", "hosts, with commas"),
    ("redis+cluster://h?db=1", "is no option"),
    (f"redis+sentinel://u:{SECRET}@h", "the name by which they know the master"),
    (f"redis+sentinel://u:{SECRET}@h/keys/zero", "the name by which they know the master"),
    ("redis+sentinel://h/keys?ssl_cert_reqs=none", "must begin with rediss://"),
    ("redis://h?sentinel_password=p", "is no option"),
    ("unix://run/redis.sock", "three slashes"),
    ("unix://", "three slashes"),
    ("redis://h/0?socket_timeuot=1", "did you mean socket_timeout?"),
    ("redis://h/0?family=6", "there are: client_name, db"),
    ("redis://h/0?socket_timeout=soon", "socket_timeout must be a number"),
    ("redis://h/0?max_connections=-1", "max_connections must be a whole number"),
    ("redis://h/0?socket_keepalive=perhaps", "true or false"),
    ("redis://h?db=zero", "db must be a whole number"),
    ("redis://h?db=1&db=2", "more than once"),
    ("redis://h?db", "NAME=VALUE"),
    ("redis://h?decode_responses=true", "leave decode_responses out"),
    ("redis://h?timeout=5", "socket_timeout=SECONDS"),
    ("redis://h?ssl=true", "rediss:// in front"),
    ("redis://h?ssl_cert_reqs=none", "must begin with rediss://"),
    ("rediss://h?ssl_cert_reqs=CERT_NONE", "none, optional or required"),
    ("rediss://h?ssl_ca_certs=/no/such/file", "no file /no/such/file"),
    ("redis://h?protocol=4", "2 or 3"),
    ("unix:///run/redis.sock?socket_keepalive=1", "is no option"),
]


@pytest.mark.parametrize("url", UNCLEAR)
def test_a_url_that_could_mean_another_host_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(BadInputError, match="redis") as raised:
        RedisTier(url, ttl=1, timeout=0.1)
    assert SECRET not in str(raised.value)
    assert "%40" in str(raised.value)


@pytest.mark.parametrize(("url", "told"), REFUSED)
async def test_what_cannot_be_used_is_refused_with_what_to_write(url: str, told: str, ready_sqlite_url: str) -> None:
    with pytest.raises(BadInputError, match=told) as raised:
        await APIKeys(ready_sqlite_url, url).open()
    with pytest.raises(BadInputError, match=told):
        await APIKeys(ready_sqlite_url, url).status()
    assert SECRET not in str(raised.value)
    assert "keyword" not in str(raised.value)


def test_every_option_that_is_let_through_is_one_that_the_client_takes() -> None:
    common = "db=1&client_name=a&health_check_interval=5&max_connections=9&protocol=3&retry_on_timeout=false"
    common += "&socket_connect_timeout=1&socket_read_size=9000&socket_timeout=0.5&username=u&password=p"
    tls = "ssl_cert_reqs=none&ssl_check_hostname=false&ssl_min_version=771&ssl_ciphers=ALL&ssl_password=p"
    for url in (
        f"redis://h:1/0?{common}&socket_keepalive=1",
        f"rediss://u:p@h/1?{common}&{tls}",
        f"unix:///run/redis.sock?{common}",
        "unix://u:p@/run/redis.sock",
        "redis://u:p%40%2F%23@[::1]:6379",
    ):
        check_url(url)
        pool = RedisTier(url, ttl=1, timeout=0.1)._client.connection_pool  # type: ignore[union-attr]
        connection = pool.make_connection()  # raises TypeError for what it does not know
        assert connection.host in {"h", "::1"} if hasattr(connection, "host") else connection.path == "/run/redis.sock"
    with_tls = tls + "&ssl_ca_path=/tmp"
    sentinel = common.replace("&password=p", "") + "&sentinel_username=s&sentinel_password=w"
    for url in (
        f"redis+sentinel://:p@a,b:1,[::1]:2/keys/3?{sentinel}&socket_keepalive=1",
        f"rediss+sentinel://:p@a,b:1,[::1]:2/keys/3?{sentinel}&{with_tls}",
    ):
        pool = RedisTier(url.replace("db=1&", ""), ttl=1, timeout=0.1)._client.connection_pool  # type: ignore[union-attr]
        assert isinstance(pool, SentinelConnectionPool)
        assert (pool.service_name, pool.connection_kwargs["db"], pool.connection_kwargs["password"]) == ("keys", 3, "p")
        pool.make_connection()  # type: ignore[no-untyped-call]
        asked = [each.connection_pool for each in pool.sentinel_manager.sentinels]
        told = [each.connection_kwargs for each in asked]
        assert [(each["host"], each["port"]) for each in told] == [("a", 26379), ("b", 1), ("::1", 2)]
        assert {(each["username"], each["password"]) for each in told} == {("s", "w")}
        assert all("SSL" in type(each.make_connection()).__name__ for each in asked) == url.startswith("rediss")
    common = common.replace("db=1&", "").replace("&retry_on_timeout=false", "")
    tls = tls.replace("&ssl_password=p", "")
    for url in (f"redis+cluster://a,b:1?{common}&socket_keepalive=1", f"rediss+cluster://a,b:1/0?{common}&{tls}"):
        nodes = RedisTier(url, ttl=1, timeout=0.1)._client.nodes_manager.startup_nodes  # type: ignore[union-attr]
        assert list(nodes) == ["a:6379", "b:1"]
        made = nodes["a:6379"].acquire_connection()
        assert (made.password, "SSL" in type(made).__name__) == ("p", url.startswith("rediss"))


async def test_rediss_speaks_tls_and_asks_who_the_server_is(redis_server: RedisServer, tmp_path: Path) -> None:
    redis_server.start()
    authority = Authority.make(tmp_path)
    authority.vouch(tmp_path, "localhost")
    async with redis_front(redis_server.port, tmp_path / "server.crt") as port:

        async def fault(url: str) -> str | None:
            tier = RedisTier(url, ttl=1, timeout=10)
            try:
                return await tier.check()
            finally:
                await tier.close()

        assert await fault(f"rediss://localhost:{port}/0?ssl_ca_certs={authority.file}") is None
        assert await fault(f"rediss://127.0.0.1:{port}/0?ssl_cert_reqs=none") is None
        for url in (f"rediss://localhost:{port}/0", f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={authority.file}"):
            told = await fault(url)
            assert told is not None
            assert "certificate" in told.lower()
