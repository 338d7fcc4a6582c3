"""Nothing is sent into our own network, whatever a name leads to, or leads to later."""

import asyncio
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gatepost import APIKeys, BadInputError
from gatepost.base import MissingExtraError
from gatepost.database import Delivery
from gatepost.webhooks import LogTarget, Target, Webhooks
from gatepost.webhooks.hosts import ForbiddenHostError, is_public, resolved
from gatepost.webhooks.sending import HTTPDestination, _sent
from tests.servers.certificates import Authority
from tests.servers.receiver import receiving
from tests.webhooks.conftest import SECRET, target

GOOD = "https://example.org/"
MESSAGE = Delivery("one", "m1", "", "sign_in", "{}", 0, 0.0, None)

FORBIDDEN = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "198.18.0.1",
    "192.0.2.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
    "64:ff9b:1::7f00:1",
    "::127.0.0.1",
    "::ffff:0:7f00:1",
    "fec0::1",
]
PUBLIC = ["93.184.216.34", "1.1.1.1", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1", "2002:101:101::"]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_an_address_that_is_not_public_is_refused_when_a_target_is_made(address: str) -> None:
    assert not is_public(address)
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(BadInputError, match=r"public Internet|url must be"):
        Target("a", f"https://{host}/", secret=SECRET)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_taken(address: str) -> None:
    assert is_public(address)
    Target("a", f"https://{f'[{address}]' if ':' in address else address}/", secret=SECRET)


def leading_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Names lead there, one answer after the other; what was asked."""
    asked: list[str] = []
    waiting = list(answers)

    async def getaddrinfo(host: str, port: int, **_options: Any) -> list[Any]:
        asked.append(host)
        found = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize("found", [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["169.254.169.254"], []])
async def test_a_name_that_leads_into_our_network_is_refused_and_nothing_is_connected(
    monkeypatch: pytest.MonkeyPatch, found: list[str]
) -> None:
    async with receiving() as receiver:
        leading_to(monkeypatch, found)
        destination = HTTPDestination(Target("one", f"https://hooks.example.org:{receiver.port}/", secret=SECRET))
        sent = await destination.send(MESSAGE)
        await destination.close()
        assert sent.error is not None
        assert "not public" in sent.error
        assert "10.0.0.1" not in sent.error
        assert (receiver.received, receiver.open) == ([], 0)
    with pytest.raises(ForbiddenHostError):
        await resolved("hooks.example.org", 443, private=False)


async def test_the_connection_goes_to_the_address_that_was_checked_and_the_name_is_asked_for_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with receiving() as receiver:
        asked = leading_to(monkeypatch, ["127.0.0.1"], ["203.0.113.1"])
        url = f"http://hooks.example.org:{receiver.port}/a?b=c"
        destination = HTTPDestination(target(receiver, url=url))
        assert await destination.send(MESSAGE) == (None, False, 0.0)
        await destination.close()
        (received,) = receiver.received
    assert asked == ["hooks.example.org"]
    assert (received.path, received.headers["host"]) == ("/a?b=c", f"hooks.example.org:{receiver.port}")


async def test_the_certificate_is_that_of_the_name_though_the_connection_goes_to_the_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority = Authority.make(tmp_path)
    authority.vouch(tmp_path, "hooks.example.org")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    async with receiving(tls=tls) as receiver:
        leading_to(monkeypatch, ["127.0.0.1"])
        for host, error in (("hooks.example.org", None), ("other.example.org", "ConnectError")):
            url = f"https://{host}:{receiver.port}/"
            one = target(receiver, url=url)
            destination = HTTPDestination(one)
            await destination.close()
            trusting = ssl.create_default_context(cafile=str(authority.file))
            destination._client = httpx2.AsyncClient(trust_env=False, verify=trusting)
            assert (await destination.send(MESSAGE)).error == error
            await destination.close()
        assert len(receiver.received) == 1


async def test_neither_redirects_nor_proxies_of_the_environment_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as elsewhere, receiving() as receiver:
        monkeypatch.setenv("HTTP_PROXY", elsewhere.url)
        monkeypatch.setenv("ALL_PROXY", elsewhere.url)
        receiver.answer = lambda _request: (307, {"location": elsewhere.url}, b"")
        destination = HTTPDestination(target(receiver))
        assert (await destination.send(MESSAGE)).error == "status 307"
        await destination.close()
        assert len(receiver.received) == 1
        assert elsewhere.received == []


async def test_what_does_not_listen_is_a_failure_that_names_no_address() -> None:
    async with receiving() as receiver:
        pass
    destination = HTTPDestination(target(receiver))
    assert (await destination.send(MESSAGE)).error == "ConnectError"
    await destination.close()


@pytest.mark.parametrize("host", ["a..b", "a" * 64])
async def test_a_name_that_cannot_be_asked_for_leads_nowhere(host: str) -> None:
    with pytest.raises(ForbiddenHostError, match="nowhere"):
        await resolved(host, 443, private=True)


def test_a_target_that_asks_to_be_left_alone_is_for_an_hour_at_most() -> None:
    assert _sent(429, "7").after == 7.0
    assert _sent(503, "999999").after == 3600.0
    assert [_sent(503, text).after for text in (None, "soon", "-1", "9" * 400)] == [0.0] * 4
    assert _sent(500, "7").after == 0.0


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("url", "http://example.org/"),
        ("url", "ftp://example.org/"),
        ("url", "https://user:pass@example.org/"),
        ("url", "https://example.org/#a"),
        ("url", "https://"),
        ("url", "https://localhost/"),
        ("url", "https://a.localhost./"),
        ("url", "https://[::1/"),
        ("url", "https://example.org:99999/"),
        ("url", "https://a..b/"),
        ("url", "https://.example.org/"),
        ("url", "https://example.org../"),
        ("url", f"https://{'a' * 64}.example.org/"),
        ("url", f"https://{'a.' * 130}org/"),
        ("url", "https://exämple.org/"),
        ("url", "https://exa mple.org/"),
        ("url", 7),
        ("name", ""),
        ("name", "A b"),
        ("secret", "short"),
        ("secret", "whsec_!!"),
        ("secret", "whsec_AAAA"),
        ("secret", []),
        ("types", ["key.exploded"]),
        ("types", "key.created"),
        ("types", []),
        ("timeout", 0),
        ("timeout", 60),
        ("retry_delays", [-1]),
        ("retry_delays", [float("inf")]),
        ("project", ""),
    ],
)
def test_a_target_that_cannot_work_is_refused_with_what_is_wrong_and_without_its_secret(field: str, wrong: Any) -> None:
    settings: dict[str, Any] = {"name": "a", "url": GOOD, "secret": SECRET}
    with pytest.raises(BadInputError) as raised:
        Target(**(settings | {field: wrong}))
    assert raised.value.field == field
    assert SECRET not in str(raised.value)
    assert "pass" not in str(raised.value)
    assert SECRET not in repr(Target(**settings))


def test_webhooks_that_cannot_work_are_refused(keys: APIKeys) -> None:
    one = Target("a", GOOD, secret=SECRET)
    for targets, more in (
        ([], {}),
        (["https://example.org/"], {}),
        ([one, LogTarget(name="a")], {}),
        ([one], {"expiring_days": [0]}),
        ([one], {"poll_interval": 0}),
    ):
        with pytest.raises(BadInputError):
            Webhooks(keys, targets, **more)  # type: ignore[arg-type]


def test_without_its_extra_it_says_what_to_install(keys: APIKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)
    with pytest.raises(MissingExtraError, match="webhooks"):
        Webhooks(keys, [Target("a", GOOD, secret=SECRET)])
    Webhooks(keys, [LogTarget()])
