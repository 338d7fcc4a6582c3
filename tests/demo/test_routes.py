"""The asset store over HTTP: what each route does, that its permission guards it, and how it answers bad requests."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from PIL import Image
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatepost import DAM
from gatepost.asgi.routes.exempt import Exemptions
from gatepost.demo import curation, sharing
from gatepost.demo.app import EXEMPT, JSON_MAX_BYTES, ROUTES, asset_store
from gatepost.demo.ledger import UPLOAD_MAX_BYTES, digest
from gatepost.demo.store import AssetStore
from tests.demo.conftest import snapshot

ALL = frozenset(str(name) for name in DAM)


class Granting:
    """Stands where `APIKeyMiddleware` would: says which permissions the caller has."""

    def __init__(self, app: ASGIApp, permissions: frozenset[str]) -> None:
        self.app = app
        self.permissions = permissions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app({**scope, "permissions": self.permissions}, receive, send)


@dataclass
class World:
    """A store with one of everything in it, as the app shows it to a caller with `permissions`."""

    store: AssetStore
    root: Path
    names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        curation.change_file_labels(self.store, "docs/note.txt", ["draft"])
        curation.set_collection(self.store, "kit", ["docs/note.txt"])
        self.store.create_file_meta("docs/old/plan.txt", {"title": "Plan"})
        self.store.change_accesses("photos", ["alice"])
        self.names["approval"] = curation.request_approval(self.store, "docs/note.txt")["id"]
        for name, link in (
            ("share", sharing.create_share(self.store, "docs")),
            ("airbox", sharing.create_airbox(self.store, "inbox")),
        ):
            self.names[name] = link["id"]
            self.names[f"{name}_token"] = link["url"].rpartition("/")[2]

    def client(self, permissions: frozenset[str] = ALL) -> TestClient:
        return TestClient(Granting(asset_store(self.store), permissions), follow_redirects=False)

    def call(self, case: "Case", permissions: frozenset[str] = ALL) -> Response:
        url = case.url.format(**self.names)
        return self.client(permissions).request(case.method, url, json=case.json, content=case.content)

    def get(self, url: str) -> Any:
        """What a later read answers."""
        return self.client().get(url.format(**self.names)).json()

    def on_disk(self, path: str) -> Path:
        return self.root / "files" / path


@pytest.fixture
def world(store: AssetStore, root: Path) -> World:
    return World(store, root)


@dataclass(frozen=True)
class Case:
    """One request to one route, and what must be true after it was answered. `path`: as in `ROUTES`.

    `permission`: the one that must guard the route, `None` for one that needs no key.
    """

    permission: str | None
    method: str
    path: str
    url: str
    effect: Callable[[World, Response], bool]
    json: Any = None
    content: bytes | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def paths(listing: Any) -> list[str]:
    return [found["path"] for found in listing]


def image_size(file: Path) -> tuple[int, int]:
    with Image.open(file) as image:
        return image.size


CASES = [
    Case(
        None,
        "GET",
        "/",
        "/",
        lambda _, r: "FILE_UPLOAD" in r.text and r.headers["content-type"].startswith("text/html"),
    ),
    Case(None, "GET", "/health", "/health", lambda _, r: r.json() == {"status": "ok"}),
    Case(
        "OBJECTS_LIST",
        "GET",
        "/objects",
        "/objects?directory=docs",
        lambda _, r: paths(r.json()) == ["docs/note.txt", "docs/old"],
    ),
    Case(
        "OBJECTS_FETCH",
        "GET",
        "/objects/{path:path}",
        "/objects/docs/old/plan.txt",
        lambda _, r: r.json()["meta"] == {"title": "Plan"} and r.json()["type"] == "text/plain",
    ),
    Case(
        "OBJECTS_FETCH",
        "GET",
        "/files/{path:path}",
        "/files/photos/red.png",
        lambda w, r: r.content == w.on_disk("photos/red.png").read_bytes() and r.headers["content-type"] == "image/png",
    ),
    Case(
        "FILE_UPLOAD",
        "PUT",
        "/files/{path:path}",
        "/files/docs/new%20file.txt",
        lambda w, _: w.on_disk("docs/new file.txt").read_bytes() == b"fresh",
        content=b"fresh",
    ),
    Case(
        "FILE_DELETE",
        "DELETE",
        "/files/{path:path}",
        "/files/docs/note.txt",
        lambda w, _: not w.on_disk("docs/note.txt").exists(),
    ),
    Case(
        "FILE_META_CREATE",
        "POST",
        "/files/{path:path}/meta",
        "/files/docs/note.txt/meta",
        lambda w, _: w.get("/objects/docs/note.txt")["meta"] == {"title": "Note", "year": 2024},
        json={"meta": {"title": "Note", "year": 2024}},
    ),
    Case(
        "FILE_META_CHANGE",
        "PATCH",
        "/files/{path:path}/meta",
        "/files/docs/old/plan.txt/meta",
        lambda w, _: w.get("/objects/docs/old/plan.txt")["meta"] == {"title": "Better plan"},
        json={"meta": {"title": "Better plan"}},
    ),
    Case(
        "FILE_RENAME",
        "POST",
        "/files/{path:path}/rename",
        "/files/docs/note.txt/rename",
        lambda w, _: w.on_disk("docs/memo.txt").exists() and not w.on_disk("docs/note.txt").exists(),
        json={"name": "memo.txt"},
    ),
    Case(
        "FILE_MOVE",
        "POST",
        "/files/{path:path}/move",
        "/files/docs/note.txt/move",
        lambda w, _: w.on_disk("inbox/note.txt").exists() and not w.on_disk("docs/note.txt").exists(),
        json={"directory": "inbox"},
    ),
    Case(
        "FILE_SET_VISIBILITY",
        "PATCH",
        "/files/{path:path}/visibility",
        "/files/docs/note.txt/visibility",
        lambda w, _: w.get("/shared/{share_token}") == [{"path": "old/plan.txt"}],
        json={"visibility": "private"},
    ),
    Case(
        "FILE_LABEL_CHANGE",
        "PATCH",
        "/files/{path:path}/labels",
        "/files/photos/red.png/labels",
        lambda w, _: paths(w.get("/objects?deep=1&label=draft")) == ["docs/note.txt", "photos/red.png"],
        json={"labels": ["draft"]},
    ),
    Case(
        "FILE_PRODUCT_CHANGE",
        "PATCH",
        "/files/{path:path}/product",
        "/files/photos/red.png/product",
        lambda w, _: w.get("/objects/photos/red.png")["product"] == {"reference": "SKU-1", "position": 2},
        json={"reference": "SKU-1", "position": 2},
    ),
    Case(
        "FILE_IMAGE_EDITOR",
        "POST",
        "/files/{path:path}/edit",
        "/files/photos/red.png/edit",
        lambda w, _: image_size(w.on_disk("photos/red.png")) == (20, 40),
        json={"operations": [{"rotate": 90}]},
    ),
    Case(
        "FILE_PROCESS_AUTOTAGGING",
        "POST",
        "/files/{path:path}/autotag",
        "/files/photos/red.png/autotag",
        lambda w, _: paths(w.get("/objects?deep=1&tag=color:red")) == ["photos/red.png"],
    ),
    Case(
        "DIR_CREATE",
        "PUT",
        "/directories/{path:path}",
        "/directories/docs/new",
        lambda w, _: list(w.on_disk("docs/new").iterdir()) == [],
    ),
    Case(
        "DIR_DELETE",
        "DELETE",
        "/directories/{path:path}",
        "/directories/docs?recursive=1",
        lambda w, _: not w.on_disk("docs").exists(),
    ),
    Case(
        "DIR_META_CHANGE",
        "PATCH",
        "/directories/{path:path}/meta",
        "/directories/docs/meta",
        lambda w, _: w.get("/objects/docs")["meta"] == {"owner": "me"},
        json={"meta": {"owner": "me"}},
    ),
    Case(
        "DIR_RENAME",
        "POST",
        "/directories/{path:path}/rename",
        "/directories/docs/rename",
        lambda w, _: w.on_disk("texts/old/plan.txt").exists() and not w.on_disk("docs").exists(),
        json={"name": "texts"},
    ),
    Case(
        "DIR_MOVE",
        "POST",
        "/directories/{path:path}/move",
        "/directories/docs/old/move",
        lambda w, _: w.on_disk("old/plan.txt").exists() and not w.on_disk("docs/old").exists(),
        json={"directory": ""},
    ),
    Case(
        "DIR_SET_VISIBILITY",
        "PATCH",
        "/directories/{path:path}/visibility",
        "/directories/docs/visibility",
        lambda w, _: paths(w.get("/objects")) == ["inbox", "photos"],
        json={"visibility": "private"},
    ),
    Case(
        "ACCESS_READ",
        "GET",
        "/directories/{path:path}/accesses",
        "/directories/photos/accesses",
        lambda _, r: r.json() == {"path": "photos", "names": ["alice"]},
    ),
    Case(
        "ACCESS_MANAGE",
        "PATCH",
        "/directories/{path:path}/accesses",
        "/directories/docs/accesses",
        lambda w, _: paths(w.get("/objects?person=alice")) == ["inbox", "photos"],
        json={"names": ["bob"]},
    ),
    Case(
        "LABELS_LIST",
        "GET",
        "/labels",
        "/labels",
        lambda _, r: r.json() == [{"name": "draft", "color": "#f9a825", "files": 1}],
    ),
    Case(
        "LABEL_MANAGE",
        "PUT",
        "/labels/{name}",
        "/labels/final",
        lambda w, _: w.get("/labels")[1] == {"name": "final", "color": "#00ff00", "files": 0},
        json={"color": "#00ff00"},
    ),
    Case(
        "LABEL_MANAGE",
        "DELETE",
        "/labels/{name}",
        "/labels/draft",
        lambda w, _: w.get("/labels") == [] == w.get("/objects/docs/note.txt")["labels"],
    ),
    Case(
        "COLLECTIONS_LIST",
        "GET",
        "/collections",
        "/collections",
        lambda _, r: r.json() == [{"name": "kit", "files": ["docs/note.txt"]}],
    ),
    Case(
        "COLLECTIONS_MANAGE",
        "PUT",
        "/collections/{name}",
        "/collections/kit",
        lambda w, _: w.get("/collections") == [{"name": "kit", "files": ["photos/red.png", "docs/note.txt"]}],
        json={"files": ["photos/red.png", "docs/note.txt"]},
    ),
    Case(
        "COLLECTIONS_MANAGE",
        "DELETE",
        "/collections/{name}",
        "/collections/kit",
        lambda w, _: w.get("/collections") == [],
    ),
    Case(
        "OBJECTS_APPROVAL_MANAGE",
        "POST",
        "/approvals",
        "/approvals",
        lambda w, r: (
            {"id": r.json()["id"], "path": "photos/red.png", "quorum": 2, "votes": {}, "state": "open"}
            in w.get("/approvals")
        ),
        json={"path": "photos/red.png", "quorum": 2},
    ),
    Case(
        "OBJECTS_APPROVAL_MANAGE",
        "GET",
        "/approvals",
        "/approvals",
        lambda w, r: r.json()[0]["id"] == w.names["approval"],
    ),
    Case(
        "OBJECTS_APPROVAL_MANAGE",
        "DELETE",
        "/approvals/{approval_id}",
        "/approvals/{approval}",
        lambda w, _: w.get("/approvals") == [],
    ),
    Case(
        "OBJECTS_APPROVAL_VOTE",
        "POST",
        "/approvals/{approval_id}/votes",
        "/approvals/{approval}/votes",
        lambda w, _: w.get("/approvals")[0]["state"] == "rejected",
        json={"voter": "alice", "vote": "reject"},
    ),
    Case(
        "OBJECTS_SHARE_MANAGE",
        "POST",
        "/shares",
        "/shares",
        lambda w, r: w.client().get(r.json()["url"]).content == w.on_disk("photos/red.png").read_bytes(),
        json={"path": "photos/red.png"},
    ),
    Case("OBJECTS_SHARE_MANAGE", "GET", "/shares", "/shares", lambda w, r: r.json()[0]["id"] == w.names["share"]),
    Case(
        "OBJECTS_SHARE_MANAGE",
        "DELETE",
        "/shares/{link_id}",
        "/shares/{share}",
        lambda w, _: w.get("/shared/{share_token}")["status"] == 404,
    ),
    Case(
        None,
        "GET",
        "/shared/{token}",
        "/shared/{share_token}",
        lambda _, r: r.json() == [{"path": "note.txt"}, {"path": "old/plan.txt"}],
    ),
    Case(
        None,
        "GET",
        "/shared/{token}/{path:path}",
        "/shared/{share_token}/old/plan.txt",
        lambda _, r: r.content == b"An old plan.\n" and r.headers["content-security-policy"] == "sandbox",
    ),
    Case(
        "OBJECTS_AIRBOX_MANAGE",
        "POST",
        "/airboxes",
        "/airboxes",
        lambda w, r: (
            w.client().put(r.json()["url"] + "/x.txt", content=b"x").json() == {"name": "x.txt", "bytes": 1}
            and w.on_disk("docs/x.txt").read_bytes() == b"x"
        ),
        json={"directory": "docs", "files": 1},
    ),
    Case("OBJECTS_AIRBOX_MANAGE", "GET", "/airboxes", "/airboxes", lambda w, r: r.json()[0]["id"] == w.names["airbox"]),
    Case(
        "OBJECTS_AIRBOX_MANAGE",
        "DELETE",
        "/airboxes/{link_id}",
        "/airboxes/{airbox}",
        lambda w, _: w.get("/airbox/{airbox_token}")["status"] == 404,
    ),
    Case(None, "GET", "/airbox/{token}", "/airbox/{airbox_token}", lambda _, r: r.json()["remaining"] == 10),
    Case(
        None,
        "PUT",
        "/airbox/{token}/{name}",
        "/airbox/{airbox_token}/cv.txt",
        lambda w, _: w.on_disk("inbox/cv.txt").read_bytes() == b"my life",
        content=b"my life",
    ),
    Case("CONFIG_LIST", "GET", "/config", "/config", lambda _, r: r.json()["upload_max_bytes"] == UPLOAD_MAX_BYTES),
    Case(
        "CONFIG_CHANGE",
        "PATCH",
        "/config",
        "/config",
        lambda w, _: w.client().put("/files/docs/x.txt", content=b"12345").status_code == 413,
        json={"upload_max_bytes": 4},
    ),
]

GUARDED = [case for case in CASES if case.permission]
OPEN = [case for case in CASES if not case.permission]


def test_each_of_the_31_permissions_guards_a_route_and_every_route_is_tried_here() -> None:
    assert len(ALL) == 31
    assert {case.permission for case in CASES} == ALL | {None}
    assert [(case.permission, case.method, case.path) for case in CASES] == [
        (route.permission, route.method, route.path) for route in ROUTES
    ]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_route_does_the_real_thing(world: World, case: Case) -> None:
    response = world.call(case)
    assert response.is_success, response.text
    assert case.effect(world, response), response.text


@pytest.mark.parametrize("case", GUARDED, ids=str)
def test_its_own_permission_alone_opens_a_route(world: World, case: Case) -> None:
    assert case.permission
    assert world.call(case, frozenset({case.permission})).is_success


@pytest.mark.parametrize("case", GUARDED, ids=str)
def test_all_other_permissions_together_do_not_open_a_route_and_nothing_changes(world: World, case: Case) -> None:
    before = snapshot(world.root)
    response = world.call(case, ALL - {case.permission})
    assert response.status_code == 403
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["missing"] == [case.permission]
    assert snapshot(world.root) == before


@pytest.mark.parametrize("case", OPEN, ids=str)
def test_an_open_route_needs_no_permission(world: World, case: Case) -> None:
    assert world.call(case, frozenset()).is_success


def test_exactly_the_open_routes_are_exempt(world: World) -> None:
    exempt = Exemptions(EXEMPT)
    for case in CASES:
        path = case.url.format(**world.names).partition("?")[0]
        assert exempt.match({"type": "http", "path": path}) == (case.permission is None), path


def test_the_index_lists_every_route_with_its_method_and_permission(world: World) -> None:
    page = world.client(frozenset()).get("/").text
    for route in ROUTES:
        assert f"<td>{route.method}<td><code>{route.path}</code><td>{route.permission or 'no key needed'}<td>" in page
        assert len(route.sentence) > 10


@pytest.mark.parametrize("path", ["/nothing", "/files", "/objects/", "/Files/docs/note.txt", "/shared", "/labels/"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_what_is_no_route_is_a_problem_of_404_or_405(world: World, method: str, path: str) -> None:
    response = world.client().request(method, path)
    assert response.status_code in {404, 405}
    assert response.headers["content-type"] == "application/problem+json"
    assert "GET /" in response.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "..%2fledger.json",
        "%2e%2e%2fledger.json",
        "docs%2f..%2f..%2fledger.json",
        "%2fetc%2fpasswd",
        "docs%5cnote.txt",
        "a%00b",
    ],
)
def test_a_path_that_leads_out_is_answered_400_on_every_route(world: World, path: str) -> None:
    before = snapshot(world.root)
    for case in CASES:
        if "{path:path}" in case.path:
            url = case.path.replace("{path:path}", path).replace("{token}", world.names["share_token"])
            response = world.client().request(case.method, url, json=case.json, content=case.content)
            assert (case.method, url, response.status_code) == (case.method, url, 400)
            assert response.headers["content-type"] == "application/problem+json"
    assert snapshot(world.root) == before


@pytest.mark.parametrize(
    ("request_line", "body", "status", "named"),
    [
        ("POST /files/docs/note.txt/rename", b"", 400, "name is missing"),
        ("POST /files/docs/note.txt/rename", b"{", 400, "not JSON"),
        ("POST /files/docs/note.txt/rename", b"\xff", 400, "not JSON"),
        ("POST /files/docs/note.txt/rename", b"[]", 400, "JSON object"),
        ("POST /files/docs/note.txt/rename", b'{"name": 3}', 400, "name must be a text"),
        ("POST /files/docs/note.txt/rename", b'{"name": "x", "force": true}', 400, "'force'"),
        ("POST /files/docs/note.txt/rename", b'{"name": "x", "path": "y"}', 400, "path stands"),
        ("POST /files/docs/note.txt/rename", b'{"name": "../x"}', 400, "'../x'"),
        ("POST /files/docs/note.txt/rename", b'{"name": "old"}', 409, "docs/old"),
        ("POST /files/docs/note.txt/meta", b'{"meta": {"deep": {}}}', 400, "meta must be"),
        ("POST /files/docs/note.txt/meta", b'{"meta": ' + b'{"a":' * 500 + b"1" + b"}" * 501, 400, "meta must be"),
        ("POST /files/docs/note.txt/meta", b" " * (JSON_MAX_BYTES + 1), 413, "bytes"),
        ("PATCH /files/docs/note.txt/visibility", b'{"visibility": "secret"}', 400, "'public' or 'private'"),
        ("PATCH /files/docs/note.txt/labels", b'{"labels": ["draft", 3]}', 400, "labels must be a list"),
        ("PATCH /files/docs/note.txt/labels", b'{"labels": ["nothing"]}', 404, "nothing"),
        ("PATCH /directories/docs/accesses", b'{"names": "alice"}', 400, "names must be"),
        ("POST /files/docs/note.txt/edit", b'{"operations": [{"rotate": 90}]}', 400, "no image"),
        ("POST /files/nothing/autotag", b"", 404, "nothing"),
        ("POST /approvals", b'{"path": "docs/note.txt", "quorum": true}', 400, "whole number"),
        ("POST /approvals/nothing/votes", b'{"voter": "a", "vote": "approve"}', 404, "nothing"),
        ("PATCH /config", b"{}", 400, "at least one"),
        ("PATCH /config", b'{"upload_max_bytes": 99999999999999999999}', 400, "upload_max_bytes"),
        ("GET /objects?all=yes", b"", 400, "all must be"),
        ("GET /objects?unknown=1", b"", 400, "'unknown'"),
        ("GET /objects?directory=nothing", b"", 404, "nothing"),
        ("GET /files/docs", b"", 404, "docs"),
        ("PUT /files/docs/note.txt", b"x", 409, "docs/note.txt"),
        ("PUT /files/nothing/note.txt", b"x", 404, "nothing"),
        ("PUT /files/docs?replace=1", b"x", 409, "docs"),
        ("DELETE /directories/docs", b"", 409, "recursive=1"),
        ("PUT /directories/docs", b"", 409, "docs"),
        ("GET /shared/nothing", b"", 404, "link"),
        ("PUT /airbox/nothing/x.txt", b"x", 404, "link"),
    ],
)
def test_a_bad_request_is_one_clear_problem_and_changes_nothing(
    world: World, request_line: str, body: bytes, status: int, named: str
) -> None:
    before = snapshot(world.root)
    method, _, url = request_line.partition(" ")
    response = world.client().request(method, url, content=body)
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert named in response.json()["detail"]
    assert response.json()["status"] == status
    assert snapshot(world.root) == before


def test_a_body_beyond_the_limit_is_refused_while_it_streams_and_leaves_nothing(world: World) -> None:
    before = snapshot(world.root)
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield bytes(1024 * 1024)

    async def call() -> list[Message]:
        body, answers = endless(), []

        async def receive() -> Message:
            return {"type": "http.request", "body": next(body), "more_body": True}

        async def send(message: Message) -> None:
            answers.append(message)

        await Granting(asset_store(world.store), ALL)(scope_of("PUT", "/files/docs/endless.bin"), receive, send)
        return answers

    answers = asyncio.run(call())
    assert answers[0]["status"] == 413
    assert sent == UPLOAD_MAX_BYTES // (1024 * 1024) + 1
    assert snapshot(world.root) == before


async def test_a_client_that_goes_away_in_the_middle_of_an_upload_leaves_nothing(world: World) -> None:
    before = snapshot(world.root)
    messages: list[Message] = [
        {"type": "http.request", "body": b"half", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        assert message.get("status", 400) == 400

    await Granting(asset_store(world.store), ALL)(scope_of("PUT", "/files/docs/half.bin"), receive, send)
    assert snapshot(world.root) == before


async def test_slow_work_on_an_image_does_not_hold_up_other_requests(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Granting(asset_store(world.store), ALL)
    begun, release = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(_data: bytes) -> list[str]:
        loop.call_soon_threadsafe(begun.set)
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result(timeout=120)
        return []

    monkeypatch.setattr("gatepost.demo.images.tags", slow)
    tagging = asyncio.create_task(status_of(app, "POST", "/files/photos/red.png/autotag"))
    await asyncio.wait_for(begun.wait(), 120)
    assert await asyncio.wait_for(status_of(app, "GET", "/health"), 120) == 200
    release.set()
    assert await tagging == 200


def test_a_head_request_is_answered_without_a_body(world: World) -> None:
    response = world.client().head("/files/photos/red.png")
    assert response.status_code == 200
    assert int(response.headers["content-length"]) == world.on_disk("photos/red.png").stat().st_size


def test_a_share_url_holds_the_token_that_its_listing_only_names_by_digest(world: World) -> None:
    made = world.client().post("/shares", json={"path": "docs"}).json()
    assert digest(made["url"].removeprefix("/shared/")) == made["id"]


def scope_of(method: str, path: str) -> Scope:
    """The scope of a request, as a server would make it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"testserver")],
        "server": ("testserver", 80),
        "client": ("127.0.0.1", 1),
    }


async def status_of(app: ASGIApp, method: str, path: str) -> int:
    """The status of the answer to a request without a body."""
    statuses: list[int] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope_of(method, path), receive, send)
    (status,) = statuses
    return status
