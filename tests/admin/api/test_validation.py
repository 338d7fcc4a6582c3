"""What is asked in a wrong way is refused, by name, and changes nothing."""

import asyncio
import logging
from typing import Any

import orjson
import pytest

from gatepost import APIKeys
from gatepost.admin.api.app import BODY_MAX_BYTES
from tests.admin.api.site import JSON_TYPE, Caller, Site, refusal

A_KEY = {"description": "fine"}
NEVER = "000000000000"

FAULTS: list[tuple[str, str, Any, str, str]] = [
    ("POST", "/keys", {}, "bad_input", "description"),
    ("POST", "/keys", {"description": 5}, "bad_input", "description"),
    ("POST", "/keys", {"description": None}, "bad_input", "description"),
    ("POST", "/keys", {"description": ""}, "bad_input", "description"),
    ("POST", "/keys", {"description": "  "}, "bad_input", "description"),
    ("POST", "/keys", {"description": "x" * 201}, "bad_input", "description"),
    ("POST", "/keys", {"description": "a\0b"}, "bad_input", "description"),
    ("POST", "/keys", {"description": "a\nb"}, "bad_input", "description"),
    ("POST", "/keys", {"description": "right\u202eleft"}, "bad_input", "description"),
    ("POST", "/keys", {**A_KEY, "permissions": "FILE_UPLOAD"}, "bad_input", "permissions"),
    ("POST", "/keys", {**A_KEY, "permissions": ["FILE_UPLOAD", 5]}, "bad_input", "permissions[1]"),
    ("POST", "/keys", {**A_KEY, "permissions": ["FILE_UPLAOD"]}, "unknown_permission", "permissions"),
    ("POST", "/keys", {**A_KEY, "project": 5}, "bad_input", "project"),
    ("POST", "/keys", {**A_KEY, "project": ""}, "bad_input", "project"),
    ("POST", "/keys", {**A_KEY, "project": "x" * 101}, "bad_input", "project"),
    ("POST", "/keys", {**A_KEY, "active": "true"}, "bad_input", "active"),
    ("POST", "/keys", {**A_KEY, "active": 1}, "bad_input", "active"),
    ("POST", "/keys", {**A_KEY, "expires_at": "tomorrow"}, "bad_input", "expires_at"),
    ("POST", "/keys", {**A_KEY, "expires_at": "2999-01-01T00:00:00"}, "bad_input", "expires_at"),
    ("POST", "/keys", {**A_KEY, "expires_at": "2001-01-01T00:00:00Z"}, "bad_input", "expires_at"),
    ("POST", "/keys", {**A_KEY, "expires_at": "9999-12-31T23:59:59-23:59"}, "bad_input", "expires_at"),
    ("POST", "/keys", {**A_KEY, "expires_at": "0001-01-01T00:00:00+23:59"}, "bad_input", "expires_at"),
    ("POST", "/keys", {**A_KEY, "expires_at": 33000000000}, "bad_input", "expires_at"),
    ("POST", "/keys", {**A_KEY, "allow": "10.0.0.0/8"}, "bad_input", "allow"),
    ("POST", "/keys", {**A_KEY, "allow": ["10.0.0.0/8", 5]}, "bad_input", "allow[1]"),
    ("POST", "/keys", {**A_KEY, "allow": ["10.0.0.1/8"]}, "bad_input", "allow"),
    ("POST", "/keys", {**A_KEY, "allow": ["fe80::1%1"]}, "bad_input", "allow"),
    ("POST", "/keys", {**A_KEY, "allow": ["10.0.0.0/8"] * 101}, "bad_input", "allow"),
    ("PATCH", "/keys/{own}", {"allow": ["10.0.0"]}, "bad_input", "allow"),
    ("POST", "/keys", {**A_KEY, "resources": "dir:/a"}, "bad_input", "resources"),
    ("POST", "/keys", {**A_KEY, "resources": ["dir:/a", 5]}, "bad_input", "resources[1]"),
    ("POST", "/keys", {**A_KEY, "resources": ["dir:/*/a"]}, "bad_input", "resources"),
    ("POST", "/keys", {**A_KEY, "resources": ["dir:/a"] * 51}, "bad_input", "resources"),
    ("POST", "/keys", {**A_KEY, "resources": ["dir:/" + "a" * 200]}, "bad_input", "resources[0]"),
    ("PATCH", "/keys/{own}", {"resources": ["spring"]}, "bad_input", "resources"),
    ("POST", "/keys", {**A_KEY, "limits": {"type": "slots", "units": 1}}, "bad_input", "limits"),
    ("POST", "/keys", {**A_KEY, "limits": ["60/min"]}, "bad_input", "limits[0]"),
    ("POST", "/keys", {**A_KEY, "limits": [{"units": 1}]}, "bad_input", "limits[0]"),
    ("POST", "/keys", {**A_KEY, "limits": [{"type": "bucket", "units": 1}]}, "bad_input", "limits[0].type"),
    ("POST", "/keys", {**A_KEY, "limits": [{"type": "slots", "units": 0}]}, "bad_input", "limits[0].units"),
    ("POST", "/keys", {**A_KEY, "limits": [{"type": "rate", "units": 1, "per": 0}]}, "bad_input", "limits[0].per"),
    ("POST", "/keys", {**A_KEY, "limits": [{"type": "slots", "units": 1, "per": 1}]}, "bad_input", "limits[0]"),
    ("POST", "/keys", {**A_KEY, "limits": [{"type": "rate", "units": 1, "per": 1, "burst": 2}]}, "bad_input", "limits"),
    ("POST", "/keys", {**A_KEY, "limits": [{"type": "slots", "units": 1}] * 2}, "bad_input", "limits"),
    ("PATCH", "/keys/{own}", {"limits": [{"type": "quota", "units": 1, "per": "year"}]}, "bad_input", "limits[0].per"),
    ("POST", "/keys", {**A_KEY, "secret": "mine"}, "bad_input", "secret"),
    ("POST", "/keys", {**A_KEY, "id": NEVER}, "bad_input", "id"),
    ("POST", "/keys", {**A_KEY, "a` - at `$.b": 1}, "bad_input", "a` - at `$.b"),
    ("PATCH", "/keys/{own}", {"active": False}, "bad_input", "active"),
    ("PATCH", "/keys/{own}", {"project": "zeta"}, "bad_input", "project"),
    ("PATCH", "/keys/{own}", {"description": None}, "bad_input", "description"),
    ("POST", "/keys/{own}/rotate", {}, "bad_input", "grace"),
    ("POST", "/keys/{own}/rotate", {"grace": "5"}, "bad_input", "grace"),
    ("POST", "/keys/{own}/rotate", {"grace": -1}, "bad_input", "grace"),
    ("POST", "/keys/{own}/rotate", {"grace": 1e300}, "bad_input", "grace"),
    ("POST", "/keys/deactivate", {"ids": []}, "bad_input", "ids"),
    ("POST", "/keys/deactivate", {"ids": NEVER}, "bad_input", "ids"),
    ("POST", "/keys/deactivate", {"ids": [NEVER, NEVER, NEVER, "x" * 101]}, "bad_input", "ids[3]"),
    ("POST", "/keys/activate", {"ids": [NEVER] * 10_001}, "bad_input", "ids"),
    ("GET", "/keys?limit=0", None, "bad_input", "limit"),
    ("GET", "/keys?limit=501", None, "bad_input", "limit"),
    ("GET", "/keys?limit=ten", None, "bad_input", "limit"),
    ("GET", "/keys?limit=5&limit=6", None, "bad_input", "limit"),
    ("GET", "/keys?active=perhaps", None, "bad_input", "active"),
    ("GET", "/keys?sort=colour", None, "bad_input", "sort"),
    ("GET", "/keys?after=nowhere", None, "bad_input", "after"),
    ("GET", "/keys?after=%00", None, "bad_input", "after"),
    ("GET", "/keys?search=%00", None, "bad_input", "search"),
    ("GET", "/keys?project=", None, "bad_input", "project"),
    ("GET", "/keys?colour=red", None, "bad_input", "colour"),
    ("GET", "/keys?colour", None, "bad_input", "colour"),
    ("GET", "/events?after=%C3%A9", None, "bad_input", "after"),
    ("GET", "/events?limit=1e9", None, "bad_input", "limit"),
    ("GET", "/events?kind=made", None, "bad_input", "kind"),
    ("GET", "/events?by_kind=user", None, "bad_input", "by_kind"),
    ("GET", "/events?by_id=", None, "bad_input", "by_id"),
    ("GET", "/events?since=2026-01-01T00:00:00", None, "bad_input", "since"),
    ("GET", "/events?since=0.5", None, "bad_input", "since"),
    ("GET", "/events?since=2026-02-30T00:00:00Z", None, "bad_input", "since"),
    ("GET", "/events?until=0001-01-01T00:00:00Z", None, "bad_input", "until"),
    ("GET", "/whoami?x=1", None, "bad_input", "x"),
    ("DELETE", "/keys/{own}?wait=never", None, "bad_input", "wait"),
    ("DELETE", "/keys/{own}?timeout=301", None, "bad_input", "timeout"),
    ("DELETE", "/keys/{own}?timeout=nan", None, "bad_input", "timeout"),
    ("DELETE", "/keys/{own}?timeout=-1", None, "bad_input", "timeout"),
    ("POST", "/keys/activate?force=true", {"ids": [NEVER]}, "bad_input", "force"),
]


@pytest.fixture
async def before(small_site: Site, small_boss: Caller) -> int:
    """The number of the last change."""
    return (await small_site.keys.events(limit=1)).items[0].seq


async def test_a_fault_is_named_and_changes_nothing(small_site: Site, small_boss: Caller, before: int) -> None:
    for method, path, body, code, field in FAULTS:
        response = await small_boss.call(method, path.format(own=small_boss.key_id), body)
        assert refusal(response) == (400, code), (path, body, response.text)
        assert response.json()["field"] == field, (path, body, response.text)
    assert (await small_site.keys.events(limit=1)).items[0].seq == before


NO_OBJECTS = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"\xff\xfe",
    b'{"description": "\xff"}',
    b'{"description": "\\ud800"}',
    b'{"description": NaN}',
    b'{"description": "x"} {}',
    b'\xef\xbb\xbf{"description": "x"}',
    '{"description": "x"}'.encode("utf-16"),
    b"[" * 500_000,
    b'{"description": ' + b"[" * 500_000,
    b'{"x": ' + b'{"x": ' * 100_000,
    b'{"description": 1' + b"0" * 100_000 + b"}",
]


async def test_a_body_that_is_no_json_object_is_refused(small_site: Site, small_boss: Caller, before: int) -> None:
    for body in NO_OBJECTS:
        response = await small_boss.call("POST", "/keys", content=body, headers=JSON_TYPE)
        assert refusal(response) == (400, "bad_input"), body[:20]
    assert (await small_site.keys.events(limit=1)).items[0].seq == before


async def test_an_edit_of_nothing_is_refused(small_boss: Caller) -> None:
    response = await small_boss.call("PATCH", f"/keys/{small_boss.key_id}", {})
    assert refusal(response) == (400, "bad_input")
    assert "permissions, roles, resources, expires_at, allow, limits, owner or metadata" in response.json()["detail"]


async def test_only_json_is_read(small_boss: Caller) -> None:
    async def post(headers: dict[str, str]) -> Any:
        return await small_boss.call("POST", "/keys", content=b'{"description": "x"}', headers=headers)

    assert refusal(await post({})) == (415, "unsupported_media_type")
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""):
        assert refusal(await post({"Content-Type": media_type})) == (415, "unsupported_media_type")
    assert (await post({"Content-Type": 'Application/JSON; charset="utf-8"'})).status_code == 201


async def test_a_body_over_the_limit_is_refused_with_and_without_its_length(
    small_site: Site, small_boss: Caller, before: int
) -> None:
    fits = orjson.dumps(A_KEY).ljust(BODY_MAX_BYTES)
    assert (await small_boss.call("POST", "/keys", content=fits, headers=JSON_TYPE)).status_code == 201

    async def chunks() -> Any:
        for _ in range(BODY_MAX_BYTES // 1024 + 1):
            yield b" " * 1024

    for content in (fits + b" ", chunks()):
        response = await small_boss.call("POST", "/keys", content=content, headers=JSON_TYPE)
        assert refusal(response) == (413, "body_too_large")
        assert str(BODY_MAX_BYTES) in response.json()["detail"]
    assert (await small_site.keys.events(limit=1)).items[0].seq == before + 1


async def test_a_caller_who_goes_away_while_sending_is_no_error_of_the_servers(
    small_site: Site, small_boss: Caller, before: int, caplog: pytest.LogCaptureFixture
) -> None:
    url = small_site.http.base_url
    _, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"POST /api/keys HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n")
    writer.write(f'X-API-Key: {small_boss.secret}\r\n\r\n{{"description": "ha'.encode())
    await writer.drain()
    await asyncio.sleep(0.2)
    writer.close()
    await asyncio.sleep(0.2)
    assert (await small_site.keys.events(limit=1)).items[0].seq == before
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_ten_thousand_ids_are_one_call(small_boss: Caller) -> None:
    done = await small_boss.post("/keys/deactivate", {"ids": [f"{number:012}" for number in range(10_000)]})
    assert {result["result"] for result in done["results"]} == {"unknown"}
    assert done["results"][-1]["id"] == "000000009999"


FAULTY_HEADERS = [
    ("POST", "/keys", "Idempotency-Key", "short"),
    ("POST", "/keys", "Idempotency-Key", "x" * 201),
    ("POST", "/keys", "Idempotency-Key", "ключ" * 10),
    ("PATCH", "/keys/{own}", "If-Match", "no quotes"),
    ("PATCH", "/keys/{own}", "If-Match", '"one", "two"'),
    ("DELETE", "/keys/{own}", "If-Match", ""),
]


async def test_a_faulty_header_is_named(small_boss: Caller) -> None:
    for method, path, name, value in FAULTY_HEADERS:
        response = await small_boss.http.request(
            method,
            small_boss.base + path.format(own=small_boss.key_id),
            json=A_KEY if method in {"POST", "PATCH"} else None,
            headers={b"X-API-Key": small_boss.secret.encode(), name.encode(): value.encode()},
        )
        assert refusal(response) == (400, "bad_input"), value
        assert response.json()["field"] == name


async def test_a_header_that_stands_twice_is_an_error(small_boss: Caller) -> None:
    headers = [("X-API-Key", small_boss.secret), ("If-Match", '"a"'), ("If-Match", '"b"')]
    response = await small_boss.http.delete(f"{small_boss.base}/keys/{NEVER}", headers=headers)
    assert (refusal(response), response.json()["field"]) == ((400, "bad_input"), "If-Match")


async def raw_status(site: Site, target: bytes, secret: str) -> int:
    """Status of a GET whose target is sent exactly as it is."""
    url = site.http.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n")
    writer.write(f"X-API-Key: {secret}\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 120)
    writer.close()
    return int(answer.split(b" ", 2)[1])


ODD_TARGETS = [
    b"/api/keys/%zz",
    b"/api/keys/%",
    b"/api/keys/%ff",
    b"/api/keys/%00",
    b"/api/keys/%ed%a0%80",
    b"/api/keys/..%2f..%2fetc",
    b"/api/keys/000000000000%0a",
    b"/api/keys/" + b"a" * 5000,
    b"/api/keys/",
    b"/api//keys",
    b"/api/keys/000000000000/nope",
    b"/api/keys?search=%ff",
    b"/api/keys?search=%ed%a0%80",
    b"/api/keys?%ff=1",
    b"/api/keys?sort=%zz",
    b"/api/keys?;",
    b"/api/keys?=",
    b"/api/keys?limit=" + b"9" * 5000,
]


async def test_odd_paths_and_queries_are_the_callers_fault(small_site: Site, small_boss: Caller) -> None:
    for target in ODD_TARGETS:
        assert 400 <= await raw_status(small_site, target, small_boss.secret) < 500, target[:50]


async def test_methods_that_a_path_has_not_are_405_with_those_that_it_has(small_boss: Caller) -> None:
    allowed = {
        "/keys": "GET, HEAD, POST",
        "/keys/activate": "POST",
        f"/keys/{NEVER}": "DELETE, GET, HEAD, PATCH",
        f"/keys/{NEVER}/rotate": "POST",
        "/events": "GET, HEAD",
        "/openapi.json": "GET, HEAD",
    }
    for path, allow in allowed.items():
        for method in {"GET", "PUT", "OPTIONS", "TRACE", "PROPFIND", "DELETE", "PATCH", "POST"} - set(
            allow.split(", ")
        ):
            response = await small_boss.call(method, path)
            assert refusal(response) == (405, "method_not_allowed")
            assert response.headers["allow"] == allow
    assert await small_boss.refused("GET", "/nowhere") == (404, "not_found")


async def test_what_nobody_expected_is_500_without_its_details_and_is_logged_once(
    small_boss: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("an inner detail")

    monkeypatch.setattr(APIKeys, "list", broken)
    with caplog.at_level(logging.ERROR):
        response = await small_boss.call("GET", "/keys")
    assert refusal(response) == (500, "failed")
    assert "detail" not in response.text.replace('"detail"', "")
    assert [record.exc_info is not None for record in caplog.records] == [True]


async def test_a_body_that_comes_too_slowly_is_refused_and_its_connection_closed(
    small_site: Site, small_boss: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatepost.intake.body.BODY_SECONDS", 0.2)
    server = small_site.http.base_url
    reader, writer = await asyncio.open_connection(server.host, server.port)
    head = f"X-API-Key: {small_boss.secret}\r\nContent-Type: application/json\r\nContent-Length: 1000"
    writer.write(f"POST {small_boss.base}/keys HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n{{".encode())
    answer = (await reader.read()).decode()
    writer.close()
    assert answer.startswith("HTTP/1.1 408 ")
    assert '"code":"body_too_slow"' in answer
