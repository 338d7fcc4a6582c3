"""GitLab's two routes, as its documentation has them."""

from typing import Any

import pytest

from gatepost import APIKeys
from gatepost.leaks import GitLab
from tests.leaks.conftest import Caller

TOKEN = "t" * 40
TYPES, REVOKE = "/gitlab/v1/revocable_token_types", "/gitlab/v1/revoke_tokens"
KIND = "gitleaks_rule_id_gatepost"


def told(secret: str, **more: Any) -> dict[str, Any]:
    return {"type": KIND, "token": secret, "location": "https://gitlab.example/a/-/blob/1/b.txt?x=1#L3"} | more


async def test_the_kinds_of_secrets_are_told_to_who_has_the_token(calling: Caller) -> None:
    async with calling(gitlab=GitLab(TOKEN)) as client:
        answer = await client.get(TYPES, headers={"authorization": TOKEN})
        assert (answer.status_code, answer.json()) == (200, {"types": [KIND]})
        assert (await client.get(TYPES, headers={"authorization": f"Bearer {TOKEN}"})).status_code == 200


async def test_tokens_are_revoked_once_and_what_is_of_another_kind_is_let_be(keys: APIKeys, calling: Caller) -> None:
    issued, other = await keys.create("a key"), await keys.create("another")
    entries = [told(issued.secret), told(other.secret, type="gitleaks_rule_id_aws"), told("invented")]
    async with calling(gitlab=GitLab(TOKEN)) as client:
        for _ in range(2):
            answer = await client.post(REVOKE, json=entries, headers={"authorization": TOKEN})
            assert (answer.status_code, answer.content) == (204, b"")
    assert not (await keys.verify(issued.secret)).valid
    assert (await keys.verify(other.secret)).valid
    (leaked,) = (await keys.events(issued.key.id, kind="leaked")).items
    assert leaked.detail == {
        "source": "GitLab secret detection",
        "place": "https://gitlab.example/a/-/blob/1/b.txt",
        "response": "deactivate",
    }


async def test_who_has_not_the_token_is_refused_then_slowed_and_nothing_is_read(keys: APIKeys, calling: Caller) -> None:
    issued = await keys.create("a key")
    async with calling(gitlab=GitLab(TOKEN)) as client:
        for headers in (
            [],
            [(b"authorization", b"x")],
            [(b"authorization", TOKEN[:-1].encode())],
            [(b"authorization", b"\xfc")],
        ):
            answer = await client.post(REVOKE, json=[told(issued.secret)], headers=headers)
            assert answer.status_code == 401
        twice = [("authorization", TOKEN), ("authorization", TOKEN)]
        assert (await client.post(REVOKE, json=[], headers=twice)).status_code == 401
        late = await client.post(REVOKE, json=[told(issued.secret)], headers={"authorization": TOKEN})
        assert (late.status_code, late.headers["retry-after"]) == (429, "1")
    assert (await keys.verify(issued.secret)).valid


@pytest.mark.parametrize("body", [{}, [1], [{"type": KIND}], [told("a", token=1)], [{"type": "a"}] * 2_001])
async def test_what_is_no_list_of_tokens_is_refused(calling: Caller, body: Any) -> None:
    async with calling(gitlab=GitLab(TOKEN)) as client:
        answer = await client.post(REVOKE, json=body, headers={"authorization": TOKEN})
    assert answer.status_code == 400


def test_the_token_is_not_shown() -> None:
    assert TOKEN not in repr(GitLab(TOKEN))
