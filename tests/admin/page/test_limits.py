"""Limits on the page: the form, what is left, counting anew."""

import re

import pytest

from gatepost import Quota, Rate, Slots
from tests.admin.page.served import Served
from tests.admin.page.test_addresses import form_of
from tests.admin.page.test_http import at

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_key_is_limited_by_the_form_and_its_page_tells_what_is_left(served: Served) -> None:
    boss = await served.boss()
    async with at(served) as client:
        await client.sign_in(boss.secret)
        typed = "minute=100/60s:20\r\n\r\nplan=1000/month, flight=3"
        fields = await form_of(client, "new") | {"description": "limited here", "limits": typed}
        assert (await client.post("new", fields)).status_code == 200
        (key,) = (await served.keys.list(search="limited here")).items
        assert key.limits == (
            Rate(100, per=60, burst=20, name="minute"),
            Quota(1000, per="month", name="plan"),
            Slots(3, name="flight"),
        )
        page = (await client.get(f"keys/{key.id}")).text
        assert '<code translate="no">plan=1000/month</code>' in page
        assert '<meter min="0" max="1000" low="100" value="1000" aria-label="plan: left"></meter> 1,000 left' in page
        form = (await client.get(f"keys/{key.id}/edit")).text
        assert "minute=100/60s:20\nplan=1000/month\nflight=3</textarea>" in form
        token = re.search(r'name="csrf_token" value="([^"]*)"', page)
        assert token
        anew = await client.post(f"keys/{key.id}/reset-limits", {"csrf_token": token[1], "back": f"/keys/{key.id}"})
        assert anew.status_code == 200
        assert "Counting anew" in anew.text
        assert (await served.keys.get(key.id)).limits.resets == 1
        assert "Limits counted anew" in (await client.get(f"keys/{key.id}/history")).text


async def test_what_is_no_limit_is_told_beside_the_field_and_nothing_is_made(served: Served) -> None:
    boss = await served.boss()
    async with at(served) as client:
        await client.sign_in(boss.secret)
        fields = await form_of(client, "new") | {"description": "never made", "limits": "100 a minute"}
        answer = await client.post("new", fields)
        assert answer.status_code == 400
        assert "is no limit: write minute=100/60s:20" in answer.text
        assert "100 a minute</textarea>" in answer.text
        assert not (await served.keys.list(search="never made")).items


async def test_an_edit_takes_limits_away_and_an_older_form_leaves_them(served: Served) -> None:
    boss = await served.boss()
    key = (await served.keys.create("to be edited", limits=[Rate(5, per=1)])).key
    async with at(served) as client:
        await client.sign_in(boss.secret)
        older = await form_of(client, f"keys/{key.id}/edit") | {"description": "edited"}
        assert (await client.post(f"keys/{key.id}/edit", older)).status_code == 200
        assert (await served.keys.get(key.id)).limits == (Rate(5, per=1),)
        newer = await form_of(client, f"keys/{key.id}/edit") | {"description": "edited", "limits": ""}
        assert (await client.post(f"keys/{key.id}/edit", newer)).status_code == 200
        assert (await served.keys.get(key.id)).limits == ()


async def test_the_list_marks_what_is_bound_to_networks_or_limited(served: Served) -> None:
    boss = await served.boss()
    await served.keys.create("free")
    await served.keys.create("both", allow=["203.0.113.0/24", "2001:db8::/32"], limits=[Slots(3), Rate(5, per=1)])
    await served.keys.create("off", allow=[])
    async with at(served) as client:
        await client.sign_in(boss.secret)
        rows = {
            name: (await client.get(f"?search={name}")).text.partition("<tbody")[2].partition("</tbody")[0]
            for name in ("free", "both", "off")
        }
    assert 'class="bound' not in rows["free"]
    assert 'title="May be used from 203.0.113.0/24, 2001:db8::/32"' in rows["both"]
    assert "may be used from 2 networks</span>" in rows["both"]
    assert 'title="Limited: slots=3, rate=5/1s"' in rows["both"]
    assert 'class="bound nowhere" title="May be used from nowhere"' in rows["off"]
