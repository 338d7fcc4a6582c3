"""Bodies of which most are nonsense, for `TemporarySecrets`: never a 500, nothing wider than what it is made from."""

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import httpx2
import orjson
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from gatepost import APIKeyMiddleware, APIKeys, TemporarySecrets
from gatepost.issuing.app import MEMBERS
from tests.admin.api.test_fuzz import ODD_NUMBERS, ODD_TEXTS, RAW_VALUES
from tests.temporary.conftest import ORIGIN

MAY = ["FILE_UPLOAD", "OBJECTS_LIST"]
BODIES = 600
SEED = 20_261_130


@pytest.mark.parametrize("template", [5, True, 0, 1.5, [], ["a"], {}, {"a": 1}, "", "nonsense", "x" * 5000])
async def test_a_template_that_is_no_id_is_refused(ready_sqlite_url: str, template: Any) -> None:
    async with APIKeys(ready_sqlite_url) as keys, _client(keys, {}) as client:
        answer = await client.post("/t/temporary", json={"template": template})
    assert answer.status_code == (404 if isinstance(template, str) else 400)


async def test_no_body_makes_it_fail_or_give_more(ready_sqlite_url: str) -> None:
    dice = random.Random(SEED)
    seen: Counter[int] = Counter()
    async with APIKeys(ready_sqlite_url, usage=False) as keys:
        key = await keys.create("a key", MAY)
        template = await keys.templates.create("a widget", MAY, public=True)
        fitting: dict[str, Any] = {"permissions": ["FILE_UPLOAD"], "lifetime": 60, "allow": ["192.0.2.1"]}
        fitting |= {"limits": [{"type": "rate", "units": 5, "per": 60}], "resources": ["dir:/a"]}
        for number in range(BODIES):
            about = {"template": template.id} if dice.random() < 0.5 else {"subject": "ann"}
            headers = {"X-API-Key": key.secret, "Content-Type": "application/json"}
            async with _client(keys, headers, f"10.0.{number // 250}.{number % 250}") as client:
                answer = await client.post("/t/temporary", content=_body(dice, fitting | about))
            seen[answer.status_code] += 1
            assert answer.status_code in {201, 400, 404, 413}, answer.text
            if answer.status_code == 201:
                assert set(answer.json()["permissions"]) <= set(MAY)
    assert seen[201] > BODIES / 20, seen
    assert seen[400] > BODIES / 5, seen


def _client(keys: APIKeys, headers: Mapping[str, str], address: str = "192.0.2.7") -> httpx2.AsyncClient:
    app = APIKeyMiddleware(Starlette(routes=[Mount("/t", TemporarySecrets(keys))]), keys, optional=True)
    transport = httpx2.ASGITransport(app=app, client=(address, 1))
    return httpx2.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers)


def _body(dice: random.Random, fitting: dict[str, Any]) -> bytes:
    """One that fits, some of it, or with something odd in one place."""
    told = {name: value for name, value in fitting.items() if name == "template" or dice.random() < 0.7}
    how = dice.random()
    name = dice.choice([*MEMBERS, "", "__class__"])
    if how < 0.2:
        return orjson.dumps(told)
    if how < 0.4:
        raw = dice.choice(RAW_VALUES)
        return raw if dice.random() < 0.3 else b'{"' + name.encode() + b'":' + raw + b"}"
    told[name] = _odd(dice)
    try:
        return orjson.dumps(told)
    except TypeError:  # an integer of more than 64 bits
        return b'{"lifetime":1' + b"0" * 400 + b"}"


def _odd(dice: random.Random, depth: int = 0) -> Any:
    if depth < 2 and dice.random() < 0.4:
        odd = [_odd(dice, depth + 1) for _ in range(dice.randrange(4))]
        return odd if dice.random() < 0.6 else {dice.choice(["type", "units", "per", "a", ""]): each for each in odd}
    return dice.choice([None, True, False, [], {}, *ODD_TEXTS, *ODD_NUMBERS])
