"""Keys, roles, templates and temporary secrets that are limited to resources: what each verb makes of them."""

import hashlib
from collections.abc import Awaitable, Callable

import pytest

from gatepost import DAM, AccessDeniedError, Actor, APIKey, APIKeys, BadInputError, ImportedKey, Receipt
from gatepost.base.resources.resource import RESOURCES_MAX
from tests.resources.conftest import MakeWorker

SPRING, SUMMER, ALL = "dir:/campaigns/spring/*", "dir:/campaigns/summer/*", "dir:/campaigns/*"
IN_SPRING, IN_SUMMER, ELSEWHERE = "dir:/campaigns/spring/a.png", "dir:/campaigns/summer/a.png", "dir:/other/a.png"
PLACES = (IN_SPRING, IN_SUMMER, ELSEWHERE)


async def may(keys: APIKeys, secret: str, permission: str = "FILE_UPLOAD") -> tuple[bool, ...]:
    """Whether a secret may do that in spring, in summer, elsewhere; as it is judged, and as its key is read."""
    verdict = await keys.verify(secret)
    assert verdict.valid
    assert verdict.key is not None
    return tuple(verdict.key.permits(permission, place) for place in PLACES)


async def test_a_key_is_limited_edited_and_told(keys: APIKeys) -> None:
    issued = await keys.create("spring", ["FILE_UPLOAD", "DIR_CREATE"], resources=[SPRING, "collection:spring"])
    assert issued.key.resources == ("collection:spring", SPRING)
    assert await may(keys, issued.secret) == (True, False, False)
    found = await keys.get(issued.key.id)
    assert (found, found.version) == (issued.key, issued.key.version)
    assert [found.permits("FILE_UPLOAD", place) for place in PLACES] == [True, False, False]
    assert found.permissions == {"FILE_UPLOAD", "DIR_CREATE"}, "for management it has what it was given"
    assert not found.permits("FILE_UPLOAD")
    assert not found.permits("FILE_DELETE", IN_SPRING)
    wider = await keys.update(issued.key.id, resources=[ALL])
    assert wider.version != found.version
    assert await may(keys, issued.secret) == (True, True, False)
    await keys.update(issued.key.id, resources=())
    assert await may(keys, issued.secret) == (False, False, False)
    await keys.update(issued.key.id, resources=None)
    assert await may(keys, issued.secret) == (True, True, True)
    assert (await keys.get(issued.key.id)).permits("FILE_UPLOAD")
    told = [event.detail for event in (await keys.events(key_id=issued.key.id)).items]
    assert [(detail or {})["resources"] for detail in told] == [
        {"old": [], "new": None},
        {"old": [ALL], "new": []},
        {"old": ["collection:spring", SPRING], "new": [ALL]},
        ["collection:spring", SPRING],
    ]


async def test_one_edit_limits_many_keys(keys: APIKeys) -> None:
    issued = [await keys.create("one", ["FILE_UPLOAD"], owner="ann") for _ in range(3)]
    preview = await keys.update([each.key.id for each in issued], resources=[SPRING], preview=True)
    assert isinstance(preview, Receipt)
    assert len(preview.changed) == 3
    assert await may(keys, issued[0].secret) == (True, True, True)
    await keys.update([each.key.id for each in issued], resources=[SPRING])
    for each in issued:
        assert await may(keys, each.secret) == (True, False, False)


async def test_a_role_limits_what_it_gives_and_nothing_else(keys: APIKeys) -> None:
    await keys.roles.create("spring", ["FILE_UPLOAD", "FILE_DELETE"], resources=[SPRING])
    await keys.roles.create("summer", ["FILE_UPLOAD"], resources=[SUMMER])
    await keys.roles.create("free", ["DIR_CREATE"])
    one = await keys.create("one", ["FILE_DELETE"], roles=["spring", "free"])
    assert one.key.role_resources == {"FILE_UPLOAD": (SPRING,)}, "what it has of its own is not limited"
    assert await may(keys, one.secret) == (True, False, False)
    assert await may(keys, one.secret, "FILE_DELETE") == (True, True, True)
    assert await may(keys, one.secret, "DIR_CREATE") == (True, True, True)
    await keys.update(one.key.id, roles=["spring", "summer"])
    assert await may(keys, one.secret) == (True, True, False), "what two roles give is what either gives"
    await keys.update(one.key.id, permissions=["FILE_UPLOAD"])
    assert await may(keys, one.secret) == (True, True, True)
    assert await may(keys, one.secret, "FILE_DELETE") == (True, False, False)
    await keys.update(one.key.id, permissions=[], resources=[ALL, "dir:/other/*"])
    assert await may(keys, one.secret) == (True, True, False), "both must reach it"
    await keys.update(one.key.id, resources=[SUMMER])
    assert await may(keys, one.secret) == (False, True, False)
    assert await may(keys, one.secret, "FILE_DELETE") == (False, False, False)


async def test_limited_roles_that_name_more_together_than_one_may_reach_all_of_it(keys: APIKeys) -> None:
    places = [[f"dir:/{top}/{number:03}" for number in range(RESOURCES_MAX)] for top in "ab"]
    for name, named in zip("ab", places, strict=True):
        await keys.roles.create(name, ["FILE_UPLOAD"], resources=named)
    issued = await keys.create("both", roles=["a", "b"])
    found = await keys.get(issued.key.id)
    assert len(found.role_resources["FILE_UPLOAD"]) == 2 * RESOURCES_MAX
    verdict = await keys.verify(issued.secret)
    assert verdict.key is not None
    for named in places:
        assert all(found.permits("FILE_UPLOAD", place) and verdict.key.permits("FILE_UPLOAD", place) for place in named)


async def test_what_is_more_than_a_row_holds_is_an_error_that_changes_nothing(keys: APIKeys) -> None:
    names = sorted(map(str, DAM))[:20]
    for name in "abcdef":
        named = [f"dir:/{name * 150}/{number:03}" for number in range(RESOURCES_MAX)]
        await keys.roles.create(name, names if name < "f" else names[:1], resources=named)
    with pytest.raises(BadInputError, match="bytes together, and at most 60,000 are kept with a key"):
        await keys.create("much", roles=["a", "b"])
    issued = await keys.create("all that there may be", roles=["f"])
    with pytest.raises(BadInputError, match="give fewer, or limit the key itself"):
        await keys.roles.update("f", permissions=names)
    assert (await keys.get(issued.key.id)).role_resources.keys() == {names[0]}
    assert (await keys.count()).number == 1


async def test_a_create_that_is_sent_again_is_the_same_after_its_role_was_edited(sqlite_keys: APIKeys) -> None:
    await sqlite_keys.roles.create("spring", ["FILE_UPLOAD"], resources=[SPRING])
    idempotency = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
    issued = await sqlite_keys.create("again", roles=["spring"], idempotency_key=idempotency)
    await sqlite_keys.roles.update("spring", resources=[ALL])
    again = await sqlite_keys.create("again", roles=["spring"], idempotency_key=idempotency)
    assert again.secret == issued.secret


async def test_an_edit_of_a_roles_resources_reaches_every_key_that_holds_it(keys: APIKeys) -> None:
    role = await keys.roles.create("editor", ["FILE_UPLOAD", "DIR_CREATE"], resources=[SPRING])
    assert (await keys.roles.get("editor")).resources == role.resources == (SPRING,)
    held = [await keys.create("one", roles=["editor"]) for _ in range(2)]
    own = await keys.create("other", ["FILE_UPLOAD"], roles=["editor"])
    ids = sorted(each.key.id for each in held)
    narrowed = await keys.roles.update("editor", resources=[SUMMER], preview=True)
    assert sorted(narrowed.loses["FILE_UPLOAD"]) == ids, "also who gets it on others instead"
    assert sorted(narrowed.gains["FILE_UPLOAD"]) == ids
    assert sorted(narrowed.gains["DIR_CREATE"]) == sorted([*ids, own.key.id])
    assert await may(keys, held[0].secret) == (True, False, False)
    wider = await keys.roles.update("editor", resources=[ALL])
    assert (sorted(wider.gains["FILE_UPLOAD"]), wider.loses) == (ids, {})
    assert await may(keys, held[1].secret) == (True, True, False)
    await keys.roles.update("editor", resources=[SUMMER])
    assert await may(keys, held[0].secret) == (False, True, False)
    await keys.roles.update("editor", permissions=["FILE_UPLOAD", "FILE_DELETE"])
    assert await may(keys, held[0].secret, "FILE_DELETE") == (False, True, False), "what is added is limited as well"
    await keys.roles.update("editor", resources=None)
    assert await may(keys, held[0].secret) == (True, True, True)
    assert (await keys.get(held[0].key.id)).role_resources == {}
    details = [event.detail or {} for event in (await keys.events(kind="role_updated")).items]
    assert details[0] == {"role": "editor", "resources": {"old": [SUMMER], "new": None}}


async def test_a_temporary_secret_narrows_and_what_its_parent_loses_it_loses(keys: APIKeys) -> None:
    template = await keys.templates.create("visitors", ["FILE_UPLOAD", "OBJECTS_LIST"], resources=[ALL])
    whole = await keys.issue_temporary(template.id)
    part = await keys.issue_temporary(template.id, permissions=["FILE_UPLOAD"], resources=[SPRING])
    none = await keys.issue_temporary(template.id, resources=[])
    assert (part.resources, none.resources) == ((SPRING,), ())
    assert part.permissions == {"FILE_UPLOAD"}
    assert await may(keys, whole.secret) == (True, True, False)
    assert await may(keys, part.secret) == (True, False, False)
    assert await may(keys, part.secret, "OBJECTS_LIST") == (False, False, False)
    assert await may(keys, none.secret) == (False, False, False)
    await keys.templates.update(template.id, resources=[SUMMER])
    assert await may(keys, whole.secret) == (False, True, False)
    assert await may(keys, part.secret) == (False, False, False), "narrowed when it is used, not only when issued"
    await keys.templates.update(template.id, resources=None)
    assert await may(keys, part.secret) == (True, False, False)
    assert await may(keys, whole.secret) == (True, True, True)
    key = await keys.create("a key", ["FILE_UPLOAD"], resources=[SUMMER])
    with pytest.raises(BadInputError, match="does not reach all of these itself"):
        await keys.issue_temporary(key.key.id, resources=[SPRING])
    of_key = await keys.issue_temporary(key.secret, resources=["dir:/campaigns/summer/a.png"])
    assert await may(keys, of_key.secret) == (False, True, False)
    long = [f"dir:/{'a' * 60}{number}/*" for number in range(5)]
    await keys.update(key.key.id, resources=long)
    with pytest.raises(BadInputError, match="limits or resources"):
        await keys.issue_temporary(key.key.id, resources=long)


async def test_what_is_imported_is_limited_too(ready_sqlite_url: str) -> None:
    digest = hashlib.sha256(b"an old secret").digest()
    async with APIKeys(ready_sqlite_url, foreign_secrets=True) as keys:
        (made,) = await keys.import_digests([ImportedKey(digest=digest, description="old", resources=[SPRING])])
        assert (await keys.get(made.id)).resources == (SPRING,)
        with pytest.raises(BadInputError, match=r"keys\[0\]: resources: '\*'"):
            await keys.import_digests([ImportedKey(digest=b"d" * 32, description="old", resources=["*"])])


Change = Callable[[APIKeys, APIKey], Awaitable[object]]
TAKING: dict[str, Change] = {
    "the key's own": lambda keys, key: keys.update(key.id, resources=["collection:none"]),
    "the role's": lambda keys, _: keys.roles.update("editor", resources=["collection:none"]),
    "the role": lambda keys, _: keys.roles.delete("editor"),
    "the key's role": lambda keys, key: keys.update(key.id, roles=[]),
}


@pytest.mark.parametrize("taken", TAKING)
async def test_what_is_taken_is_taken_everywhere_when_the_call_returns(worker: MakeWorker, taken: str) -> None:
    """Also from what was issued; in a worker that remembers it, and one that polls seldom."""
    here, there = await worker(), await worker(poll_interval=0.3)
    await here.roles.create("editor", ["FILE_UPLOAD"], resources=[ALL])
    issued = await here.create("one", roles=["editor"])
    temporary = await here.issue_temporary(issued.key.id, resources=[SPRING])
    for keys in (here, there):
        assert await may(keys, issued.secret) == (True, True, False)
        assert await may(keys, temporary.secret) == (True, False, False)
    await TAKING[taken](here, issued.key)
    for keys in (there, here):
        assert await may(keys, issued.secret) == (False, False, False)
        assert await may(keys, temporary.secret) == (False, False, False)


async def test_who_is_limited_manages_nothing_and_grants_nothing_of_it(sqlite_keys: APIKeys) -> None:
    keys = sqlite_keys
    limited = (await keys.create("boss", ["ACCESS_MANAGE", "FILE_UPLOAD"], resources=[ALL])).key
    with pytest.raises(AccessDeniedError, match="Changing keys needs ACCESS_MANAGE"):
        await keys.create("more", ["FILE_UPLOAD"], actor=Actor.of(limited))
    await keys.roles.create("uploads", ["FILE_UPLOAD"], resources=[ALL])
    manager = (await keys.create("manager", ["ACCESS_MANAGE", "DIR_CREATE"], roles=["uploads"])).key
    actor = Actor.of(await keys.get(manager.id))
    other = (await keys.create("other", ["FILE_UPLOAD"], resources=[SPRING])).key
    every = ["ACCESS_MANAGE", "DIR_CREATE", "FILE_UPLOAD"]
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: keys.create("more", ["FILE_UPLOAD"], resources=[SPRING], actor=actor),
        lambda: keys.create("more", roles=["uploads"], actor=actor),
        lambda: keys.update(manager.id, permissions=every, actor=actor),
        lambda: keys.roles.update("uploads", resources=None, actor=actor),
        lambda: keys.roles.update("uploads", resources=[ALL, "dir:/*"], actor=actor),
        lambda: keys.issue_temporary(other.id, actor=actor),
        lambda: keys.rotate(other.id, grace=0, actor=actor),
        lambda: keys.update(other.id, resources=None, actor=actor),
    ]
    for call in calls:
        with pytest.raises(AccessDeniedError, match="FILE_UPLOAD"):
            await call()
    made = await keys.create("narrow", ["DIR_CREATE"], resources=[SPRING], actor=actor)
    assert (await keys.update(made.key.id, resources=[ALL], actor=actor)).resources == (ALL,)
    own = await keys.update(manager.id, resources=[ALL], force=True, actor=actor)
    assert own.resources == (ALL,)
    with pytest.raises(AccessDeniedError):
        await keys.update(manager.id, resources=None, force=True, actor=actor)


async def test_bad_resources_change_nothing(sqlite_keys: APIKeys) -> None:
    keys = sqlite_keys
    key = (await keys.create("one", ["FILE_UPLOAD"], resources=[SPRING])).key
    await keys.roles.create("editor", ["FILE_UPLOAD"])
    before = (await keys.events(limit=1)).items[0].seq
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: keys.create("two", resources=["dir:/a*"]),
        lambda: keys.update(key.id, resources=["dir:/a//b"]),
        lambda: keys.update([key.id], resources="dir:/a"),
        lambda: keys.roles.create("other", resources=["nothing"]),
        lambda: keys.roles.update("editor", resources=["spring"]),
        lambda: keys.templates.create("t", resources=["dir:/../a"]),
        lambda: keys.issue_temporary(key.id, resources=["dir:/campaigns/spring/../x"]),
    ]
    for call in calls:
        with pytest.raises(BadInputError) as caught:
            await call()
        assert caught.value.field == "resources"
    assert (await keys.events(limit=1)).items[0].seq == before
