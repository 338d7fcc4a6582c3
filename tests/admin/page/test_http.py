"""What the page answers over HTTP: headers, cookies, forged forms, limits, outages."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from cryptography import fernet

from gatepost.admin.entry import entrance
from gatepost.admin.page import form, sign_in, visit
from gatepost.base.actor import Actor
from gatepost.base.errors import UnavailableError, UncertainCommitError
from gatepost.base.models import ImportedKey
from gatepost.base.secret import digest
from gatepost.intake.throttle import Throttle
from tests.admin.page.served import EVERYTHING, MOUNT, Served, serving
from tests.frameworks.hidden import watching
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass(frozen=True, slots=True)
class Client:
    """A browser without any of its protections. `http`: keeps cookies."""

    http: httpx2.AsyncClient

    async def get(self, path: str = "", **options: Any) -> httpx2.Response:
        return await self.http.get(path, **options)

    async def token(self, path: str = "") -> str:
        """The token of the forms on a page."""
        return found((await self.get(path)).text, "csrf_token")

    async def post(self, path: str, fields: dict[str, Any], **options: Any) -> httpx2.Response:
        return await self.http.post(path, data=fields, **options)

    async def sign_in(self, secret: str, **options: Any) -> httpx2.Response:
        return await self.post("sign-in", {"csrf_token": await self.token(), "secret": secret}, **options)


@asynccontextmanager
async def at(served: Served, **options: Any) -> AsyncIterator[Client]:
    async with httpx2.AsyncClient(base_url=served.url, timeout=PATIENCE_SECONDS, **options) as http:
        yield Client(http)


def found(text: str, name: str) -> str:
    match = re.search(rf'name="{name}" value="([^"]*)"', text)
    assert match, f"no field {name}"
    return match[1]


async def test_no_variable_holds_the_secret_of_who_signs_in_or_has_signed_in(served: Served) -> None:
    boss = await served.boss()
    async with at(served) as client:
        token = await client.token()
        with watching() as watch:
            signed_in = await client.post("sign-in", {"csrf_token": token, "secret": boss.secret})
            assert signed_in.status_code == 303
            served.keys._opened().lookup._memory.clear()  # so that the session's secret is looked up again
            assert (await client.get()).status_code == 200
            assert (await client.get("new")).status_code == 200
    assert {"SignInDesk.let_in", "SessionEntrance.admit"} <= watch.names
    assert watch.places_of(boss.secret) == set()


async def test_every_answer_carries_the_headers_that_keep_strangers_out(served: Served) -> None:
    boss = await served.boss()
    async with at(served) as client:
        answers = [
            await client.get(),
            await client.get("nothing"),
            await client.get("new"),
            await client.get("sign-in"),
        ]
        answers += [await client.sign_in(boss.secret), await client.get(), await client.post("new", {"a": "b"})]
    assert [answer.status_code for answer in answers] == [401, 404, 401, 303, 303, 200, 403]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy == (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
            "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        )
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"


async def test_nothing_on_a_page_is_inline_or_from_elsewhere(served: Served) -> None:
    boss = await served.boss()
    async with at(served) as client:
        await client.sign_in(boss.secret)
        for path in (
            "",
            "new",
            f"keys/{boss.key.id}",
            f"keys/{boss.key.id}/edit",
            f"keys/{boss.key.id}/history",
            "log",
        ):
            text = (await client.get(path)).text
            assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=|javascript:", text)
            assert all(url.startswith(MOUNT) for url in re.findall(r'(?:src|href|action)="([^"#][^"]*)"', text))


async def test_static_files_are_kept_for_good_under_their_contents_hash(served: Served) -> None:
    async with at(served) as client:
        paths = re.findall(rf'"{MOUNT}/(static/[^"]*)"', (await client.get()).text)
        assert {path.rpartition("/")[2] for path in paths} == {"page.css", "page.js", "shortcuts.js", "logo.svg"}
        for path in paths:
            answer = await client.get(path)
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert (await client.get(re.sub("static/.", "static/x", path))).status_code == 404


async def test_the_session_cookie_is_out_of_reach_of_scripts_other_sites_and_other_paths(served: Served) -> None:
    boss = await served.boss()
    async with at(served) as client:
        plain = (await client.sign_in(boss.secret)).headers["set-cookie"]
    async with at(served, headers={"X-Forwarded-Proto": "https"}) as client:
        answer = await client.get()
        secure_csrf = answer.headers["set-cookie"]
        name, text = secure_csrf.partition(";")[0].split("=", 1)
        fields = {"csrf_token": found(answer.text, "csrf_token"), "secret": boss.secret}
        secure = (await client.post("sign-in", fields, headers={"Cookie": f"{name}={text}"})).headers["set-cookie"]
    for cookie in (plain, secure, secure_csrf):
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert f"Path={MOUNT}" in cookie
    assert "Max-Age=1800" in plain
    assert "Secure" not in plain
    assert "Secure" in secure
    assert "Secure" in secure_csrf
    assert boss.secret not in plain


async def test_a_secret_is_in_no_url_and_in_no_page_but_the_one_that_tells_it(served: Served) -> None:
    boss = await served.boss()
    async with at(served) as client:
        answer = await client.sign_in(boss.secret)
        assert answer.headers["location"] == f"{MOUNT}/"
        pages = [await client.get(path) for path in ("", f"keys/{boss.key.id}", f"keys/{boss.key.id}/history", "log")]
    assert all(boss.secret not in page.text for page in pages)


async def test_redirects_and_links_do_not_follow_a_forged_host(served: Served) -> None:
    boss = await served.boss()
    async with at(served, headers={"Host": "evil.example"}) as client:
        page = await client.get()
        assert "evil.example" not in page.text
        answer = await client.sign_in(boss.secret)
        assert answer.headers["location"] == f"{MOUNT}/"
        assert (await client.get("new/")).status_code == 404


async def test_signing_in_leads_on_to_a_page_of_this_mount_only(served: Served) -> None:
    boss = await served.boss()
    places = {
        "/log?after=9.0": "/log?after=9.0",
        "//evil.example/": "/",
        "/\\evil.example": "/",
        "https://evil.example": "/",
        "/x\r\nSet-Cookie: a=b": "/",
    }
    for asked, led_to in places.items():
        async with at(served) as client:
            fields = {"csrf_token": await client.token(), "secret": boss.secret, "next": asked}
            answer = await client.post("sign-in", fields)
        assert answer.headers["location"] == f"{MOUNT}{led_to}"


async def test_the_sign_in_form_leads_back_to_the_page_that_was_asked_for(served: Served) -> None:
    async with at(served) as client:
        for host in (None, "evil.example/else?where"):
            headers = {} if host is None else {"Host": host}
            answer = await client.get("log?after=9.0", headers=headers)
            assert found(answer.text, "next") == "/log?after=9.0"


async def test_a_form_without_the_token_of_this_very_session_changes_nothing(served: Served) -> None:
    boss, target = await served.boss(), await served.keys.create("target", ["OBJECTS_LIST"])
    fields = {"verb": "deactivate", "id": target.key.id}
    async with at(served) as client, at(served) as stranger:
        anonymous = await stranger.token()
        await client.sign_in(boss.secret)
        await stranger.sign_in(boss.secret)
        tokens = [None, "", "x" * 64, anonymous, await stranger.token(), "é"]
        for token in tokens:
            answer = await client.post("change", fields if token is None else {**fields, "csrf_token": token})
            assert answer.status_code == 403
            assert "reload the page" in answer.text
        assert (await served.keys.get(target.key.id)).active
        right = {**fields, "csrf_token": await client.token()}
        del client.http.cookies["gatepost_csrf"]
        assert (await client.post("change", right)).status_code == 403
        assert (await served.keys.get(target.key.id)).active
        assert (await client.post("change", {**fields, "csrf_token": await client.token()})).status_code == 200
    assert not (await served.keys.get(target.key.id)).active


async def test_the_token_may_come_in_a_header(served: Served) -> None:
    boss, target = await served.boss(), await served.keys.create("target", ["OBJECTS_LIST"])
    async with at(served) as client:
        await client.sign_in(boss.secret)
        headers = {"X-CSRF-Token": await client.token()}
        answer = await client.post("change", {"verb": "deactivate", "id": target.key.id}, headers=headers)
    assert answer.status_code == 200
    assert not (await served.keys.get(target.key.id)).active


async def test_a_token_from_before_signing_in_does_not_count_after_it(served: Served) -> None:
    boss, target = await served.boss(), await served.keys.create("target", ["OBJECTS_LIST"])
    async with at(served) as client:
        before = await client.token()
        await client.sign_in(boss.secret)
        answer = await client.post("change", {"csrf_token": before, "verb": "delete", "id": target.key.id})
    assert answer.status_code == 403
    assert await served.keys.get(target.key.id)


async def test_a_form_of_another_site_is_refused_even_with_the_right_token(served: Served) -> None:
    boss, target = await served.boss(), await served.keys.create("target", ["OBJECTS_LIST"])
    foreign = [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
    ]
    async with at(served) as client:
        await client.sign_in(boss.secret)
        fields = {"csrf_token": await client.token(), "verb": "delete", "id": target.key.id}
        for headers in foreign:
            assert (await client.post("change", fields, headers=headers)).status_code == 403
            assert (await served.keys.get(target.key.id)).active
        assert (await client.post("change", fields, headers={"Sec-Fetch-Site": "same-origin"})).status_code == 200


async def test_signing_in_and_out_need_a_token_too(served: Served) -> None:
    boss = await served.boss()
    async with at(served) as client:
        assert (await client.post("sign-in", {"secret": boss.secret})).status_code == 403
        await client.sign_in(boss.secret)
        assert (await client.post("sign-out", {"a": "b"})).status_code == 403
        assert (await client.get()).status_code == 200
        answer = await client.post("sign-out", {"csrf_token": await client.token()})
        assert answer.status_code == 303
        assert (await client.get()).status_code == 401


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """For who waits at the sign-in, time stands still, however slow this machine is."""
    monkeypatch.setattr("gatepost.admin.page.app.Throttle", lambda: Throttle(lambda: 1000.0))


@pytest.mark.usefixtures("frozen")
async def test_guesses_are_slowed_and_a_right_secret_from_the_same_address_never_waits(ready_sqlite_url: str) -> None:
    async with serving(ready_sqlite_url) as served, at(served) as client, at(served) as behind_the_same_proxy:
        boss = await served.boss()
        for _ in range(5):
            assert (await client.sign_in("gp_wrong")).status_code == 401
        answer = await client.sign_in("gp_wrong")
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "1"
        assert "Try again in 1 second." in answer.text
        assert (await behind_the_same_proxy.sign_in(boss.secret)).status_code == 303
        assert (await behind_the_same_proxy.get()).status_code == 200
        assert (await client.sign_in("gp_wrong")).status_code == 429


async def test_a_key_of_ours_that_is_no_longer_good_is_told_so_and_counts_as_no_guess(served: Served) -> None:
    plain, off, gone = [await served.keys.create(name, []) for name in ("plain", "off", "gone")]
    await served.keys.deactivate(off.key.id)
    await served.keys.delete(gone.key.id)
    async with at(served) as client:
        for _ in range(3):
            for issued, said in ((plain, "may not be used here"), (off, "deactivated"), (gone, "not a key")):
                assert said in (await client.sign_in(issued.secret)).text
        assert (await client.sign_in("gp_wrong")).status_code == 401


@pytest.mark.usefixtures("frozen")
async def test_guesses_at_imported_secrets_wait_before_anything_is_read(
    ready_sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(ready_sqlite_url, foreign_secrets=True) as served, at(served) as client:
        imported = ImportedKey(digest=digest(b"an old secret"), description="imported", permissions=EVERYTHING)
        await served.keys.import_digests([imported])
        assert (await client.sign_in("an old secret")).status_code == 303
        client.http.cookies.clear()
        for number in range(5):
            assert (await client.sign_in(f"guess {number}")).status_code == 401
        judged: list[bytes] = []
        monkeypatch.setattr(served.keys, "judge", judged.append)
        assert (await client.sign_in("an old secret")).status_code == 429
        assert judged == []


@pytest.mark.parametrize("name", ["gatepost_session", "gatepost_csrf"])
@pytest.mark.parametrize("path", ["", "log", "sign-in"])
async def test_two_cookies_of_one_name_are_refused_and_neither_is_used(served: Served, name: str, path: str) -> None:
    boss, other = await served.boss(), await served.boss()
    async with at(served) as client:
        await client.sign_in(boss.secret)
        own = "; ".join(f"{cookie.name}={cookie.value}" for cookie in client.http.cookies.jar)
        tossed = served.session(other.secret) if name == "gatepost_session" else "x" * 43
        forms: list[Any] = [
            {"Cookie": f"{own}; {name}={tossed}"},
            {"Cookie": f"{name}={tossed};{own}"},
            [("Cookie", own), ("Cookie", f"{name}={tossed}")],
            {"Cookie": f"{own}; {own}"},
        ]
        for headers in forms:
            http = httpx2.AsyncClient(base_url=served.url, headers=headers, timeout=PATIENCE_SECONDS)
            async with http:
                answer = await http.get(path)
            assert answer.status_code == 400
            assert "two cookies where this page sets one" in answer.text
            assert "the boss" not in answer.text
            assert "set-cookie" not in answer.headers
        assert (await client.get()).status_code == 200


async def test_a_cookie_whose_name_only_resembles_the_sessions_is_nothing(served: Served) -> None:
    boss = await served.boss()
    async with at(served) as client:
        await client.sign_in(boss.secret)
        client.http.cookies.set("gatepost_session2", "x")
        client.http.cookies.set("x", "gatepost_session")
        assert (await client.get()).status_code == 200


async def test_a_form_that_comes_too_slowly_is_answered_and_its_connection_closed(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatepost.intake.body.BODY_SECONDS", 0.2)
    server = httpx2.URL(served.url)
    reader, writer = await asyncio.open_connection(server.host, server.port)
    head = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000"
    writer.write(f"POST {MOUNT}/sign-in HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\nsecret=".encode())
    answer = (await reader.read()).decode()
    writer.close()
    assert answer.startswith("HTTP/1.1 408 ")
    assert "took longer than 0.2 seconds" in answer


async def held(client: Client, path: str, fields: dict[str, Any], secret: str) -> httpx2.Response:
    """What is answered to a form that is sent without a session, once somebody has signed in with the secret."""
    asked = await client.post(path, {**fields, "csrf_token": "stale"})
    assert asked.status_code == 401
    assert f'action="{MOUNT}/{path}"' in asked.text
    kept: dict[str, Any] = {"secret": secret}
    for name, text in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', asked.text):
        kept.setdefault(name, []).append(text)
    return await client.post(path, kept)


async def test_each_form_that_changes_keys_is_kept_over_a_sign_in_and_nothing_is_done_by_it(served: Served) -> None:
    boss, target = await served.boss(), await served.keys.create("target", ["OBJECTS_LIST"])
    seq = (await served.keys.events(limit=1)).items[0].seq
    edit, rotate = f"keys/{target.key.id}/edit", f"keys/{target.key.id}/rotate"
    forms: list[tuple[str, dict[str, Any], str]] = [
        ("new", {"description": "typed", "permission": ["FILE_UPLOAD"], "expires": "30"}, 'value="typed"'),
        (edit, {"description": "typed", "version": target.key.version, "expires": "never"}, 'value="typed"'),
        (rotate, {"grace": "own", "grace_amount": "7.25", "version": target.key.version}, 'value="7.25"'),
        ("change", {"verb": "delete", "id": [target.key.id, boss.key.id]}, "2 keys will be deleted"),
    ]
    for path, fields, shown in forms:
        async with at(served) as client:
            answer = await held(client, path, fields, boss.secret)
            assert answer.status_code == 200, path
            assert shown in answer.text
            assert "You are signed in again" in answer.text
            assert boss.secret not in answer.text
            assert (await client.get()).status_code == 200
    assert (await served.keys.events(limit=1)).items[0].seq == seq


async def test_what_is_kept_holds_no_secret_and_goes_to_nobody_who_may_not_change_keys(served: Served) -> None:
    reader = await served.keys.create("reader", ["ACCESS_READ"])
    async with at(served) as client:
        wrong = await held(client, "new", {"description": "typed"}, "gp_wrong")
        assert wrong.status_code == 401
        assert 'name="description" value="typed"' in wrong.text
        assert "gp_wrong" not in wrong.text
        answer = await held(client, "new", {"description": "typed"}, reader.secret)
        assert answer.status_code == 403
        assert "ACCESS_MANAGE" in answer.text


async def test_a_form_that_signs_in_needs_the_token_of_somebody_not_signed_in(served: Served) -> None:
    boss = await served.boss()
    async with at(served) as client:
        assert (await client.post("new", {"description": "x", "secret": boss.secret})).status_code == 403
        await client.sign_in(boss.secret)
        fields = {"description": "x", "secret": boss.secret, "csrf_token": await client.token("new")}
        assert (await client.post("new", fields)).status_code == 403
    assert len((await served.keys.list()).items) == 1


async def test_a_session_that_is_over_is_told_of_and_one_that_was_ended_on_purpose_is_not(served: Served) -> None:
    boss = await served.boss()
    over = "the page was not used for a while"
    async with at(served) as client:
        assert over not in (await client.get()).text
        await client.sign_in(boss.secret)
        token = await client.token()
        del client.http.cookies["gatepost_session"]
        assert over in (await client.get()).text
        assert over not in (await client.get()).text
        await client.sign_in(boss.secret)
        await client.post("sign-out", {"csrf_token": await client.token()})
        assert over not in (await client.get()).text
        assert token


async def test_an_address_that_is_none_is_told_within_the_pages_frame_to_who_may_be_there(served: Served) -> None:
    boss = await served.boss()
    async with at(served) as client:
        assert "Sign out" not in (await client.get("nothing")).text
        await client.sign_in(boss.secret)
        answer = await client.get("nothing")
        assert answer.status_code == 404
        assert "Sign out" in answer.text
        assert f'href="{MOUNT}/"' in answer.text


async def test_an_unknown_permission_in_the_address_is_told_in_words_with_a_way_on(served: Served) -> None:
    boss = await served.boss()
    async with at(served) as client:
        await client.sign_in(boss.secret)
        answer = await client.get("?permission=NOPE")
        assert answer.status_code == 400
        assert "There is no permission called NOPE." in answer.text
        assert "catalogue" not in answer.text
        assert "Show all keys" in answer.text


async def test_people_are_called_by_the_description_of_the_key_that_they_use(served: Served) -> None:
    boss = await served.boss()
    async with at(served) as client:
        await client.sign_in(boss.secret)
        page = (await client.get()).text
    assert re.search(r'Signed in as </span><bdi title="the boss">the boss</bdi>', page)
    assert f"key {boss.key.id}" not in page


async def test_the_sign_in_says_which_key_it_takes_and_how_to_get_one(served: Served) -> None:
    async with at(served) as client:
        page = (await client.get()).text
    for text in ("ACCESS_MANAGE", "ACCESS_READ", "manage accesses", "gatepost keys create"):
        assert text in page


async def test_a_page_of_keys_weighs_the_same_however_many_permissions_they_hold(served: Served) -> None:
    boss = await served.boss()
    weights = []
    for permissions in (EVERYTHING[:4], EVERYTHING):
        made = [await served.keys.create(f"{len(permissions):02} {n:02}", permissions) for n in range(50)]
        async with at(served) as client:
            await client.sign_in(boss.secret)
            weights.append(len((await client.get(f"?search={len(permissions):02}")).text))
        assert len(made) == 50
    assert weights[1] < weights[0] * 1.02
    assert weights[1] < 150_000


async def test_a_key_that_may_not_look_at_keys_is_told_so_when_it_signs_in(served: Served) -> None:
    plain = await served.keys.create("plain", ["OBJECTS_LIST"])
    async with at(served) as client:
        answer = await client.sign_in(plain.secret)
        assert answer.status_code == 403
        assert "ACCESS_READ or ACCESS_MANAGE" in answer.text
        assert (await client.get()).status_code == 401


async def test_a_key_that_may_only_look_is_offered_no_change_and_refused_one(served: Served) -> None:
    reader = await served.keys.create("reader", ["ACCESS_READ"])
    async with at(served) as client:
        await client.sign_in(reader.secret)
        page = await client.get()
        assert page.status_code == 200
        assert "Add key" not in page.text
        assert "Deactivate" not in page.text.replace("Deactivated", "")
        assert (await client.get("new")).status_code == 403
        fields = {"csrf_token": await client.token(), "verb": "deactivate", "id": reader.key.id, "force": "on"}
        assert (await client.post("change", fields)).status_code == 403
    assert (await served.keys.get(reader.key.id)).active


async def test_nobody_grants_what_they_do_not_hold_whatever_their_browser_sends(served: Served) -> None:
    limited = await served.keys.create("limited", ["ACCESS_MANAGE", "OBJECTS_LIST"], project="acme")
    strong = await served.keys.create("strong", ["FILE_DELETE"], project="acme", active=False)
    async with at(served) as client:
        await client.sign_in(limited.secret)
        form = (await client.get("new")).text
        fields = {name: found(form, name) for name in ("csrf_token", "idempotency_key")}
        answer = await client.post("new", {**fields, "description": "mine", "permission": ["FILE_DELETE"]})
        assert answer.status_code == 403
        assert "Nobody grants what they do not hold" in answer.text
        assert 'value="mine"' in answer.text
        for path in (f"keys/{strong.key.id}/rotate", f"keys/{strong.key.id}/reveal"):
            answer = await client.post(path, {**fields, "grace": "0", "version": strong.key.version})
            assert answer.status_code in {403, 409}
            assert "gp_" not in answer.text.replace(strong.key.hint or "", "")
        answer = await client.post("change", {**fields, "verb": "activate", "id": strong.key.id})
        assert answer.status_code == 403
    assert not (await served.keys.get(strong.key.id)).active
    assert [key.description for key in (await served.keys.list()).items] == ["strong", "limited"]


async def test_keys_of_other_projects_are_as_if_they_were_not_there(served: Served) -> None:
    own = await served.keys.create("ours", ["ACCESS_MANAGE"], project="acme")
    other = await served.keys.create("theirs", [], project="other")
    async with at(served) as client:
        await client.sign_in(own.secret)
        token = await client.token()
        page = await client.get()
        assert "theirs" not in page.text
        assert "acme" in page.text
        assert "theirs" not in (await client.get("?project=other")).text
        assert "theirs" not in (await client.get("log")).text
        for path in (f"keys/{other.key.id}", f"keys/{other.key.id}/history", f"keys/{other.key.id}/rotate"):
            assert (await client.get(path)).status_code == 404
        answer = await client.post("change", {"csrf_token": token, "verb": "delete", "id": other.key.id})
        assert answer.status_code == 404
        fields = {"csrf_token": token, "idempotency_key": "i" * 20, "description": "formed", "project": "other"}
        assert (await client.post("new", fields)).status_code == 200
    assert await served.keys.get(other.key.id)
    assert {key.project for key in (await served.keys.list(search="formed")).items} == {"acme"}


async def test_a_form_that_is_sent_twice_makes_one_key_and_tells_the_same_secret(served: Served) -> None:
    boss = await served.boss()
    async with at(served) as client:
        await client.sign_in(boss.secret)
        page = (await client.get("new")).text
        fields = {name: found(page, name) for name in ("csrf_token", "idempotency_key")}
        fields |= {"description": "once", "permission": "OBJECTS_LIST", "expires": "30"}
        first, second = await client.post("new", fields), await client.post("new", fields)
        pattern = r'id="secret-text"[^>]*>([^<]*)<'
        assert re.findall(pattern, first.text) == re.findall(pattern, second.text)
        changed = await client.post("new", {**fields, "description": "another"})
        assert changed.status_code == 409
        assert "has made a key already" in changed.text
        fields["idempotency_key"] = found(changed.text, "idempotency_key")
        assert (await client.post("new", {**fields, "description": "another"})).status_code == 200
    assert [key.description for key in (await served.keys.list()).items] == ["another", "once", "the boss"]


async def test_a_form_that_is_too_long_or_no_form_is_refused(served: Served) -> None:
    boss = await served.boss()
    async with at(served) as client:
        await client.sign_in(boss.secret)
        token = await client.token()
        long = await client.post("new", {"csrf_token": token, "description": "x" * form.BODY_MAX})
        assert long.status_code == 413
        assert (await client.http.post("new", json={"description": "x"})).status_code == 415
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        for body in (b"description=%ff", b"\xff=1", b"&".join([b"a=b"] * 5000)):
            assert (await client.http.post("new", content=body, headers=kind)).status_code == 400


async def test_odd_addresses_are_answered_with_a_page_that_says_so(served: Served) -> None:
    boss = await served.boss()
    statuses = {
        "change?verb=explode&id=x": 400,
        "change?verb=deactivate": 400,
        "keys/unknown": 404,
        "keys/000000000000": 404,
        "keys/000000000000/history": 404,
        "?after=nonsense": 400,
        "?permission=NOPE": 400,
        "log?after=nonsense": 400,
        "?sort=nonsense&state=nonsense": 200,
        "nothing": 404,
        "keys": 404,
        "new/": 404,
    }
    async with at(served) as client:
        await client.sign_in(boss.secret)
        for path, status in statuses.items():
            answer = await client.get(path)
            assert (path, answer.status_code) == (path, status)
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert "<h1" in answer.text


async def test_a_method_that_a_page_does_not_take_is_405(served: Served) -> None:
    async with at(served) as client:
        assert (await client.http.put("new")).status_code == 405
        assert (await client.http.get("sign-out")).status_code == 405


async def test_an_outage_is_503_and_never_the_sign_in(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    boss = await served.boss()

    async def away(*_args: object, **_options: object) -> None:
        raise UnavailableError("The database is away", 7)

    async with at(served) as client:
        await client.sign_in(boss.secret)
        for verb in ("list", "judge_presented"):
            monkeypatch.setattr(served.keys, verb, away)
            answer = await client.get()
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "7"
            assert "The keys cannot be reached" in answer.text
            assert "Secret key" not in answer.text
            assert "set-cookie" not in answer.headers
            monkeypatch.undo()
        assert (await client.get()).status_code == 200


async def test_a_change_that_nobody_knows_the_end_of_is_told_as_that(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    boss = await served.boss()

    async def vanish(*_args: object, **_options: object) -> None:
        raise UncertainCommitError("gone", 9)

    async with at(served) as client:
        await client.sign_in(boss.secret)
        fields = {"csrf_token": await client.token(), "verb": "deactivate", "id": boss.key.id}
        monkeypatch.setattr(served.keys, "deactivate", vanish)
        answer = await client.post("change", fields)
    assert answer.status_code == 503
    assert "Nobody knows whether this was done" in answer.text


async def test_a_fault_of_ours_is_a_page_without_details(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    boss = await served.boss()

    async def fail(*_args: object, **_options: object) -> None:
        raise RuntimeError("a secret detail")

    async with at(served) as client:
        await client.sign_in(boss.secret)
        monkeypatch.setattr(served.keys, "list", fail)
        answer = await client.get()
    assert answer.status_code == 500
    assert "Something went wrong" in answer.text
    assert "detail" not in answer.text
    assert answer.headers["x-frame-options"] == "DENY"


async def test_a_session_that_is_used_goes_on_and_one_that_is_not_ends(
    ready_sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    for module in (entrance, sign_in, visit, fernet):
        monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: now))
    async with serving(ready_sqlite_url, session_seconds=300.0) as served, at(served) as client:
        boss = await served.boss()
        first = await client.sign_in(boss.secret)
        assert "Max-Age=300" in first.headers["set-cookie"]
        for _ in range(3):
            now += 120
            answer = await client.get()
            assert answer.status_code == 200
            assert "gatepost_session" in answer.headers["set-cookie"]
        kept = client.http.cookies["gatepost_session"]
        now += 301
        answer = await client.get(headers={"Cookie": f"gatepost_session={kept}"})
        assert answer.status_code == 401
        assert "not used for a while" in answer.text
        assert "Max-Age=0" in answer.headers["set-cookie"]


async def test_with_authorize_the_host_app_decides_alone(ready_sqlite_url: str) -> None:
    async def authorize(request: Any) -> Actor | None:
        name = request.headers.get("x-user")
        return Actor(name, operator=True, address="192.0.2.9") if name else None

    async with serving(ready_sqlite_url, authorize=authorize) as served:
        boss = await served.boss()
        async with at(served) as stranger:
            answer = await stranger.get()
            assert answer.status_code == 403
            assert "Secret key" not in answer.text
            assert (await stranger.get("sign-in")).status_code == 404
        async with at(served, headers={"X-User": "maria"}) as maria, at(served, headers={"X-User": "otto"}) as otto:
            page = await maria.get()
            assert page.status_code == 200
            assert "Sign out" not in page.text
            assert "gatepost_session" not in maria.http.cookies
            fields = {"verb": "deactivate", "id": boss.key.id}
            assert (await maria.post("change", fields)).status_code == 403
            otto.http.cookies = maria.http.cookies
            assert (await otto.post("change", {**fields, "csrf_token": await maria.token("new")})).status_code == 403
            assert (await maria.post("change", {**fields, "csrf_token": await maria.token("new")})).status_code == 200
        event = (await served.keys.events()).items[0]
        assert (event.kind, event.actor, event.address) == ("deactivated", "maria", "192.0.2.9")


async def test_authorize_may_be_a_plain_function(ready_sqlite_url: str) -> None:
    async with (
        serving(ready_sqlite_url, authorize=lambda _request: Actor("maria", operator=True)) as served,
        at(served) as client,
    ):
        assert (await client.get()).status_code == 200


async def test_the_page_works_at_the_root_too(ready_sqlite_url: str) -> None:
    async with serving(ready_sqlite_url, mount="") as served, at(served) as client:
        boss = await served.boss()
        answer = await client.sign_in(boss.secret)
        assert answer.headers["location"] == "/"
        assert "Path=/;" in answer.headers["set-cookie"]
        page = await client.get()
        assert page.status_code == 200
        assert 'href="/new"' in page.text


async def test_the_title_and_the_presets_are_the_hosts(ready_sqlite_url: str) -> None:
    presets = {"Editors & co": ["FILE_RENAME", "FILE_MOVE"]}
    async with serving(ready_sqlite_url, title="Access <keys>", presets=presets) as served, at(served) as client:
        boss = await served.boss()
        await client.sign_in(boss.secret)
        page = (await client.get("new")).text
    assert "Access &lt;keys&gt;" in page
    assert 'data-names="FILE_MOVE FILE_RENAME"' in page
    assert "Editors &amp; co" in page
    assert "Read only" not in page
