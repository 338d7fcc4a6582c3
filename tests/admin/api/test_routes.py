"""What each route does, on each database."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gatepost import DAM, APIKeys
from gatepost.admin.api.shapes.reply import Reply
from tests.admin.api.site import ALL, JSON_TYPE, Caller, Site, refusal
from tests.freshness.test_propagation import cut_off

KEY_MEMBERS = {
    "id",
    "project",
    "description",
    "permissions",
    "roles",
    "own_permissions",
    "active",
    "created_at",
    "updated_at",
    "expires_at",
    "allow",
    "limits",
    "owner",
    "environment",
    "metadata",
    "resources",
    "role_resources",
    "hint",
    "old_secret",
    "last_used_at",
}


async def test_a_key_made_over_rest_is_let_in_until_it_is_deactivated_over_rest(site: Site, boss: Caller) -> None:
    made = await boss.call("POST", "/keys", {"description": "nightly", "permissions": ["FILE_UPLOAD"]})
    assert made.status_code == 201
    secret, key = made.json()["secret"], made.json()["key"]
    assert made.json().keys() == {"key", "secret"}
    assert key.keys() == KEY_MEMBERS
    assert made.headers["location"] == f"/api/keys/{key['id']}"
    assert (await site.http.get(made.headers["location"], headers={"X-API-Key": boss.secret})).json() == key
    assert await site.let_in(secret)

    done = await boss.post("/keys/deactivate", {"ids": [key["id"]]})
    assert done["results"] == [{"id": key["id"], "result": "changed"}]
    assert done["propagation"]["complete"]
    assert not await site.let_in(secret)
    again = await boss.post("/keys/deactivate", {"ids": [key["id"]]})
    assert (again["seq"], again["results"]) == (None, [{"id": key["id"], "result": "unchanged"}])

    await boss.post("/keys/activate?wait=everywhere", {"ids": [key["id"]]})
    assert await site.let_in(secret)
    gone = await boss.call("DELETE", f"/keys/{key['id']}")
    assert (gone.status_code, gone.json()["results"]) == (200, [{"id": key["id"], "result": "changed"}])
    assert not await site.let_in(secret)
    assert await boss.refused("DELETE", f"/keys/{key['id']}") == (404, "key_not_found")


async def test_all_that_can_be_said_of_a_key_is_stored_and_told(site: Site, boss: Caller) -> None:
    soon = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    wanted = {
        "description": " ключ 🔑 for “all” ",
        "permissions": ["OBJECTS_LIST", "FILE_UPLOAD"],
        "project": "acme",
        "expires_at": soon.isoformat(),
        "active": False,
        "allow": ["2001:db8::/32", "203.0.113.9"],
    }
    made = await boss.post("/keys", wanted, 201)
    key = made["key"]
    assert key["description"] == "ключ 🔑 for “all”"
    assert key["permissions"] == ["FILE_UPLOAD", "OBJECTS_LIST"]
    assert (key["project"], key["active"]) == ("acme", False)
    assert datetime.fromisoformat(key["expires_at"]) == soon
    assert key["allow"] == ["203.0.113.9/32", "2001:db8::/32"]
    assert await boss.get(f"/keys/{key['id']}") == key
    assert not await site.let_in(made["secret"])
    assert key["hint"].startswith("gp_")
    assert key["hint"] not in made["secret"]


async def test_keys_are_listed_by_filter_and_order_page_by_page(boss: Caller) -> None:
    for number in range(5):
        await boss.post(
            "/keys",
            {
                "description": f"import {number}",
                "project": "acme" if number % 2 else "zeta",
                "permissions": ["FILE_UPLOAD"] if number < 3 else [],
                "active": number != 4,
            },
            201,
        )

    async def found(**query: Any) -> list[str]:
        return [key["description"] for key in (await boss.get("/keys", **query))["items"]]

    assert await found() == ["import 4", "import 3", "import 2", "import 1", "import 0", "a caller"]
    assert await found(sort="description", search="imp") == [f"import {number}" for number in range(5)]
    assert await found(project="acme") == ["import 3", "import 1"]
    assert await found(active="false") == ["import 4"]
    assert await found(permission="FILE_UPLOAD", sort="created", active=True) == [
        "a caller",
        "import 0",
        "import 1",
        "import 2",
    ]
    first = await boss.get("/keys", limit=4, sort="created")
    second = await boss.get("/keys", limit=4, sort="created", after=first["next"])
    assert [len(page["items"]) for page in (first, second)] == [4, 2]
    assert second["next"] is None
    assert len({key["id"] for page in (first, second) for key in page["items"]}) == 6


async def test_keys_are_listed_and_counted_by_state_and_expiry_there_and_back(boss: Caller) -> None:
    soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    for description, more in (
        ("soon", {"expires_at": soon, "project": "acme"}),
        ("late", {"expires_at": "2999-01-01T00:00:00Z", "permissions": ["FILE_UPLOAD"]}),
        ("never", {"project": "zeta", "permissions": ["FILE_UPLOAD"]}),
        ("off", {"active": False, "project": "acme"}),
    ):
        await boss.post("/keys", {"description": description, **more}, 201)

    async def found(**query: Any) -> list[str]:
        names = [key["description"] for key in (await boss.get("/keys", **query))["items"]]
        order_or_page = {"sort", "limit"}
        counted = await boss.get("/keys/count", **{name: query[name] for name in query.keys() - order_or_page})
        assert counted == {"number": len(names), "exact": True}
        return names

    assert await found(sort="expires", search="soon") == ["soon"]
    assert (await found(sort="expires"))[:2] == ["soon", "late"]
    assert (await found(sort="-expires"))[-2:] == ["late", "soon"]
    assert await found(state="expiring") == ["soon"]
    assert await found(state="expiring", expires_within=3600) == []
    assert await found(state="active") == ["never", "late", "soon", "a caller"]
    assert await found(state="expired") == []
    assert await found(state="deactivated") == ["off"]
    assert await found(expires_before="2030-01-01T00:00:00Z") == ["soon"]
    for wrong in ("0.5", "1700000000", "-1e9", "2030-01-01", "soon"):
        refused = await boss.call("GET", f"/keys?expires_before={wrong}")
        assert (refused.status_code, refused.json()["field"]) == (400, "expires_before"), wrong
    assert await found(never_expires="true", state="active") == ["never", "a caller"]
    assert await found(company_wide="true") == ["late", "a caller"]
    assert await found(no_permissions="true") == ["off", "soon"]
    hint = (await boss.get("/keys", search="late"))["items"][0]["hint"]
    assert await found(search=hint) == ["late"]
    assert await found(search=hint[-4:]) == ["late"]
    first = await boss.get("/keys", limit=2)
    second = await boss.get("/keys", limit=2, after=first["next"])
    assert first["previous"] is None
    assert await boss.get("/keys", limit=2, before=second["previous"]) == first
    assert await boss.get("/projects") == {"items": ["acme", "zeta"], "next": None}
    assert await boss.get("/projects", limit=1) == {"items": ["acme"], "next": "acme"}
    assert await boss.get("/projects", after="acme") == {"items": ["zeta"], "next": None}


async def test_the_older_secret_is_told_and_ended(site: Site, boss: Caller) -> None:
    made = await boss.post("/keys", {"description": "rotated"}, 201)
    key_id = made["key"]["id"]
    assert made["key"]["old_secret"] is None
    rotated = await boss.post(f"/keys/{key_id}/rotate", {"grace": 3600})
    old = rotated["key"]["old_secret"]
    assert old["hint"] == made["key"]["hint"]
    assert datetime.fromisoformat(old["expires_at"]) > datetime.now(UTC) + timedelta(minutes=59)
    assert (await boss.get(f"/keys/{key_id}"))["old_secret"] == old
    assert (await boss.get("/keys", search="rotated"))["items"][0]["old_secret"] == old
    assert await site.let_in(made["secret"])
    ended = await boss.post("/keys/end-grace", {"ids": [key_id, boss.key_id, "x"]})
    assert [each["result"] for each in ended["results"]] == ["changed", "unchanged", "unknown"]
    assert ended["propagation"]["complete"]
    assert not await site.let_in(made["secret"])
    assert await site.let_in(rotated["secret"])
    assert (await boss.get(f"/keys/{key_id}"))["old_secret"] is None
    assert (await boss.get(f"/keys/{key_id}/events"))["items"][0]["kind"] == "grace_ended"
    too_long = await boss.call("POST", f"/keys/{key_id}/rotate", {"grace": 31 * 86400})
    assert (too_long.status_code, too_long.json()["field"]) == (400, "grace")
    assert "max_grace" in too_long.json()["detail"]
    document = await boss.get("/openapi.json")
    assert document["components"]["schemas"]["Rotation"]["properties"]["grace"]["maximum"] == 30 * 86400


async def test_an_edit_changes_what_it_names_and_nothing_else(boss: Caller) -> None:
    made = (await boss.post("/keys", {"description": "one", "permissions": ["OBJECTS_LIST"]}, 201))["key"]
    soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    edited = await boss.call("PATCH", f"/keys/{made['id']}", {"expires_at": soon})
    assert edited.status_code == 200
    assert edited.json().keys() == KEY_MEMBERS | {"propagation"}
    assert edited.json()["description"] == "one"
    assert datetime.fromisoformat(edited.json()["expires_at"]) == datetime.fromisoformat(soon)
    read = await boss.call("GET", f"/keys/{made['id']}")
    assert read.headers["etag"] == edited.headers["etag"]
    edited = await boss.call("PATCH", f"/keys/{made['id']}", {"expires_at": None, "description": "two"})
    assert (edited.json()["expires_at"], edited.json()["description"]) == (None, "two")
    assert edited.json()["permissions"] == ["OBJECTS_LIST"]


async def test_where_a_key_may_be_used_from_is_edited_and_told_with_old_and_new(boss: Caller) -> None:
    made = await boss.call("POST", "/keys", {"description": "bound"})
    path, before = f"/keys/{made.json()['key']['id']}", made.headers["etag"]
    for allow in (["10.0.0.0/8"], [], None):
        edited = await boss.call("PATCH", path, {"allow": allow}, headers={"If-Match": before})
        assert (edited.status_code, edited.json()["allow"]) == (200, allow)
        assert (await boss.get(path))["allow"] == allow
        assert (await boss.call("PATCH", path, {"allow": []}, headers={"If-Match": before})).status_code == 412
        before = edited.headers["etag"]
    events = (await boss.get(f"{path}/events"))["items"]
    assert [event["detail"]["allow"] for event in events[:3]] == [
        {"old": [], "new": None},
        {"old": ["10.0.0.0/8"], "new": []},
        {"old": None, "new": ["10.0.0.0/8"]},
    ]


async def test_rotation_gives_a_new_secret_and_grace_to_the_one_before(site: Site, boss: Caller) -> None:
    made = await boss.post("/keys", {"description": "rotated"}, 201)
    path = f"/keys/{made['key']['id']}/rotate"
    graced = await boss.post(path, {"grace": 60})
    assert graced.keys() == {"key", "secret", "propagation"}
    assert await site.let_in(made["secret"])
    assert await site.let_in(graced["secret"])
    at_once = await boss.post(path, {"grace": 0})
    assert not await site.let_in(made["secret"])
    assert not await site.let_in(graced["secret"])
    assert await site.let_in(at_once["secret"])


async def test_two_editors_of_one_key_lose_nothing(boss: Caller) -> None:
    made = await boss.call("POST", "/keys", {"description": "shared"})
    path = f"/keys/{made.json()['key']['id']}"
    tag = {"If-Match": made.headers["etag"]}
    first, second = await asyncio.gather(
        *(boss.call("PATCH", path, {"description": text}, headers=tag) for text in ("one's", "other's"))
    )
    assert sorted([first.status_code, second.status_code]) == [200, 412]
    lost, won = (first, second) if first.status_code == 412 else (second, first)
    assert refusal(lost) == (412, "stale_key")
    assert (await boss.get(path))["description"] == won.json()["description"]
    for method, suffix, body in (("DELETE", "", None), ("POST", "/rotate", {"grace": 0})):
        assert await boss.refused(method, path + suffix, body, headers=tag) == (412, "stale_key")
    for value in (won.headers["etag"], "*"):
        edited = await boss.call("PATCH", path, {"description": "more"}, headers={"If-Match": value})
        assert edited.status_code == 200
    weak = {"If-Match": f"W/{edited.headers['etag']}"}
    assert await boss.refused("PATCH", path, {"description": "weak"}, headers=weak) == (412, "stale_key")
    assert (await boss.call("DELETE", path, headers={"If-Match": edited.headers["etag"]})).status_code == 200
    assert await boss.refused("DELETE", path, headers={"If-Match": "*"}) == (404, "key_not_found")


async def test_a_key_that_the_caller_knows_is_not_told_again(boss: Caller) -> None:
    made = await boss.call("POST", "/keys", {"description": "known"})
    path = f"/keys/{made.json()['key']['id']}"
    tag = made.headers["etag"]
    for value in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        known = await boss.call("GET", path, headers={"If-None-Match": value})
        assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", tag)
    malformed = ("", "no quotes", f"{tag} {tag}", f"x{tag}", f"*, {tag}", f"{tag},", "**")
    for value in ('"other", W/"more"', *malformed):
        assert (await boss.call("GET", path, headers={"If-None-Match": value})).status_code == 200, value
    await boss.call("PATCH", path, {"description": "new"})
    assert (await boss.call("GET", path, headers={"If-None-Match": tag})).status_code == 200


async def test_a_repeated_create_makes_one_key(site: Site, boss: Caller) -> None:
    same = {"headers": {"Idempotency-Key": "6c84fb90-12c4-11e1-840d-7b25c5ee775a"}}
    body = {"description": "once", "permissions": ["FILE_UPLOAD"]}
    answers = await asyncio.gather(*(boss.post("/keys", body, 201, **same) for _ in range(3)))
    assert answers[0] == answers[1] == answers[2]
    assert await site.let_in(answers[0]["secret"])
    kinds = [event["kind"] for event in (await boss.get(f"/keys/{answers[0]['key']['id']}/events"))["items"]]
    assert kinds == ["created"]
    other = {"description": "another"}
    assert await boss.refused("POST", "/keys", other, **same) == (409, "idempotency_conflict")
    assert len((await boss.get("/keys", search="once"))["items"]) == 1


async def test_a_bulk_change_answers_for_each_id_in_the_order_given(boss: Caller) -> None:
    on, off = [
        (await boss.post("/keys", {"description": "bulk", "active": active}, 201))["key"]["id"]
        for active in (True, False)
    ]
    ids = ["000000000000", off, boss.key_id, on, off]
    done = await boss.post("/keys/deactivate", {"ids": ids})
    assert [result["id"] for result in done["results"]] == ids
    results = [result["result"] for result in done["results"]]
    assert results == ["unknown", "unchanged", "denied", "changed", "unchanged"]
    assert "force" in done["results"][2]["detail"]
    assert isinstance(done["seq"], int)


async def test_the_audit_log_tells_who_did_what_from_where_and_never_a_secret(boss: Caller) -> None:
    made = await boss.post("/keys", {"description": "old", "permissions": ["OBJECTS_LIST"]}, 201)
    path = f"/keys/{made['key']['id']}"
    await boss.call("PATCH", path, {"description": "new", "permissions": ["FILE_UPLOAD"]})
    rotated = await boss.post(f"{path}/rotate", {"grace": 0})
    revealed = await boss.post(f"{path}/reveal")
    assert revealed == {"secret": rotated["secret"]}
    await boss.post("/keys/deactivate", {"ids": [made["key"]["id"]]})
    await boss.call("DELETE", path)

    log = await boss.get(f"{path}/events")
    events = log["items"]
    kinds = [event["kind"] for event in events]
    assert kinds == ["deleted", "deactivated", "revealed", "rotated", "updated", "created"]
    assert {(event["actor"], event["address"]) for event in events} == {(f"key {boss.key_id}", "127.0.0.1")}
    assert [event["seq"] for event in events] == sorted((event["seq"] for event in events), reverse=True)
    assert events[4]["detail"]["description"] == {"old": "old", "new": "new"}
    assert events[4]["detail"]["permissions"] == {"old": ["OBJECTS_LIST"], "new": ["FILE_UPLOAD"]}
    text = (await boss.call("GET", "/events")).text
    for secret in (made["secret"], rotated["secret"], boss.secret):
        assert secret not in text
        assert secret.split("_")[2] not in text

    first = await boss.get("/events", limit=4)
    second = await boss.get("/events", limit=4, after=first["next"])
    assert [event["kind"] for event in first["items"]] == kinds[:4]
    assert [event["kind"] for event in second["items"]][:2] == kinds[4:]


async def test_what_a_leaked_key_did_and_made_is_asked_for_and_switched_off(site: Site, boss: Caller) -> None:
    leaked = await site.caller(*ALL, project="acme")
    made = await leaked.post("/keys", {"description": "theirs", "permissions": ["FILE_UPLOAD"]}, 201)
    other = await boss.post("/keys", {"description": "ours", "project": "acme"}, 201)
    await leaked.post(f"/keys/{other['key']['id']}/rotate", {"grace": 0})
    found = await boss.get(f"/keys/{leaked.key_id}/made")
    assert [key["id"] for key in found["items"]] == [made["key"]["id"]]
    told = (await boss.get("/events", by_kind="key", by_id=leaked.key_id))["items"]
    assert [(event["kind"], event["actor_kind"], event["actor_id"]) for event in told] == [
        ("rotated", "key", leaked.key_id),
        ("created", "key", leaked.key_id),
    ]
    moment = told[0]["at"]
    assert (await boss.get("/events", by_id=leaked.key_id, kind="created"))["items"] == told[1:]
    assert (await boss.get("/events", by_id=leaked.key_id, since=moment))["items"] == told[:1]
    assert (await boss.get("/events", by_id=leaked.key_id, until=moment, project="acme"))["items"] == told[1:]
    assert (await boss.get(f"/keys/{other['key']['id']}/events", by_id=leaked.key_id))["items"] == told[:1]
    done = await boss.post("/keys/deactivate", {"ids": [leaked.key_id, *(key["id"] for key in found["items"])]})
    assert [result["result"] for result in done["results"]] == ["changed", "changed"]
    assert not await site.let_in(made["secret"])


async def test_the_catalogue_and_ones_own_key_need_no_permission(site: Site) -> None:
    nobody = await site.caller(project="acme")
    catalogue = (await nobody.get("/permissions"))["items"]
    assert catalogue == [{"name": str(name), "sentence": name.sentence} for name in DAM]
    own = await nobody.call("GET", "/whoami")
    assert own.json() | {"id": nobody.key_id, "project": "acme", "permissions": []} == own.json()
    assert (await nobody.call("GET", "/whoami", headers={"If-None-Match": own.headers["etag"]})).status_code == 304


async def test_head_answers_as_get_does_without_the_body(small_boss: Caller) -> None:
    for path in ("/keys", f"/keys/{small_boss.key_id}", "/events", "/permissions", "/whoami", "/openapi.json"):
        got, head = [await small_boss.call(method, path) for method in ("GET", "HEAD")]
        assert (head.status_code, head.content) == (200, b"")
        same = ("content-type", "content-length", "etag")
        assert [head.headers.get(name) for name in same] == [got.headers.get(name) for name in same]
    assert (await small_boss.call("HEAD", "/keys/000000000000")).status_code == 404


async def test_a_head_has_no_body_whatever_the_server_makes_of_it() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    await Reply({"items": []})({"type": "http", "method": "HEAD"}, receive, send)
    assert (b"content-length", b"12") in sent[0]["headers"]
    assert b"".join(message.get("body", b"") for message in sent[1:]) == b""


async def test_without_a_vault_no_secret_is_told_again(small_boss: Caller) -> None:
    path = f"/keys/{small_boss.key_id}/reveal"
    assert await small_boss.refused("POST", path) == (409, "secret_not_stored")


async def test_a_change_that_not_every_worker_acts_on_yet_is_202(
    small_site: Site, small_boss: Caller, ready_sqlite_url: str
) -> None:
    ids = [(await small_boss.post("/keys", {"description": "x"}, 201))["key"]["id"] for _ in range(4)]
    async with APIKeys(ready_sqlite_url, max_staleness=60.0) as other:
        await other.serve()
        dead = await cut_off(other)
        calls = [
            ("POST", "/keys/deactivate", {"ids": ids[:1]}),
            ("DELETE", f"/keys/{ids[1]}", None),
            ("POST", f"/keys/{ids[2]}/rotate", {"grace": 0}),
            ("PATCH", f"/keys/{ids[3]}", {"expires_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()}),
        ]
        for method, path, body in calls:
            answer = await small_boss.call(method, path, body, params={"timeout": 0.1})
            assert answer.status_code == 202, answer.text
            spread = answer.json()["propagation"]
            assert not spread["complete"]
            assert [worker["id"] for worker in spread["waiting"]] == [dead]
            assert datetime.fromisoformat(spread["holds_from"]) > datetime.now(UTC)
        answer = await small_boss.call("POST", "/keys/activate", {"ids": ids[:1]}, params={"wait": "commit"})
        assert (answer.status_code, answer.json()["propagation"]["complete"]) == (200, False)
    rotated = await small_boss.call("GET", f"/keys/{ids[2]}")
    assert rotated.status_code == 200


@pytest.mark.parametrize("path", ["/keys", "/keys/deactivate", "/keys/activate"])
async def test_the_body_may_come_without_its_length(small_boss: Caller, path: str) -> None:
    async def chunks() -> Any:
        for byte in b'{"description": "in parts"}' if path == "/keys" else b'{"ids": ["000000000000"]}':
            yield bytes([byte])

    answer = await small_boss.call("POST", path, content=chunks(), headers=JSON_TYPE)
    assert answer.status_code in {200, 201}
