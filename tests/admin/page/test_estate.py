"""Owners, metadata, environments and selections on the page."""

import re
from urllib.parse import quote

import pytest

from gatepost import APIKeys
from gatepost.admin.entry import entrance, session
from gatepost.admin.page import sign_in
from gatepost.base import BadInputError, Outcome
from gatepost.cli.output import views
from tests.admin.page.served import Served, serving
from tests.admin.page.test_addresses import form_of
from tests.admin.page.test_http import at

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOT_OF_JUDGING = {
    Outcome.MISSING,
    Outcome.AMBIGUOUS,
    Outcome.PERMISSION_DENIED,
    Outcome.PROJECT_DENIED,
    Outcome.LIMIT_EXCEEDED,
    Outcome.UNAVAILABLE,
}
"""What becomes of a request before or after its secret is judged."""


async def test_whatever_judging_a_secret_gives_has_a_sentence() -> None:
    judged = set(Outcome) - NOT_OF_JUDGING
    assert views._VERDICTS.keys() == judged
    assert sign_in._WRONG.keys() == entrance.ENDED.keys() == judged - {Outcome.VALID}


async def test_a_session_with_a_key_of_another_environment_is_over_and_says_why(ready_sqlite_url: str) -> None:
    async with serving(ready_sqlite_url) as served:
        issued = await served.boss(environment="test")
        began = served.session(issued.secret)
    async with serving(ready_sqlite_url, environment="live") as served, at(served) as client:
        client.http.cookies.set(session.COOKIE, began)
        answer = await client.get()
        assert answer.status_code == 401
        assert "You were signed out: the key that you used is for another environment." in answer.text


async def test_owner_and_metadata_are_set_by_the_form_and_told_on_the_keys_page(served: Served) -> None:
    boss = await served.boss()
    async with at(served) as client:
        await client.sign_in(boss.secret)
        fields = await form_of(client, "new") | {
            "description": "owned here",
            "owner": "team <a>",
            "metadata": '{"é": [1]}',
        }
        assert (await client.post("new", fields)).status_code == 200
        (key,) = (await served.keys.list(search="owned here")).items
        assert (key.owner, key.environment, key.metadata) == ("team <a>", None, {"é": [1]})
        page = (await client.get(f"keys/{key.id}")).text
        assert "<bdi>team &lt;a&gt;</bdi>" in page
        assert "&#34;é&#34;" in page
        edit = await form_of(client, f"keys/{key.id}/edit") | {"description": "owned here", "owner": "", "metadata": ""}
        assert (await client.post(f"keys/{key.id}/edit", edit)).status_code == 200
        edited = await served.keys.get(key.id)
        assert (edited.owner, edited.metadata) == (None, {})
        history = (await client.get(f"keys/{key.id}/history")).text
        assert "nobody" in history
        assert "Metadata" in history


async def test_what_is_no_metadata_is_told_beside_the_field_and_nothing_is_made(served: Served) -> None:
    boss = await served.boss()
    async with at(served) as client:
        await client.sign_in(boss.secret)
        for metadata, told in (('{"a": 1, "a": 2}', "two members called"), ("[1]", "must be a JSON object")):
            fields = await form_of(client, "new") | {"description": "never made", "metadata": metadata}
            answer = await client.post("new", fields)
            assert answer.status_code == 400
            assert told in answer.text
            assert 'id="metadata-error"' in answer.text
        assert not (await served.keys.list(search="never made")).items


async def test_an_edit_by_an_older_form_leaves_owner_and_metadata(served: Served) -> None:
    boss = await served.boss()
    key = (await served.keys.create("of an older form", owner="ann", metadata={"a": 1})).key
    async with at(served) as client:
        await client.sign_in(boss.secret)
        older = await form_of(client, f"keys/{key.id}/edit") | {"description": "edited"}
        for name in ("owner", "metadata"):
            older.pop(name, None)
        assert (await client.post(f"keys/{key.id}/edit", older)).status_code == 200
    edited = await served.keys.get(key.id)
    assert (edited.description, edited.owner, edited.metadata) == ("edited", "ann", {"a": 1})


async def test_an_edit_of_metadata_to_what_only_python_takes_for_the_same_is_one(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def refuse(*_ids: object, metadata: object, **_options: object) -> None:
        asked.append(repr(metadata))
        raise BadInputError("seen", "metadata")

    boss = await served.boss()
    key = (await served.keys.create("of a flag", metadata={"flag": 1})).key
    async with at(served) as client:
        await client.sign_in(boss.secret)
        path = f"keys/{key.id}/edit"
        edit = await form_of(client, path) | {"description": "of a flag"}
        monkeypatch.setattr(APIKeys, "update", refuse)
        assert (await client.post(path, {**edit, "metadata": '{"flag":1}'})).status_code == 200
        assert (await client.post(path, {**edit, "metadata": '{"flag": true}'})).status_code == 400
    assert asked == ["{'flag': True}"]


async def test_all_keys_of_an_owner_are_switched_off_from_the_list(served: Served) -> None:
    boss = await served.boss()
    for number in range(3):
        await served.keys.create(f"offboarded {number}", owner="leaver", environment="test")
    await served.keys.create("offboarded by nobody", owner="stays")
    async with at(served) as client:
        await client.sign_in(boss.secret)
        listed = (await client.get("?owner=leaver")).text
        assert "3 keys that match" in listed
        assert '<span class="tag">Test</span>' in listed
        assert "offboarded by nobody" not in listed
        assert "3 keys that match" in (await client.get("?owner=leaver&environment=test")).text
        question = await client.get("change?verb=deactivate&all=1&back=" + "%3Fowner%3Dleaver")
        assert question.status_code == 200
        for number in range(3):
            assert f"offboarded {number}" in question.text
        hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', question.text)
        ids = [value for name, value in hidden if name == "id"]
        fields = {name: value for name, value in hidden if name != "id"} | {"ids": " ".join(ids)}
        assert (await client.post("change", fields)).status_code == 200
        log = (await client.get("log?owner=leaver&kind=deactivated")).text
        assert log.count("offboarded") >= 3
    assert (await served.keys.count(owner="leaver", active=True)).number == 0
    assert (await served.keys.count(owner="stays", active=True)).number == 1


async def test_a_template_is_shown_as_what_it_is_and_has_no_secret_to_rotate(served: Served) -> None:
    boss = await served.boss()
    template = await served.keys.templates.create("for visitors", ["OBJECTS_LIST"])
    async with at(served) as client:
        await client.sign_in(boss.secret)
        text = (await client.get(f"keys/{template.id}")).text
        assert "it is a template, of which temporary secrets are issued" in text
        assert 'id="rotate"' not in text
        assert "it can be copied once" not in text
        plain = (await client.get(f"keys/{boss.key.id}")).text
        assert 'id="rotate"' in plain
        assert "it is a template" not in plain


async def test_keys_are_found_by_their_metadata_in_the_list_and_the_log_and_switched_off_together(
    served: Served,
) -> None:
    boss = await served.boss()
    for number in range(3):
        await served.keys.create(f"on trial {number}", metadata={"plan": "trial", "n": number})
    await served.keys.create("paid", metadata={"plan": "pro <b>"})
    typed = "metadata=%7B%22plan%22%3A+%22trial%22%7D"
    async with at(served) as client:
        await client.sign_in(boss.secret)
        assert 'name="metadata"' in (await client.get("?search=paid")).text, "of a key that is shown"
        listed = (await client.get(f"?{typed}")).text
        assert "3 keys that match" in listed
        assert 'value="{&#34;plan&#34;: &#34;trial&#34;}"' in listed
        assert "paid" not in listed
        links = re.findall(rf'href="[^"]*[?;]({typed.replace("+", "[+]")})[^"]*"', listed)
        assert len(links) > 10, "orders and states keep it"
        question = await client.get("change?verb=deactivate&all=1&back=" + quote(f"?{typed}"))
        hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', question.text)
        ids = [value for name, value in hidden if name == "id"]
        assert len(ids) == 3
        fields = {name: value for name, value in hidden if name != "id"} | {"ids": " ".join(ids)}
        assert (await client.post("change", fields)).status_code == 200
        log = (await client.get(f"log?{typed}&kind=deactivated")).text
        assert log.count('class="event deactivated"') == 3
        assert 'name="metadata"' in (await client.get("log")).text
        log = (await client.get("log?metadata=" + quote('{"plan": "pro <b>"}'))).text
        assert log.count('class="event created"') == 1
        assert "<b>" not in log
        for wrong in ("{", "{}", "[1]", '{"a": 1, "a": 2}', '{"a": "' + "x" * 5000 + '"}'):
            for page in ("", "log"):
                answer = await client.get(f"{page}?metadata={quote(wrong)}")
                assert answer.status_code == 400
                assert "Metadata " in answer.text
                assert 'name="metadata"' in answer.text
        back = await client.get("change?verb=deactivate&all=1&back=" + quote("?metadata={"))
        assert back.status_code == 400
    assert (await served.keys.count(metadata={"plan": "trial"}, active=True)).number == 0
    assert (await served.keys.count(metadata={"plan": "pro <b>"}, active=True)).number == 1


async def test_who_notes_nothing_is_not_asked_for_metadata(served: Served) -> None:
    boss = await served.boss()
    async with at(served) as client:
        await client.sign_in(boss.secret)
        assert 'name="metadata"' not in (await client.get("")).text
        assert 'name="metadata"' not in (await client.get("log")).text
