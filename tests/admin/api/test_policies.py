"""What is asked of keys, over REST."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.admin.api.site import ALL, Caller, Site


def ahead(days: float) -> str:
    """A moment so many days from now."""
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


async def test_policies_are_set_listed_previewed_and_taken_away(site: Site, boss: Caller) -> None:
    made = (await boss.call("PATCH", "/policies", {"longest_lifetime": 86400, "permissions": ["FILE_MOVE"]})).json()
    assert (made["project"], made["longest_lifetime"], made["permissions"], made["idle_days"]) == (
        None,
        86400,
        ["FILE_MOVE"],
        None,
    )
    of_acme = await boss.call("PATCH", "/policies", {"idle_days": 30}, params={"project": "acme"})
    assert of_acme.json()["idle_from"] is not None
    assert (await boss.call("PATCH", "/policies", {"permissions": None})).json()["permissions"] is None
    page = await boss.get("/policies", limit=1)
    assert [each["project"] for each in page["items"]] == [None]
    assert [each["project"] for each in (await boss.get("/policies", after=page["next"]))["items"]] == ["acme"]
    seen = await boss.post("/policies/preview", {})
    assert seen["misfits"] == {"longest_lifetime": {"count": 1, "ids": [boss.key_id], "next": None}}
    seen = await boss.post("/policies/preview", {"changes": {"environments": ["live"], "longest_lifetime": None}})
    assert [*seen["misfits"]] == ["environments"]
    await site.keys.policies.delete()
    for number in range(3):
        await site.keys.create(f"key {number}", project="acme")
    first = await boss.post(
        "/policies/preview", {"changes": {"longest_lifetime": 60}, "limit": 2}, params={"project": "acme"}
    )
    lifetimes = first["misfits"]["longest_lifetime"]
    assert (lifetimes["count"], len(lifetimes["ids"])) == (3, 2)
    rest = await boss.post(
        "/policies/preview",
        {"changes": {"longest_lifetime": 60}, "term": "longest_lifetime", "after": lifetimes["next"]},
        params={"project": "acme"},
    )
    assert len(rest["misfits"]["longest_lifetime"]["ids"]) == 1
    gone = await boss.call("DELETE", "/policies", params={"project": "acme"})
    assert gone.json() == {"deleted": True}
    assert (await boss.call("DELETE", "/policies", params={"project": "acme"})).json() == {"deleted": False}
    events = (await boss.get("/events", kind="policy"))["items"]
    assert [(each["project"], each["actor_id"]) for each in events][:2] == [("acme", boss.key_id), (None, None)]


async def test_a_refusal_names_policy_term_and_field(site: Site, boss: Caller) -> None:
    soon = datetime.now(UTC) + timedelta(days=1)
    key = (await site.keys.create("a key", project="acme", owner="ann", expires_at=soon)).key
    await site.keys.policies.set("acme", longest_lifetime=2 * 86400, longest_grace=60, most_active_keys=1)
    for method, path, body, term, field in (
        ("POST", "/keys", {"description": "x", "project": "acme"}, "longest_lifetime", "expires_at"),
        ("PATCH", f"/keys/{key.id}", {"expires_at": ahead(3)}, "longest_lifetime", "expires_at"),
        ("POST", f"/keys/{key.id}/rotate", {"grace": 61}, "longest_grace", "grace"),
        (
            "POST",
            "/keys",
            {"description": "x", "project": "acme", "owner": "ann", "expires_at": ahead(1)},
            "most_active_keys",
            "owner",
        ),
    ):
        refused = await boss.call(method, path, body)
        problem = refused.json()
        assert (refused.status_code, problem["code"], problem["term"], problem["field"], problem["policy"]) == (
            422,
            "policy_denied",
            term,
            field,
            "the policy of project 'acme'",
        ), problem
    many = await boss.post("/selected/update", {"selection": {"owner": "ann"}, "changes": {"expires_at": ahead(3)}})
    (result,) = many["results"]
    assert (result["id"], result["result"]) == (key.id, "denied")
    assert "the policy of project 'acme'" in result["detail"]


async def test_who_may_not_set_policies_is_refused_and_what_is_malformed_too(site: Site, boss: Caller) -> None:
    reader = await site.caller("ACCESS_READ", project="acme")
    manager = await site.caller(*ALL, project="acme")
    lacking = await site.caller("ACCESS_MANAGE", "FILE_MOVE")
    nobody = await site.caller("FILE_MOVE")
    for caller in (reader, manager, lacking, nobody):
        denied = (403, "permission_denied")
        assert await caller.refused("PATCH", "/policies", {"idle_days": 5}, params={"project": "acme"}) == denied
        assert await caller.refused("DELETE", "/policies", params={"project": "acme"}) == denied
    assert await nobody.refused("GET", "/policies") == (403, "permission_denied")
    assert await reader.refused("POST", "/policies/preview", {}, params={"project": "other"}) == (
        403,
        "permission_denied",
    )
    bodies: list[dict[str, Any]] = [
        {},
        {"idle_days": 0},
        {"idle_days": "5"},
        {"environments": []},
        {"environments": ["prod"]},
        {"longest_lifetime": 0.5},
        {"most_active_keys": 1.5},
        {"longest": 5},
        {"default_lifetime": 10, "longest_lifetime": 5},
    ]
    for body in bodies:
        assert await boss.refused("PATCH", "/policies", body) == (400, "bad_input"), body
    assert await boss.refused("PATCH", "/policies", {"permissions": ["FILE_MOV"]}) == (400, "unknown_permission")
    assert await boss.refused("POST", "/policies/preview", {"term": "idle"}) == (400, "bad_input")
    assert await boss.refused("POST", "/policies/preview", {"after": boss.key_id}) == (400, "bad_input")
    assert await boss.refused("POST", "/policies/preview", {"changes": {}}) == (400, "bad_input")
    assert await boss.refused("GET", "/policies", params={"after": "acme"}) == (400, "bad_input")
    assert (await boss.get("/policies"))["items"] == []
