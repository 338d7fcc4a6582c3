"""Keys changed by what they are: selections, previews, an answer per key, over SQLite, PostgreSQL and MariaDB."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from gatepost import Actor, APIKeys, BadInputError, EditedKey, Receipt, Selection, UnknownPermissionError
from gatepost.database.connecting.engine import changing
from gatepost.database.lists import selecting
from gatepost.database.schema import tables
from tests.freshness.conftest import counted_statements
from tests.keyring.test_actors import state

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


async def estate(keys: APIKeys) -> Mapping[str, str]:
    """Some keys of each kind: their ids by description."""
    made: list[tuple[str, Sequence[str], dict[str, Any]]] = [
        ("nightly import", ["FILE_UPLOAD"], {"owner": "ann", "project": "acme"}),
        ("hourly import", ["FILE_UPLOAD", "FILE_MOVE"], {"owner": "ann", "expires_at": NOW + DAY}),
        ("report", ["OBJECTS_LIST"], {"owner": "bob", "project": "acme", "environment": "test"}),
        ("switched off", ["FILE_UPLOAD"], {"owner": "ann", "active": False}),
        ("nobody's", [], {"expires_at": NOW + 90 * DAY}),
    ]
    ids = {}
    for description, permissions, more in made:
        ids[description] = (await keys.create(description, permissions, **more)).key.id
    return ids


CASES: list[tuple[dict[str, Any], list[str]]] = [
    ({"owner": "ann"}, ["switched off", "hourly import", "nightly import"]),
    ({"owner": "ann", "active": True}, ["hourly import", "nightly import"]),
    ({"owner": "ann", "search": "import", "project": "acme"}, ["nightly import"]),
    ({"owner": "nobody"}, []),
    ({"project": "acme"}, ["report", "nightly import"]),
    ({"company_wide": True, "permission": "FILE_UPLOAD"}, ["switched off", "hourly import"]),
    ({"environment": "test"}, ["report"]),
    ({"permission": "FILE_UPLOAD"}, ["switched off", "hourly import", "nightly import"]),
    ({"permission": "FILE_UPLOAD", "search": "hour"}, ["hourly import"]),
    ({"permission": "OBJECTS_LIST", "search": "import"}, []),
    ({"no_permissions": True}, ["nobody's"]),
    ({"search": "imp"}, ["hourly import", "nightly import"]),
    ({"search": "!"}, []),
    ({"expires_before": NOW + 30 * DAY}, ["hourly import"]),
    ({"expires_before": NOW + 365 * DAY, "never_used": True}, ["nobody's", "hourly import"]),
    ({"never_expires": True, "owner": "ann"}, ["switched off", "nightly import"]),
    ({"unused_for": 86400.0}, []),
    ({"unused_for": 0.0, "search": "import"}, ["hourly import", "nightly import"]),
    ({"never_used": True, "permission": "OBJECTS_LIST"}, ["report"]),
]


@pytest.mark.parametrize("driven", [selecting.DRIVEN, 0])
async def test_a_selection_has_the_keys_that_the_list_has(
    keys: APIKeys, driven: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selecting, "DRIVEN", driven)
    ids = await estate(keys)
    names = {key_id: name for name, key_id in ids.items()}
    for which, expected in CASES:
        before = await state(keys)
        receipt = await keys.delete(Selection(**which), preview=True)
        assert [names[key_id] for key_id in receipt.changed] == expected, which
        assert (receipt.is_preview, receipt.seq, receipt.unchanged, receipt.unknown, receipt.denied) == (
            True,
            None,
            [],
            [],
            {},
        )
        assert not receipt.propagation.complete
        listed = [key.id for key in (await keys.list(**which)).items]
        assert listed == list(receipt.changed)
        assert await state(keys) == before, "a preview changes nothing"


async def test_what_was_previewed_is_done_in_one_change_with_an_answer_per_key(keys: APIKeys) -> None:
    ids = await estate(keys)
    wanted = Selection(owner="ann")
    preview = await keys.deactivate(wanted, preview=True)
    done = await keys.deactivate(wanted)
    assert (done.changed, done.unchanged) == (preview.changed, preview.unchanged)
    assert [list(each) for each in (done.changed, done.unchanged)] == [
        [ids["hourly import"], ids["nightly import"]],
        [ids["switched off"]],
    ]
    assert not done.is_preview
    events = [event for event in (await keys.events()).items if event.kind == "deactivated"]
    assert {event.key_id for event in events} == set(done.changed)
    assert {event.seq for event in events} == {done.seq}
    assert done.propagation.complete
    again = await keys.deactivate(wanted)
    assert (again.seq, len(again.unchanged)) == (None, 3)
    back = await keys.activate(Selection(search="nightly"))
    assert list(back.changed) == [ids["nightly import"]]
    gone = await keys.delete(Selection(permission="FILE_UPLOAD", company_wide=True))
    assert set(gone.changed) == {ids["hourly import"], ids["switched off"]}
    assert len((await keys.list()).items) == 3
    nothing = await keys.delete(Selection(owner="nobody"))
    assert (nothing.seq, nothing.changed) == (None, [])


async def test_many_keys_are_given_the_same_each_from_what_it_was(keys: APIKeys) -> None:
    ids = await estate(keys)
    receipt = await keys.update(Selection(owner="ann"), owner="eve", permissions=["FILE_MOVE"], metadata={"was": "ann"})
    assert isinstance(receipt, Receipt)
    assert len(receipt.changed) == 3
    for name in ("nightly import", "hourly import", "switched off"):
        key = await keys.get(ids[name])
        assert (key.owner, set(key.permissions), dict(key.metadata)) == ("eve", {"FILE_MOVE"}, {"was": "ann"})
        (event, _made) = (await keys.events(ids[name])).items
        assert event.detail is not None
        assert event.detail["owner"] == {"old": "ann", "new": "eve"}
        assert event.detail["permissions"]["new"] == ["FILE_MOVE"]
        assert (event.seq, event.owner) == (receipt.seq, "ann")
    (old,) = [e for e in (await keys.events(ids["hourly import"])).items if e.kind == "updated"]
    assert (old.detail or {})["permissions"]["old"] == ["FILE_MOVE", "FILE_UPLOAD"]
    assert {key.id for key in (await keys.list(permission="FILE_MOVE")).items} == set(receipt.changed), "the terms too"
    assert (await keys.list(permission="FILE_UPLOAD")).items == []
    again = await keys.update([*ids.values(), "000000000000"], owner="eve")
    assert isinstance(again, Receipt)
    assert (len(again.changed), len(again.unchanged), list(again.unknown)) == (2, 3, ["000000000000"])
    one = await keys.update(ids["report"], owner="zoe")
    assert isinstance(one, EditedKey)
    shown = await keys.update(ids["report"], owner="bob", preview=True)
    assert isinstance(shown, Receipt)
    assert (shown.changed, (await keys.get(ids["report"])).owner) == ([ids["report"]], "zoe")


async def test_a_selection_of_all_keys_or_of_too_many_is_refused(keys: APIKeys) -> None:
    await estate(keys)
    before = await state(keys)
    unusable: list[tuple[Selection, str]] = [
        (Selection(), "selection"),
        (Selection(active=True), "selection"),
        (Selection(state="deactivated", expires_within=5), "selection"),
        (Selection(owner="ann", most=2), "most"),
        (Selection(owner="ann", most=0), "most"),
        (Selection(owner="ann", most=True), "most"),
        (Selection(owner=""), "owner"),
        (Selection(project="acme", company_wide=True), "company_wide"),
        (Selection(made_by="nonsense"), "made_by"),
        (Selection(unused_for=-1), "unused_for"),
        (Selection(expires_before=datetime(2030, 1, 1)), "expires_before"),  # noqa: DTZ001
    ]
    for wanted, field in unusable:
        for call in (keys.activate, keys.deactivate, keys.delete, keys.end_grace):
            for preview in (False, True):
                with pytest.raises(BadInputError) as wrong:
                    await call(wanted, preview=preview)
                assert wrong.value.field == field
        with pytest.raises(BadInputError):
            await keys.update(wanted, owner="eve")
    with pytest.raises(UnknownPermissionError):
        await keys.delete(Selection(permission="FILE_UPLOADS"))
    with pytest.raises(BadInputError, match="if_version goes with a single id"):
        await keys.delete(Selection(owner="ann"), if_version="x")
    with pytest.raises(BadInputError, match="preview must be True or False"):
        await keys.delete(Selection(owner="ann"), preview=1)  # type: ignore[arg-type]
    assert await state(keys) == before


async def test_what_only_a_selection_can_say_is_refused_of_a_list(keys: APIKeys) -> None:
    made = await keys.create("a key")
    unusable: list[dict[str, Any]] = [{"made_by": made.key.id}, {"made_by": None}, {"most": 3}]
    for which in unusable:
        for call in (keys.list, keys.count):
            with pytest.raises(BadInputError, match="no filter of lists") as wrong:
                await call(**which)
            assert [wrong.value.field] == list(which)


async def test_a_key_with_an_older_secret_is_selected_once_and_its_grace_ended(keys: APIKeys) -> None:
    ids = await estate(keys)
    await keys.rotate(ids["nightly import"], grace=600)
    for most in (3, 10_000):
        assert len((await keys.delete(Selection(owner="ann", most=most), preview=True)).changed) == 3
    ended = await keys.end_grace(Selection(owner="ann"))
    assert list(ended.changed) == [ids["nightly import"]]
    assert len(ended.unchanged) == 2
    assert (await keys.get(ids["nightly import"])).old_secret is None


async def test_what_a_key_made_is_found_whoever_changes_it(keys: APIKeys) -> None:
    leaked = await keys.create("leaked", ["ACCESS_MANAGE", "FILE_UPLOAD"])
    made = await keys.create("made", ["ACCESS_MANAGE", "FILE_UPLOAD"], actor=Actor.of(leaked.key))
    grandchild = await keys.create("made by that", ["FILE_UPLOAD"], actor=Actor.of(made.key))
    await keys.create("another", ["FILE_UPLOAD"])
    receipt = await keys.deactivate(Selection(made_by=leaked.key.id))
    assert list(receipt.changed) == [grandchild.key.id, made.key.id]
    assert (await keys.deactivate(Selection(made_by="000000000000"))).changed == []


async def test_an_actor_changes_only_what_it_reaches_and_may_change(keys: APIKeys) -> None:
    ids = await estate(keys)
    manager = await keys.create("a manager", ["ACCESS_MANAGE", "FILE_UPLOAD"], project="acme", owner="ann")
    actor = Actor.of(manager.key)
    receipt = await keys.deactivate(Selection(owner="ann"), actor=actor)
    assert list(receipt.changed) == [ids["nightly import"]]
    assert list(receipt.denied) == [manager.key.id]
    assert "say force" in receipt.denied[manager.key.id]
    assert (await keys.get(manager.key.id)).active
    assert (await keys.get(ids["hourly import"])).active, "of no project, so it is not there for the actor"
    nothing = await keys.delete(Selection(project="other"), actor=actor)
    assert (nothing.changed, nothing.unknown, nothing.denied) == ([], [], {})
    await keys.deactivate(ids["report"])
    told = await keys.activate(Selection(project="acme"), actor=actor)
    assert list(told.changed) == [ids["nightly import"]]
    assert "OBJECTS_LIST" in told.denied[ids["report"]], "nobody switches on what may do more"
    assert not (await keys.get(ids["report"])).active
    edited = await keys.update(Selection(project="acme"), permissions=["FILE_UPLOAD", "OBJECTS_LIST"], actor=actor)
    assert isinstance(edited, Receipt)
    assert list(edited.changed) == [ids["report"]], "it had the other permission before"
    assert set(edited.denied) == {manager.key.id, ids["nightly import"]}
    shown = await keys.update(Selection(project="acme"), owner="eve", preview=True, actor=actor)
    assert isinstance(shown, Receipt)
    assert set(shown.denied) == {manager.key.id}, "its own owner"


async def never(_database: Any) -> bool:
    """As where so much was changed by hand that nobody can catch up with it in time."""
    return False


async def test_keys_changed_by_hand_are_selected_by_what_they_are_now(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await estate(keys)
    rename = update(tables.keys).where(tables.keys.c.id == ids["report"]).values(description="import of today")
    async with changing(keys._database.engine) as connection, connection.begin():
        await connection.execute(rename)
    receipt = await keys.deactivate(Selection(search="import"), preview=True)
    assert ids["report"] in receipt.changed
    monkeypatch.setattr(type(keys._database), "terms_are_current", never)
    async with changing(keys._database.engine) as connection, connection.begin():
        await connection.execute(rename.values(description="something else"))
    receipt = await keys.deactivate(Selection(search="import", permission="FILE_UPLOAD"), preview=True)
    assert set(receipt.changed) == {ids["nightly import"], ids["hourly import"]}
    receipt = await keys.deactivate(Selection(search="something"), preview=True)
    assert list(receipt.changed) == [ids["report"]]


async def test_a_preview_asks_the_same_whatever_the_number_of_keys(keys: APIKeys) -> None:
    async def asked(which: Selection, **how: Any) -> int:
        with counted_statements(keys) as counts:
            await keys.deactivate(which, **how, wait="commit")
        return counts.total()

    await keys.create("key 0", owner="ann")
    few = await asked(Selection(owner="ann"), preview=True)
    for number in range(1, 40):
        await keys.create(f"key {number}", owner="ann")
    many = await asked(Selection(owner="ann"), preview=True)
    assert many == few <= 4
    by_ids = [key.id for key in (await keys.list(owner="ann")).items]
    with counted_statements(keys) as counts:
        await keys.deactivate(by_ids, wait="commit")
    await keys.activate(by_ids)
    assert await asked(Selection(owner="ann")) <= counts.total(), "no more than by ids"
