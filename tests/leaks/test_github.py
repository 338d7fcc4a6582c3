"""GitHub's side of the partner programme, signed by Node's crypto: what is let in, what is done, what is told."""

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest

from gatepost import APIKeys
from gatepost.base import BadInputError, MissingExtraError, UnavailableError, digest
from gatepost.database.transaction import Transaction
from gatepost.leaks import GitHub, Leaks, desk, public_keys
from gatepost.leaks.finds import find_of
from gatepost.leaks.public_keys import AGAIN_SECONDS, FRESH_SECONDS, KEPT_SECONDS, PublicKeys
from tests.leaks.conftest import Caller
from tests.leaks.signing import Signer, published, signer
from tests.servers.receiver import Receiver, receiving

ONE, TWO = "1" * 64, "2" * 64
PLACE = "https://github.com/octocat/hello/blob/1234/a.txt"


class Fetch:
    """A client that is handed in: what GitHub tells, counted."""

    def __init__(self, *signers: Signer) -> None:
        self.content = published(*signers)
        self.status = 200
        self.asked: list[dict[str, str]] = []

    async def get(self, url: str, *, headers: Any) -> httpx2.Response:
        assert url == public_keys.URL
        self.asked.append(dict(headers))
        return httpx2.Response(self.status, content=self.content, headers={"etag": '"1"'})


def told(secret: str, **more: str) -> dict[str, str]:
    return {"token": secret, "type": "gatepost_key", "url": PLACE, "source": "commit"} | more


def body_of(*entries: dict[str, str]) -> bytes:
    return json.dumps(entries).encode()


async def test_a_signed_report_ends_the_key_and_the_answer_tells_by_digest(
    keys: APIKeys, calling: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    issued, other = await keys.create("a key"), await keys.create("another")
    invented = "gp_" + "a" * 12 + "_" + "b" * 49
    body = body_of(told(issued.secret, url=f"{PLACE}?q={issued.secret}#L1"), told(invented))
    by = signer(ONE)
    with caplog.at_level(logging.DEBUG):
        async with calling(github=GitHub(client=Fetch(by)), address="192.0.2.9") as client:
            answer = await client.post("/github", content=body, headers=by.headers(body))
    assert answer.status_code == 200
    assert answer.json() == [
        {"token_hash": digest(issued.secret.encode()).hex(), "token_type": "gatepost_key", "label": "true_positive"},
        {"token_hash": digest(invented.encode()).hex(), "token_type": "gatepost_key", "label": "false_positive"},
    ]
    assert not (await keys.verify(issued.secret)).valid
    assert (await keys.verify(other.secret)).valid
    (leaked,) = (await keys.events(issued.key.id, kind="leaked")).items
    assert leaked.detail == {"source": "GitHub secret scanning: commit", "place": PLACE, "response": "deactivate"}
    assert (leaked.actor, leaked.address) == ("GitHub secret scanning", "192.0.2.9")
    assert issued.secret not in caplog.text
    assert issued.key.id in caplog.text


async def test_a_temporary_secret_is_a_true_find_and_told_of_what_it_was_made_from(
    keys: APIKeys, calling: Caller
) -> None:
    issued = await keys.create("a key", ["FILE_UPLOAD"])
    temporary = await keys.issue_temporary(issued.key.id)
    body, by = body_of(told(temporary.secret, url=f"{PLACE}/{temporary.secret}")), signer(ONE)
    async with calling(github=GitHub(client=Fetch(by))) as client:
        answer = await client.post("/github", content=body, headers=by.headers(body))
    assert [each["label"] for each in answer.json()] == ["true_positive"]
    (leaked,) = (await keys.events(issued.key.id, kind="leaked")).items
    assert leaked.detail is not None
    assert leaked.detail["temporary"] == temporary.id
    assert temporary.secret not in str(leaked.detail)
    assert (await keys.verify(issued.secret)).valid


Change = Callable[[dict[str, str], bytes], tuple[dict[str, str], bytes]]
WRONG: dict[str, Change] = {
    "no headers": lambda _headers, body: ({}, body),
    "no signature": lambda headers, body: ({k: v for k, v in headers.items() if "signature" not in k}, body),
    "another body": lambda headers, body: (headers, body.replace(b"commit", b"Commit")),
    "a body that was written anew": lambda headers, body: (headers, json.dumps(json.loads(body), indent=1).encode()),
    "another key's signature": lambda _headers, body: (
        signer(TWO).headers(body) | {"github-public-key-identifier": ONE},
        body,
    ),
    "a signature that is none": lambda headers, body: (headers | {"github-public-key-signature": "AAAA"}, body),
    "no base64": lambda headers, body: (headers | {"github-public-key-signature": "!" * 10}, body),
    "an endless signature": lambda headers, body: (headers | {"github-public-key-signature": "A" * 4000}, body),
    "an unknown key": lambda _headers, body: (signer(TWO).headers(body), body),
    "an endless id": lambda headers, body: (headers | {"github-public-key-identifier": "1" * 4000}, body),
    "no JSON, not signed": lambda headers, _body: (headers, b"{"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_is_not_signed_by_github_is_refused_before_it_is_read(
    keys: APIKeys, calling: Caller, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    issued = await keys.create("a key")
    before = (await keys.status()).database.seq
    by = signer(ONE)
    body = body_of(told(issued.secret))
    headers, sent = WRONG[name](by.headers(body), body)
    async with calling(github=GitHub(client=Fetch(by))) as client:
        answer = await client.post("/github", content=sent, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert issued.secret not in answer.text + caplog.text
    assert (await keys.status()).database.seq == before
    assert (await keys.verify(issued.secret)).valid


@pytest.mark.parametrize(
    "body",
    [b"{", b"{}", b"[1]", b"[{}]", body_of({"token": "", "type": "a"}), b'[{"token": 1, "type": "a"}]', b"\xff"],
)
async def test_a_signed_body_that_is_no_report_is_refused(calling: Caller, body: bytes) -> None:
    by = signer(ONE)
    async with calling(github=GitHub(client=Fetch(by))) as client:
        answer = await client.post("/github", content=body, headers=by.headers(body))
    assert answer.status_code == 400


async def test_a_body_over_the_limit_and_one_that_never_ends_are_refused(
    keys: APIKeys, calling: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    by = signer(ONE)
    monkeypatch.setattr("gatepost.leaks.github.BODY_MAX", 1000)
    monkeypatch.setattr("gatepost.intake.body.BODY_SECONDS", 0.2)

    async def drops() -> AsyncIterator[bytes]:
        yield b"["
        await asyncio.sleep(3600)

    headers = by.headers(b"")
    async with calling(github=GitHub(client=Fetch(by))) as client:
        long = await client.post("/github", content=b"[" + b" " * 1000, headers=headers)
        assert long.status_code == 413
        slow = await client.post("/github", content=drops(), headers=headers)
        assert slow.status_code == 408


async def test_a_replayed_report_does_not_undo_what_a_person_has_done_since(keys: APIKeys, calling: Caller) -> None:
    issued = await keys.create("a key")
    by = signer(ONE)
    body = body_of(told(issued.secret))
    async with calling(github=GitHub(client=Fetch(by))) as client:
        await client.post("/github", content=body, headers=by.headers(body))
        await keys.activate(issued.key.id)
        seq = (await keys.status()).database.seq
        answer = await client.post("/github", content=body, headers=by.headers(body))
    assert answer.status_code == 200
    assert (await keys.verify(issued.secret)).valid
    assert (await keys.status()).database.seq == seq


async def test_many_finds_share_few_transactions(
    keys: APIKeys, calling: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = 0
    commit = Transaction.commit

    async def counted(self: Transaction) -> None:
        nonlocal commits
        commits += 1
        await commit(self)

    secrets = [(await keys.create(f"key {number}")).secret for number in range(120)]
    by = signer(ONE)
    body = body_of(*map(told, secrets))
    monkeypatch.setattr(Transaction, "commit", counted)
    async with calling(github=GitHub(client=Fetch(by))) as client:
        answer = await client.post("/github", content=body, headers=by.headers(body))
    assert {each["label"] for each in answer.json()} == {"true_positive"}
    assert {(await keys.verify(each)).valid for each in secrets} == {False}
    assert commits <= 8


class Clock:
    """Seconds, as the test says."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_strangers_with_unknown_keys_make_nobody_ask_github_more_than_once_a_minute() -> None:
    clock, fetch = Clock(), Fetch(signer(ONE))
    known = PublicKeys(public_keys.URL, "a token", fetch, clock)
    assert await known.find(ONE) is not None
    for number in range(1000):
        assert await known.find(f"{number:064}") is None
    assert len(fetch.asked) == 1
    assert fetch.asked[0]["Authorization"] == "Bearer a token"
    fetch.content = published(signer(ONE), signer(TWO))
    assert await known.find(TWO) is None
    clock.now += AGAIN_SECONDS
    assert await known.find(TWO) is not None
    assert len(fetch.asked) == 2


async def test_a_key_that_github_has_withdrawn_is_refused_within_the_hour() -> None:
    clock, fetch = Clock(), Fetch(signer(ONE), signer(TWO))
    known = PublicKeys(public_keys.URL, None, fetch, clock)
    assert await known.find(ONE) is not None
    fetch.content = published(signer(TWO))
    clock.now += FRESH_SECONDS + 1
    assert await known.find(ONE) is None
    assert await known.find(TWO) is not None


async def test_keys_go_on_for_a_day_where_github_does_not_answer_and_then_nothing_is_decided() -> None:
    clock, fetch = Clock(), Fetch(signer(ONE))
    known = PublicKeys(public_keys.URL, None, fetch, clock)
    assert await known.find(ONE) is not None
    for status, content in (
        (500, b""),
        (200, b"{}"),
        (200, published(signer("x", "secp384r1"))),
        (200, b"x" * 300_000),
    ):
        fetch.status, fetch.content = status, content
        clock.now += FRESH_SECONDS
        assert await known.find(ONE) is not None
    fetch.status = 304
    clock.now += FRESH_SECONDS
    assert await known.find(ONE) is not None
    assert fetch.asked[-1]["If-None-Match"] == '"1"'
    fetch.status = 500
    clock.now += KEPT_SECONDS + 1
    with pytest.raises(UnavailableError):
        await known.find(ONE)


async def test_a_key_that_is_not_known_is_not_called_wrong_while_github_does_not_answer() -> None:
    clock, fetch = Clock(), Fetch(signer(ONE))
    known = PublicKeys(public_keys.URL, None, fetch, clock)
    assert await known.find(ONE) is not None
    clock.now += AGAIN_SECONDS
    fetch.status = 500
    for _ in range(2):
        with pytest.raises(UnavailableError):
            await known.find(TWO)
    assert await known.find(ONE) is not None
    assert len(fetch.asked) == 2
    clock.now += AGAIN_SECONDS
    fetch.status = 200
    assert await known.find(TWO) is None


@pytest.mark.parametrize("url", ["http://api.github.example/keys", "ftp://127.0.0.1/", "https://", "https://[::1", "a"])
def test_public_keys_come_over_https_or_from_this_machine(url: str) -> None:
    with pytest.raises(BadInputError, match="https"):
        GitHub(url=url)
    for good in ("https://api.github.example/keys", "http://127.0.0.1:8080/keys", "http://[::1]/", "http://localhost/"):
        GitHub(url=good)


async def test_of_secrets_that_may_only_be_imported_github_is_told_nothing(
    ready_sqlite_url: str, calling: Caller
) -> None:
    by = signer(ONE)
    async with APIKeys(ready_sqlite_url, poll_interval=0.1, foreign_secrets=True) as keys:
        issued = await keys.create("a key")
        body = body_of(told(issued.secret), told("of-another"), told("x" * 2000))
        app = Leaks(keys, github=GitHub(client=Fetch(by)))
        async with calling(app=app) as client:
            answer = await client.post("/github", content=body, headers=by.headers(body))
    assert [each["label"] for each in answer.json()] == ["true_positive", "false_positive"]
    assert answer.json()[0]["token_hash"] == digest(issued.secret.encode()).hex()


async def test_all_finds_of_a_report_share_one_wait(
    keys: APIKeys, calling: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    clock = Clock()

    async def noted(_found: object, *, timeout: float, **_how: object) -> None:
        waits.append(timeout)
        clock.now += 6.0

    monkeypatch.setattr(keys, "report_leak", noted)
    monkeypatch.setattr(desk, "boot_clock", clock)
    monkeypatch.setattr(desk, "AT_ONCE", 1)
    made = keys._opened().format
    finds = [find_of(keys, made.make(f"4fT0aK9sQ2L{number}")) for number in range(3)]
    await desk.Desk(keys, None).take(finds, by="a", response="notify", address=None, once=True)
    assert waits == [desk.SPREAD_SECONDS, desk.SPREAD_SECONDS - 6.0, 0.0]


async def test_without_keys_the_answer_is_to_try_again(keys: APIKeys, calling: Caller) -> None:
    issued = await keys.create("a key")
    by = signer(ONE)
    fetch = Fetch(by)
    fetch.status = 503
    body = body_of(told(issued.secret))
    async with calling(github=GitHub(client=fetch)) as client:
        answer = await client.post("/github", content=body, headers=by.headers(body))
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert (await keys.verify(issued.secret)).valid


async def test_our_own_client_fetches_the_keys_from_the_url_that_is_configured(keys: APIKeys, calling: Caller) -> None:
    issued = await keys.create("a key")
    by = signer(ONE)

    def answer(_request: object) -> tuple[int, dict[str, str], bytes]:
        return 200, {"content-type": "application/json"}, published(by)

    server: Receiver
    async with receiving(answer) as server:
        body = body_of(told(issued.secret))
        async with calling(github=GitHub(url=f"{server.url}/keys", token="t")) as client:
            assert (await client.post("/github", content=body, headers=by.headers(body))).status_code == 200
        assert [(each.path, each.headers["authorization"]) for each in server.received] == [("/keys", "Bearer t")]
    assert not (await keys.verify(issued.secret)).valid


def test_github_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(MissingExtraError, match="leaks"):
        GitHub()
