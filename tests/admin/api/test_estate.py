"""Owners, metadata, environments and selections over REST."""

import json

from tests.admin.api.site import JSON_TYPE, Caller, Site, refusal

NOTED = {"plan": "pro", "seats": 3}


async def test_owner_environment_and_metadata_are_set_told_and_edited(site: Site, boss: Caller) -> None:
    told = {"owner": "ann", "environment": "test", "metadata": NOTED}
    made = await boss.post("/keys", {"description": "x", **told}, 201)
    assert {name: made["key"][name] for name in told} == told
    assert made["secret"].startswith("gp_test_")
    path = f"/keys/{made['key']['id']}"
    assert await boss.get(path) == made["key"]
    edited = await boss.call("PATCH", path, {"owner": "bob", "metadata": {}})
    assert edited.status_code == 200
    assert (edited.json()["owner"], edited.json()["metadata"]) == ("bob", {})
    assert (await boss.call("PATCH", path, {"owner": None})).json()["owner"] is None
    assert await boss.refused("PATCH", path, {"environment": "live"}) == (400, "bad_input")
    (_, handed_over, _) = (await boss.get(f"{path}/events"))["items"]
    assert (handed_over["owner"], handed_over["environment"]) == ("ann", "test")
    assert handed_over["detail"]["metadata"] == {"old": NOTED, "new": {}}
    nothing = await boss.post("/keys", {"description": "x"}, 201)
    assert [nothing["key"][name] for name in told] == [None, None, {}]


async def test_lists_log_and_usage_are_filtered_by_owner_and_environment(boss: Caller) -> None:
    of_ann = (await boss.post("/keys", {"description": "x", "owner": "ann", "environment": "test"}, 201))["key"]["id"]
    await boss.post("/keys", {"description": "x", "owner": "bob"}, 201)
    for query in (
        {"owner": "ann"},
        {"environment": "test"},
        {"owner": "ann", "environment": "test", "sort": "expires"},
    ):
        assert [key["id"] for key in (await boss.get("/keys", **query))["items"]] == [of_ann]
    assert (await boss.get("/keys/count", owner="ann"))["number"] == 1
    for query in ({"owner": "ann"}, {"environment": "test"}):
        assert {event["key_id"] for event in (await boss.get("/events", **query))["items"]} == {of_ann}
    assert await boss.get("/usage", owner="ann", by="outcome") == {"items": []}
    assert await boss.refused("GET", "/keys", params={"environment": "prod"}) == (400, "bad_input")
    assert await boss.refused("GET", "/keys", params={"owner": ""}) == (400, "bad_input")


async def test_lists_log_usage_and_selections_are_filtered_by_metadata(boss: Caller) -> None:
    pro, free = [
        (await boss.post("/keys", {"description": "x", "metadata": {"plan": plan, "seats": 3}}, 201))["key"]["id"]
        for plan in ("pro", "free")
    ]
    template = (await boss.post("/templates", {"description": "w", "metadata": {"plan": "pro"}}, 201))["id"]
    wanted = {"metadata": '{"plan": "pro", "seats": 3}'}
    for query in (wanted, {"metadata": ' {"plan":"pro"}'}, {**wanted, "sort": "expires", "search": "x"}):
        assert [key["id"] for key in (await boss.get("/keys", **query))["items"]] == [pro]
    assert (await boss.get("/keys/count", metadata='{"seats": 3}'))["number"] == 2
    assert (await boss.get("/keys/count", metadata='{"seats": 3.0}'))["number"] == 0
    assert [each["id"] for each in (await boss.get("/templates", metadata='{"plan": "pro"}'))["items"]] == [template]
    assert {event["key_id"] for event in (await boss.get("/events", **wanted))["items"]} == {pro}
    assert await boss.get("/usage", **wanted, by="outcome") == {"items": []}
    for path in ("/keys", "/keys/count", "/templates", "/events", "/usage"):
        for wrong in (
            "",
            "{}",
            "[]",
            "{",
            "plan",
            "null",
            '{"plan": 1, "plan": 2}',
            '{"a": NaN}',
            '{"a": {"b": 1, "b": 1}}',
        ):
            answer = await boss.call("GET", path, params={"metadata": wrong})
            assert (*refusal(answer), answer.json()["field"]) == (400, "bad_input", "metadata"), (path, wrong)
    before = await boss.get("/keys/count", active="true")
    for body in (b"{}", b"[]", b"null", b'"{}"', b'{"plan": 1, "plan": 2}', b'{"a": 9007199254740993}'):
        content = b'{"selection": {"owner": "nobody", "metadata": ' + body + b"}}"
        answer = await boss.call("POST", "/selected/deactivate", content=content, headers=JSON_TYPE)
        assert (*refusal(answer), answer.json()["field"]) == (400, "bad_input", "metadata"), body
    assert await boss.get("/keys/count", active="true") == before
    selection = {"selection": {"metadata": {"plan": "pro"}}}
    shown = await boss.post("/selected/deactivate", {**selection, "preview": True})
    assert [(each["id"], each["result"]) for each in shown["results"]] == [(pro, "changed")]
    edited = await boss.post("/selected/update", {**selection, "changes": {"metadata": {"plan": "free"}}})
    assert [each["id"] for each in edited["results"]] == [pro]
    assert {key["id"] for key in (await boss.get("/keys", metadata='{"plan": "free"}'))["items"]} == {pro, free}


async def test_metadata_that_readers_read_differently_is_refused_with_its_field(site: Site, boss: Caller) -> None:
    bodies = [
        b'{"description": "x", "metadata": {"a": 1, "a": 2}}',
        b'{"description": "x", "metadata": {"a": {"b": 1, "b": 1}}}',
        b'{"description": "x", "metadata": {"a": 9007199254740993}}',
        b'{"description": "x", "metadata": {"a": 1e999}}',
        b'{"description": "x", "metadata": {"a": "\\ud800"}}',
        b'{"description": "x", "metadata": null}',
        b'{"description": "x", "metadata": [1]}',
        b'{"description": "x", "metadata": "text"}',
        b'{"description": "x", "metadata": ' + b'{"a":' * 9 + b"1" + b"}" * 9 + b"}",
        json.dumps({"description": "x", "metadata": {"a": "x" * 4096}}).encode(),
    ]
    before = await boss.get("/keys/count")
    for body in bodies:
        answer = await boss.call("POST", "/keys", content=body, headers=JSON_TYPE)
        told = refusal(answer)
        assert told == (400, "bad_input"), body
        assert answer.json().get("field", "metadata") == "metadata", body
    assert await boss.get("/keys/count") == before


async def test_a_selection_is_previewed_and_then_changed_with_an_answer_for_each(site: Site, boss: Caller) -> None:
    ids = [(await boss.post("/keys", {"description": "x", "owner": "ann"}, 201))["key"]["id"] for _ in range(3)]
    await boss.post("/keys", {"description": "x", "owner": "bob"}, 201)
    await boss.post("/keys/deactivate", {"ids": ids[:1]})
    wanted = {"selection": {"owner": "ann"}}
    shown = await boss.post("/selected/deactivate", {**wanted, "preview": True})
    assert (shown["preview"], shown["seq"], shown["propagation"]["complete"]) == (True, None, False)
    results = [(ids[2], "changed"), (ids[1], "changed"), (ids[0], "unchanged")]
    assert [(each["id"], each["result"]) for each in shown["results"]] == results
    assert (await boss.get("/keys/count", owner="ann", active="true"))["number"] == 2
    done = await boss.post("/selected/deactivate", wanted)
    assert (done["preview"], done["propagation"]["complete"]) == (False, True)
    assert done["results"] == shown["results"]
    await boss.post("/selected/activate", {"selection": {"search": "x", "owner": "ann"}})
    edited = await boss.post("/selected/update", {**wanted, "changes": {"owner": "eve", "metadata": NOTED}})
    assert [each["result"] for each in edited["results"]] == ["changed"] * 3
    assert (await boss.get(f"/keys/{ids[0]}"))["metadata"] == NOTED
    rotated = (await boss.post(f"/keys/{ids[1]}/rotate", {"grace": 60}))["key"]
    assert rotated["old_secret"] is not None
    ended = await boss.post("/selected/end-grace", {"selection": {"owner": "eve"}})
    assert [(each["id"], each["result"]) for each in ended["results"]] == [
        (ids[1], "changed"),
        (ids[2], "unchanged"),
        (ids[0], "unchanged"),
    ]
    assert (await boss.get(f"/keys/{ids[1]}"))["old_secret"] is None
    gone = await boss.post("/selected/delete", {"selection": {"owner": "eve"}})
    assert len(gone["results"]) == 3
    assert (await boss.get("/keys/count", owner="eve"))["number"] == 0


async def test_an_owners_templates_are_changed_by_what_they_are_and_apart_from_the_owners_keys(
    site: Site, boss: Caller
) -> None:
    key = (await site.keys.create("x", ["FILE_UPLOAD"], owner="ann")).key.id
    ids = [(await site.keys.templates.create("w", ["FILE_UPLOAD"], owner=name)).id for name in ("ann", "ann", "bob")]
    secret = (await site.keys.issue_temporary(ids[0])).secret
    wanted = {"selection": {"owner": "ann", "templates": True}}
    shown = await boss.post("/selected/deactivate", {**wanted, "preview": True})
    assert [(each["id"], each["result"]) for each in shown["results"]] == [(ids[1], "changed"), (ids[0], "changed")]
    assert (await site.keys.verify(secret)).valid
    done = await boss.post("/selected/deactivate", wanted)
    assert done["results"] == shown["results"]
    assert not (await site.keys.verify(secret)).valid
    assert (await site.keys.get(key)).active
    assert (await site.keys.get(ids[2])).active
    for plain in ({}, {"templates": False}):
        told = await boss.post("/selected/deactivate", {"selection": {"owner": "ann", **plain}, "preview": True})
        assert [each["id"] for each in told["results"]] == [key]
    await boss.post("/selected/activate", wanted)
    assert (await site.keys.verify(secret)).valid
    changes = {"permissions": ["OBJECTS_LIST"], "owner": "eve"}
    await boss.post("/selected/update", {**wanted, "changes": changes})
    assert [each["id"] for each in (await boss.get("/templates", owner="eve"))["items"]] == ids[1::-1]
    assert (await site.keys.get(key)).owner == "ann"
    gone = await boss.post("/selected/delete", {"selection": {"owner": "eve", "templates": True}})
    assert [each["id"] for each in gone["results"]] == ids[1::-1]
    assert not (await site.keys.verify(secret)).valid
    assert [each["id"] for each in (await boss.get("/templates"))["items"]] == ids[2:]


async def test_what_selects_nothing_in_particular_or_is_unknown_is_refused(site: Site, boss: Caller) -> None:
    before = (await boss.get("/events"))["items"][0]
    for body, field in (
        ({}, "selection"),
        ({"selection": {}}, "selection"),
        ({"selection": {"active": True}}, "selection"),
        ({"selection": {"templates": True}}, "selection"),
        ({"selection": {"owner": "ann", "templates": "yes"}}, "selection.templates"),
        ({"selection": {"state": "expired", "expires_within": 5}}, "selection"),
        ({"selection": {"owner": ""}}, "selection.owner"),
        ({"selection": {"owners": "ann"}}, "selection"),
        ({"selection": {"made_by": "x"}}, "selection.made_by"),
        ({"selection": {"permission": "FLY"}}, "permission"),
        ({"selection": {"owner": "ann"}, "force": True}, "force"),
    ):
        answer = await boss.call("POST", "/selected/delete", body)
        assert answer.status_code == 400, body
        assert answer.json()["field"] == field, answer.text
    for changes in ({}, {"environment": "live"}, {"owner": ""}):
        answer = await boss.call("POST", "/selected/update", {"selection": {"owner": "ann"}, "changes": changes})
        assert answer.status_code == 400, changes
    assert (await boss.get("/events"))["items"][0] == before


async def test_a_caller_changes_only_keys_of_its_own_project_and_is_told_what_it_may_not(site: Site) -> None:
    manager = await site.caller("ACCESS_MANAGE", "FILE_UPLOAD", project="acme")
    own = (await site.keys.create("own", ["FILE_UPLOAD"], project="acme", owner="ann")).key.id
    stronger = (await site.keys.create("stronger", ["FILE_MOVE"], project="acme", owner="ann", active=False)).key.id
    other = (await site.keys.create("other", project="other", owner="ann")).key.id
    done = await manager.post("/selected/activate", {"selection": {"owner": "ann"}})
    assert {each["id"]: each["result"] for each in done["results"]} == {own: "unchanged", stronger: "denied"}
    await manager.post("/selected/deactivate", {"selection": {"owner": "ann"}})
    assert (await site.keys.get(other)).active
    reader = await site.caller("ACCESS_READ")
    assert await reader.refused("POST", "/selected/deactivate", {"selection": {"owner": "ann"}, "preview": True}) == (
        403,
        "permission_denied",
    )
