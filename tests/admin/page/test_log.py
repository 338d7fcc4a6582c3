"""The log as the page shows it: who it was whatever they are called, filters, what a key made, to be switched off."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from gatepost import Actor, ConfigurationError
from gatepost.database.connecting.engine import changing
from tests.admin.page.served import EVERYTHING, Served, serving
from tests.admin.page.test_http import Client, at

pytestmark = pytest.mark.asyncio(loop_scope="session")

MANAGE = frozenset(EVERYTHING)


async def who(client: Client, path: str = "log") -> list[str]:
    """Who did what is on a page of the log, as text, newest first."""
    page = (await client.get(path)).text
    told = re.findall(r'<p class="event-who">(.*?)·', page, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]*>", "", each).split()) for each in told]


async def actions(client: Client, query: str) -> list[str]:
    """What was done, of a filtered log."""
    return re.findall(r'class="event (\w+)"', (await client.get(f"log?{query}")).text)


async def test_a_name_like_a_keys_is_told_from_that_key(served: Served) -> None:
    boss = await served.boss()
    name = f"key {boss.key.id}"
    for actor in (Actor.of(boss.key, "::1"), Actor(name, id="17", permissions=MANAGE), name):
        await served.keys.create("x", actor=actor)
    await served.keys.create("from before", actor=name)
    async with changing(served.keys._database.engine) as connection:
        by_last = text("UPDATE gatepost_events SET actor_kind = NULL, actor_id = NULL WHERE seq = 5")
        await connection.execute(by_last)
        await connection.commit()
    async with at(served) as client:
        await client.sign_in(boss.secret)
        assert (await who(client))[:4] == [
            f"unverified {name}",
            f"operator {name}",
            f"person {name} 17",
            f"key the boss {boss.key.id} (you) from ::1",
        ]
        assert (await who(client))[-1] == "Somebody unknown"


async def test_the_log_is_filtered_and_goes_on_with_the_same_filter(served: Served) -> None:
    boss = await served.boss()
    ann = Actor("ann", id="17", permissions=MANAGE)
    made = [(await served.keys.create(f"{number}", project="acme", actor=ann)).key.id for number in range(60)]
    await served.keys.deactivate(made[:2], actor=ann)
    await served.keys.create("x", actor="ops")
    today = datetime.now(UTC).date()
    async with at(served) as client:
        await client.sign_in(boss.secret)
        assert await actions(client, "kind=deactivated") == ["deactivated"] * 2
        assert await actions(client, "by_kind=operator&by_id=ops") == ["created"]
        assert await actions(client, f"by_id=ops&since={today}&until={today}") == ["created"]
        assert await actions(client, f"until={today - timedelta(days=2)}") == []
        assert await actions(client, "project=nowhere") == []
        first = await client.get("log?by_kind=person&by_id=17&kind=created&project=acme")
        assert len(re.findall('class="event created"', first.text)) == 50
        (following,) = re.findall(r'id="to-next" href="[^"]*/(log[^"]*)"', first.text)
        assert len(await actions(client, following.partition("?")[2].replace("&amp;", "&"))) == 10
        for wrong, told in (("kind=made", "Kind must be one of"), ("since=soon", "Since must be a day")):
            answer = await client.get(f"log?{wrong}")
            assert answer.status_code == 400
            assert told in answer.text
        assert 'value="acme"' in first.text, "the form shows what was filtered by"


async def test_the_log_of_one_environment_says_so_and_offers_the_other(ready_sqlite_url: str) -> None:
    async with serving(ready_sqlite_url, environment="live") as served, at(served) as client:
        boss = await served.boss(environment=None)
        await served.keys.create("a trial", environment="test")
        await client.sign_in(boss.secret)
        assert 'name="environment"' in (await client.get("log")).text
    async with serving(ready_sqlite_url) as served, at(served) as client:
        await client.sign_in(boss.secret)
        assert 'name="environment"' not in (await client.get("log")).text
        shown = (await client.get("log?environment=test")).text
        assert re.findall(r'<option value="(\w+)" selected', shown) == ["test"]
        assert await actions(client, "environment=test") == ["created"]


async def test_what_a_leaked_key_made_is_ticked_and_switched_off(served: Served) -> None:
    boss = await served.boss()
    leaked = await served.keys.create("leaked", MANAGE)
    made = [await served.keys.create(f"theirs {number}", MANAGE, actor=Actor.of(leaked.key)) for number in range(2)]
    last = await served.keys.create("of theirs", actor=Actor.of(made[0].key))
    await served.keys.create("ours")
    await served.keys.delete(leaked.key.id)
    async with at(served) as client:
        await client.sign_in(boss.secret)
        log = await client.get(f"log?by_kind=key&by_id={leaked.key.id}")
        (path,) = re.findall(r'id="made" href="[^"]*/(keys/[^"]*)"', log.text)
        page = (await client.get(path)).text
        ticked = re.findall(r'name="id" value="(\w+)" checked', page)
        assert ticked == [last.key.id, made[1].key.id, made[0].key.id]
        asked = await client.get("change", params={"verb": "deactivate", "id": ticked})
        assert "Deactivate 3 keys" in asked.text
        fields = {"verb": "deactivate", "id": ticked, "csrf_token": await client.token("new")}
        assert (await client.post("change", fields)).status_code == 200
        assert {key.description for key in (await served.keys.list(active=True)).items} == {"the boss", "ours"}
        assert "checked" not in (await client.get(path)).text
        assert (await client.get("keys/nobody000000/made")).status_code == 404


async def test_people_whom_the_host_app_lets_in_are_people_in_the_log_and_limited_to_what_it_said(
    ready_sqlite_url: str,
) -> None:
    answers: dict[str, Any] = {
        "maria": Actor("maria", operator=True),
        "otto": Actor("otto", id="18", project="acme", permissions=MANAGE),
        "forgetful": Actor("ben", project="acme"),
        "text": "maria",
        "false": False,
    }
    async with serving(ready_sqlite_url, authorize=lambda request: answers[request.headers["x-user"]]) as served:
        mine = (await served.keys.create("of acme", project="acme")).key
        theirs = (await served.keys.create("of globex", project="globex")).key
        told = {}
        for user in answers:
            async with at(served, headers={"X-User": user}) as client:
                page = await client.get()
                told[user] = (page.status_code, mine.description in page.text, theirs.description in page.text)
                if page.status_code == 200:
                    fields = {"verb": "deactivate", "id": mine.id, "csrf_token": await client.token("new")}
                    assert (await client.post("change", fields)).status_code == 200
                    await served.keys.activate(mine.id)
        assert told == {
            "maria": (200, True, True),
            "otto": (200, True, False),
            "forgetful": (403, False, False),
            "text": (500, False, False),
            "false": (500, False, False),
        }
        off = (await served.keys.events(kind="deactivated")).items
        assert [(event.actor_kind, event.actor_id) for event in off] == [("person", "18"), ("person", "maria")]


async def test_what_authorize_must_answer_is_said_where_it_answers_something_else(ready_sqlite_url: str) -> None:
    from gatepost.admin.entry.entrance import AuthorizedEntrance  # noqa: PLC0415

    answer: Any = "maria"
    with pytest.raises(ConfigurationError, match=r"authorize= must answer Actor\(name, id=.*not a str"):
        await AuthorizedEntrance(lambda _request: answer).admit(None)  # type: ignore[arg-type]
