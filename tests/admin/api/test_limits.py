"""Limits over REST."""

from tests.admin.api.site import Caller, Site

LIMITS = [
    {"type": "rate", "units": 100, "per": 60, "burst": 20, "name": "minute", "on_outage": "local"},
    {"type": "quota", "units": 500, "per": "month", "name": "plan", "on_outage": "open"},
    {"type": "slots", "units": 3, "name": "flight", "on_outage": "closed"},
]


async def test_limits_are_set_told_edited_and_counted_anew(site: Site, boss: Caller) -> None:
    made = await boss.post("/keys", {"description": "x", "limits": LIMITS}, 201)
    path = f"/keys/{made['key']['id']}"
    assert made["key"]["limits"] == LIMITS
    assert (await boss.get(path))["limits"] == LIMITS
    left = (await boss.get(f"{path}/limits"))["items"]
    assert [(each["name"], each["type"], each["units"]) for each in left] == [
        ("minute", "rate", 100),
        ("plan", "quota", 500),
        ("flight", "slots", 3),
    ]
    assert left[1]["left"] == 500
    short = [{"type": "rate", "units": 7, "per": 1}]
    edited = await boss.call("PATCH", path, {"limits": short})
    assert edited.json()["limits"] == [short[0] | {"burst": 7, "name": "rate", "on_outage": "local"}]
    reset = await boss.call("POST", f"{path}/reset-limits", headers={"If-Match": edited.headers["etag"]})
    assert (reset.status_code, reset.json()["propagation"]["complete"]) == (200, True)
    assert reset.headers["etag"] != edited.headers["etag"]
    stale = await boss.call("POST", f"{path}/reset-limits", headers={"If-Match": edited.headers["etag"]})
    assert stale.status_code == 412
    details = [event["detail"] for event in (await boss.get(f"{path}/events"))["items"]]
    assert details[0] == {"limit_resets": {"old": 0, "new": 1}}
    assert details[1]["limits"]["old"] == LIMITS
    none = await boss.call("PATCH", path, {"limits": []})
    assert none.json()["limits"] == []
    assert (await boss.get(f"{path}/limits"))["items"] == []
