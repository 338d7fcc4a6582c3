"""Ten thousand bodies, most of them nonsense: never a 500, and never more than the caller may do."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from gatepost.rules.authority import ACCESS_MANAGE
from tests.admin.api.site import JSON_TYPE, Site, refusal

BODIES = 10_000
AT_ONCE = 3
SEED = 20_261_124

ODD_TEXTS = [
    "",
    " ",
    "\0",
    "a\0b",
    "\x7f",
    "\u202e",
    "\u2028",
    "\ufeff",
    "e\u0301",
    "\U0001f511",
    "\U0010ffff",
    "\ufffd",
    "x" * 201,
    "x" * 70_000,
    "<script>alert(1)</script>",
    "'; DROP TABLE gatepost_keys; --",
    "%s%n{0}${x}",
    "../../etc/passwd",
    "FILE_UPLOAD",
    "true",
    "null",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00",
    "2999-01-01T00:00:00Z",
    "2999-02-30T00:00:00Z",
    "000000000000",
]
ODD_NUMBERS = [0, -0.0, 1, -1, 0.5, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 2**64, 10**400, 1e308, 5e-324, -1e-300]
RAW_VALUES = [
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"-",
    b"01",
    b"1.",
    b"\\x00",
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
]
RAW_VALUES += [
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b'"\xc0\x80"',
    b'"\x00"',
    b"[" * 2000,
    b'{"a":' * 2000,
    b"'x'",
    b"undefined",
]
MEMBERS = [
    "description",
    "permissions",
    "project",
    "expires_at",
    "allow",
    "resources",
    "limits",
    "owner",
    "environment",
    "metadata",
    "selection",
    "changes",
    "preview",
    "active",
    "grace",
    "ids",
    "id",
    "secret",
    "",
    "__class__",
]


class Fuzzer:
    """Makes bodies. `caller_id`: of the key that sends them: it is not rotated, which would end its secret. `ids`: of
    others."""

    def __init__(self, caller_id: str, ids: Sequence[str]) -> None:
        self._dice = random.Random(SEED)
        self._ids = [caller_id, *ids]

    def path(self) -> tuple[str, str, Any]:
        """A method, a path, and a body that fits."""
        dice, key_id = self._dice, self._dice.choice(self._ids)
        return dice.choice(
            [
                ("POST", "/keys", {"description": "fuzz", "permissions": [], "project": "acme", "active": True}),
                ("PATCH", f"/keys/{key_id}", {"description": "fuzz", "permissions": [], "expires_at": None}),
                ("POST", f"/keys/{dice.choice(self._ids[1:])}/rotate", {"grace": 1.5}),
                ("POST", "/keys/activate", {"ids": [key_id, "000000000000"]}),
                ("POST", "/keys/deactivate", {"ids": [key_id]}),
                ("POST", "/selected/deactivate", {"selection": {"owner": "nobody"}, "preview": True}),
                ("POST", "/selected/update", {"selection": {"owner": "nobody"}, "changes": {"metadata": {"a": 1}}}),
            ]
        )

    def body(self, fitting: Any) -> bytes:
        """The body of a call that would take `fitting`."""
        makers: list[Callable[[Any], bytes]] = [
            self._changed,
            self._changed,
            self._changed,
            self._cut,
            self._with_raw_value,
            lambda _: self._dice.randbytes(self._dice.randrange(200)),
            lambda _: json.dumps(self._value(4)).encode(),
        ]
        return self._dice.choice(makers)(fitting)

    def _changed(self, fitting: Any) -> bytes:
        """One to three members of other values, without one, or with one more."""
        body = dict(fitting)
        for _ in range(self._dice.randint(1, 3)):
            name = self._dice.choice([*fitting, self._dice.choice(MEMBERS)])
            if self._dice.random() < 0.2:
                body.pop(name, None)
            else:
                body[name] = self._value(2)
        return json.dumps(body, ensure_ascii=self._dice.random() < 0.5).encode("utf-8", "surrogatepass")

    def _cut(self, fitting: Any) -> bytes:
        """A byte changed, taken out or put in; or the end cut off."""
        body = bytearray(orjson.dumps(fitting))
        at = self._dice.randrange(len(body))
        part = self._dice.choice([b"", bytes([self._dice.randrange(256)]), b"\xff\xfe", b'"', b"\\u"])
        body[at : self._dice.choice([at, at + 1, len(body)])] = part
        return bytes(body)

    def _with_raw_value(self, fitting: Any) -> bytes:
        """A member whose value is no JSON."""
        name = self._dice.choice([*fitting, *MEMBERS])
        return b'{"%s": %s}' % (name.encode(), self._dice.choice(RAW_VALUES))

    def _value(self, depth: int) -> Any:
        dice = self._dice
        if depth and dice.random() < 0.4:
            if dice.random() < 0.5:
                return [self._value(depth - 1) for _ in range(dice.randrange(4))]
            return {dice.choice([*MEMBERS, *ODD_TEXTS[:12]]): self._value(depth - 1) for _ in range(dice.randrange(4))}
        text = "".join(
            chr(dice.choice([dice.randrange(0x110000), dice.randrange(0x300)])) for _ in range(dice.randrange(9))
        )
        return dice.choice(
            [None, True, False, dice.choice(ODD_NUMBERS), dice.choice(ODD_TEXTS), dice.choice(self._ids), text]
        )


async def test_ten_thousand_bodies_never_break_the_api(small_site: Site) -> None:
    caller = await small_site.caller(ACCESS_MANAGE, "FILE_UPLOAD", project="acme")
    own = [(await small_site.keys.create("own", project="acme")).key.id for _ in range(5)]
    others = {
        (await small_site.keys.create("hidden", ["FILE_DELETE"], project=project)).key for project in ("zeta", None)
    }
    fuzzer = Fuzzer(caller.key_id, [*own, *(key.id for key in others)])
    statuses: Counter[int] = Counter()
    left = iter(range(BODIES))

    async def call() -> None:
        for _ in left:
            method, path, fitting = fuzzer.path()
            body = fuzzer.body(fitting)
            response = await caller.call(method, path, content=body, headers=JSON_TYPE)
            statuses[response.status_code] += 1
            assert response.status_code < 500, (path, body, response.text)
            if response.status_code >= 400:
                refusal(response)

    await asyncio.gather(*(call() for _ in range(AT_ONCE)))
    assert statuses.total() == BODIES
    assert statuses.keys() == {200, 201, 400, 403, 404, 409}, statuses
    assert {await small_site.keys.get(key.id) for key in others} == others
    page = await small_site.keys.list(limit=500)
    reached = [key for key in page.items if key not in others]
    assert {key.project for key in reached} == {"acme"}
    assert frozenset().union(*(key.permissions for key in reached)) <= {ACCESS_MANAGE, "FILE_UPLOAD"}
    assert (await small_site.keys.verify(caller.secret)).valid
