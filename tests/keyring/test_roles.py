"""Roles, through the verbs, over SQLite, PostgreSQL and MariaDB: what keys have by them, everywhere on return."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gatepost import (
    AccessDeniedError,
    Actor,
    APIKeys,
    BadInputError,
    ForceNeededError,
    ImportedKey,
    PolicyError,
    Rate,
    Receipt,
    RoleNotFoundError,
    Selection,
    StillSpreadingError,
    UnknownPermissionError,
)
from gatepost.base.secret import digest
from tests.deaf import deafen
from tests.freshness.conftest import counted_statements
from tests.keyring.conftest import take_foreign

MANAGE = ["ACCESS_MANAGE"]


async def held(keys: APIKeys, secret: str) -> set[str]:
    """What a secret may do, as a worker says."""
    verdict = await keys.verify(secret)
    assert verdict.key is not None
    return set(verdict.key.permissions)


async def test_a_key_has_what_its_roles_give_it_beside_its_own(keys: APIKeys) -> None:
    await keys.roles.create("editor", ["FILE_UPLOAD", "FILE_RENAME"], description="writes files")
    await keys.roles.create("reader", ["OBJECTS_LIST"], project="acme")
    issued = await keys.create("a key", ["DIR_CREATE"], roles=["reader", "editor"], project="acme")
    key = issued.key
    assert key.permissions == {"DIR_CREATE", "FILE_UPLOAD", "FILE_RENAME", "OBJECTS_LIST"}
    assert key.roles == ("editor", "reader")
    assert key.own_permissions == frozenset({"DIR_CREATE"})
    assert await keys.get(key.id) == key
    assert await held(keys, issued.secret) == key.permissions
    edited = await keys.update(key.id, permissions=["FILE_UPLOAD"])
    assert edited.permissions == {"FILE_UPLOAD", "FILE_RENAME", "OBJECTS_LIST"}
    assert edited.version != key.version
    edited = await keys.update(key.id, roles=["reader"])
    assert edited.permissions == {"FILE_UPLOAD", "OBJECTS_LIST"}
    edited = await keys.update(key.id, roles=[])
    assert edited.permissions == {"FILE_UPLOAD"}
    assert (edited.roles, edited.own_permissions) == ((), None)
    assert await held(keys, issued.secret) == {"FILE_UPLOAD"}
    plain = await keys.create("plain")
    assert plain.key.own_permissions is None
    receipt = await keys.update([key.id, plain.key.id], roles=["editor"])
    assert isinstance(receipt, Receipt)
    assert len(receipt.changed) == 2
    assert (await keys.get(plain.key.id)).permissions == {"FILE_UPLOAD", "FILE_RENAME"}


async def test_an_edit_of_a_role_is_one_change_and_true_in_every_worker_when_it_returns(keys: APIKeys) -> None:
    await keys.roles.create("editor", ["FILE_UPLOAD", "FILE_RENAME"])
    issued = [
        await keys.create(f"key {n}", ["DIR_CREATE"] if n else ["FILE_UPLOAD"], roles=["editor"]) for n in range(3)
    ]
    other = await keys.create("another", ["FILE_RENAME"])
    for each in issued:
        assert "FILE_RENAME" in await held(keys, each.secret)
    async with keys.alike() as worker:
        for each in issued:
            await worker.verify(each.secret)
        before = (await keys.events(limit=1)).items[0].seq
        change = await keys.roles.update("editor", permissions=["OBJECTS_LIST", "FILE_RENAME"])
        assert change.role is not None
        assert change.role.permissions == {"OBJECTS_LIST", "FILE_RENAME"}
        ids = [each.key.id for each in issued]
        assert sorted(change.keys) == sorted(ids)
        assert change.gains.keys() == {"OBJECTS_LIST"}
        assert sorted(change.gains["OBJECTS_LIST"]) == sorted(ids)
        assert {name: sorted(of) for name, of in change.loses.items()} == {"FILE_UPLOAD": sorted(ids[1:])}
        assert change.propagation.complete
        assert change.seq == before + 1
        for process in (keys, worker):
            assert await held(process, issued[0].secret) == {"FILE_UPLOAD", "OBJECTS_LIST", "FILE_RENAME"}
            assert await held(process, issued[1].secret) == {"DIR_CREATE", "OBJECTS_LIST", "FILE_RENAME"}
            assert await held(process, other.secret) == {"FILE_RENAME"}
    log = [event for event in (await keys.events()).items if event.seq == change.seq]
    assert sorted((event.kind, event.key_id or "") for event in log) == sorted(
        [("role_updated", ""), *[("updated", key_id) for key_id in ids]]
    )
    (of_role,) = [event.detail for event in log if event.key_id is None]
    assert of_role == {
        "role": "editor",
        "permissions": {"old": ["FILE_RENAME", "FILE_UPLOAD"], "new": ["FILE_RENAME", "OBJECTS_LIST"]},
    }
    (of_key,) = [event.detail for event in log if event.key_id == ids[1]]
    assert of_key is not None
    assert of_key["role"] == "editor"
    again = await keys.roles.update("editor", permissions=["OBJECTS_LIST", "FILE_RENAME"])
    assert (again.seq, again.gains, again.loses) == (None, {}, {})


async def test_a_role_that_goes_takes_what_it_gave(keys: APIKeys) -> None:
    await keys.roles.create("editor", ["FILE_UPLOAD"])
    await keys.roles.create("reader", ["OBJECTS_LIST", "FILE_UPLOAD"])
    one = await keys.create("one", roles=["editor"])
    both = await keys.create("both", ["DIR_CREATE"], roles=["editor", "reader"])
    preview = await keys.roles.delete("editor", preview=True)
    assert preview.is_preview
    assert preview.loses == {"FILE_UPLOAD": [one.key.id]}
    assert (await keys.get(one.key.id)).permissions == {"FILE_UPLOAD"}
    change = await keys.roles.delete("editor")
    assert change.role is None
    assert change.loses == {"FILE_UPLOAD": [one.key.id]}
    assert await held(keys, one.secret) == set()
    left = await keys.get(both.key.id)
    assert left.roles == ("reader",)
    assert left.permissions == {"DIR_CREATE", "OBJECTS_LIST", "FILE_UPLOAD"}
    assert (await keys.get(one.key.id)).own_permissions is None
    await keys.roles.create("nobodys", ["FILE_UPLOAD"], project="acme")
    assert (await keys.roles.delete("nobodys", project="acme")).keys == []
    with pytest.raises(RoleNotFoundError):
        await keys.roles.get("editor")
    with pytest.raises(BadInputError, match="there is no role 'editor'"):
        await keys.create("late", roles=["editor"])


async def test_a_role_that_there_is_not_is_told_with_the_nearest_that_may_be_known_of(keys: APIKeys) -> None:
    take_foreign(keys)
    await keys.roles.create("editor", project="acme")
    await keys.roles.create("reader")
    await keys.roles.create("zookeeper", project="other")
    acme = (await keys.create("of acme", MANAGE, project="acme")).key
    actor = Actor("acme's", key_id=acme.id, project="acme", permissions=frozenset(MANAGE))
    for asked in ("", actor):
        how: Any = {"actor": asked} if asked else {}
        with pytest.raises(BadInputError, match=r"there is no role 'editr' for .*create\. Did you mean 'editor'\?$"):
            await keys.create("a key", roles=["editr"], project="acme", **how)
        with pytest.raises(BadInputError, match=r"Did you mean 'reader'\?$"):
            await keys.update(acme.id, roles=["raeder"], force=True, **how)
        with pytest.raises(RoleNotFoundError, match=r"^No role 'editr' of project 'acme'\. Did you mean 'editor'\?$"):
            await keys.roles.get("editr", project="acme", **how)
        with pytest.raises(RoleNotFoundError) as company_wide:
            await keys.roles.delete("raeder", **how)
        assert company_wide.value.nearest == "reader"
        with pytest.raises(RoleNotFoundError, match=r"^No role 'zookeepr' of project 'acme'$"):
            await keys.roles.update("zookeepr", project="acme", permissions=[], **how)
        with pytest.raises(RoleNotFoundError, match=r"^No role 'editr' that is company-wide$"):
            await keys.roles.get("editr", **how)
        imported = ImportedKey(digest=b"d" * 32, description="a key", roles=["editr"], project="acme")
        with pytest.raises(BadInputError, match=r"^keys\[0\]: there is no role .* Did you mean 'editor'\?$") as wrong:
            await keys.import_digests([imported], **how)
        assert wrong.value.field == "keys[0]"


async def test_nobody_is_told_the_nearest_role_of_a_project_that_they_do_not_reach(keys: APIKeys) -> None:
    take_foreign(keys)
    await keys.roles.create("zookeeper", project="other")
    acme = (await keys.create("of acme", MANAGE, project="acme")).key
    for project in ("acme", None):  # who acts may leave out what the key says
        actor = Actor("acme's", key_id=acme.id, project=project, permissions=frozenset(MANAGE))
        with pytest.raises(RoleNotFoundError, match=r"^No role 'zookeepr' of project 'other'$"):
            await keys.roles.delete("zookeepr", project="other", actor=actor)
        imported = ImportedKey(digest=b"d" * 32, description="a key", roles=["zookeepr"], project="other")
        with pytest.raises(BadInputError, match=r"create$"):
            await keys.import_digests([imported], actor=actor)
    actor = Actor("acme's", key_id=acme.id, project="acme", permissions=frozenset(MANAGE))
    with pytest.raises(RoleNotFoundError, match=r"^No role 'zookeepr' of project 'other'$"):
        await keys.roles.get("zookeepr", project="other", actor=actor)
    with pytest.raises(RoleNotFoundError, match=r"Did you mean 'zookeeper'"):
        await keys.roles.get("zookeepr", project="other")


async def test_a_preview_of_an_edit_changes_nothing(keys: APIKeys) -> None:
    role = await keys.roles.create("editor", ["FILE_UPLOAD"])
    issued = await keys.create("a key", roles=["editor"])
    seq = (await keys.events(limit=1)).items[0].seq
    change = await keys.roles.update("editor", permissions=["FILE_RENAME"], preview=True)
    assert change.is_preview
    assert (change.gains, change.loses) == ({"FILE_RENAME": [issued.key.id]}, {"FILE_UPLOAD": [issued.key.id]})
    assert (await keys.events(limit=1)).items[0].seq == seq
    assert await keys.roles.get("editor") == role
    assert (await keys.get(issued.key.id)).permissions == {"FILE_UPLOAD"}


async def test_an_edit_that_takes_waits_for_a_worker_that_does_not_hear(ready_url: str) -> None:
    async with APIKeys(ready_url) as keys, APIKeys(ready_url, poll_interval=100.0, max_staleness=300.0) as worker:
        await keys.roles.create("editor", ["FILE_UPLOAD"])
        await keys.create("a key", roles=["editor"])
        deafen(worker)
        await worker.serve()
        edits: list[dict[str, Any]] = [{"permissions": ["FILE_RENAME"]}, {"permissions": []}]
        for edit in edits:
            with pytest.raises(StillSpreadingError):
                await keys.roles.update("editor", **edit, timeout=0.01)
        change = await keys.roles.update("editor", permissions=["FILE_RENAME"], timeout=0.01)
        assert not change.loses, "what is only given need not be waited for"
        await keys.roles.update("editor", description="who edits", timeout=0.01)
        assert (await keys.roles.update("editor", description="who edits", timeout=0.01)).seq is None
        with pytest.raises(StillSpreadingError):  # nothing is new, but an earlier call may have taken it unseen
            await keys.roles.update("editor", permissions=["FILE_RENAME"], timeout=0.01)
        with pytest.raises(StillSpreadingError):  # nor is that new which could be taken away
            await keys.roles.update("editor", permissions=["FILE_RENAME"], description="again", timeout=0.01)
        with pytest.raises(StillSpreadingError):
            await keys.roles.delete("editor", timeout=0.01)


async def test_a_shorthand_is_expanded_when_it_is_written(keys: APIKeys) -> None:
    role = await keys.roles.create("files", ["FILE_*", "OBJECTS_LIST"])
    assert role.patterns == ("FILE_*",)
    assert role.permissions == {"OBJECTS_LIST", *(name for name in keys.catalogue if name.startswith("FILE_"))}
    assert await keys.roles.get("files") == role
    for wrong in (["*"], ["NONE_*"], ["F*LE_*"], "FILE_*", [3]):
        with pytest.raises(BadInputError) as refused:
            await keys.roles.create("others", wrong)  # type: ignore[arg-type]
        assert not isinstance(refused.value, UnknownPermissionError)
    with pytest.raises(UnknownPermissionError):
        await keys.roles.create("others", ["FILE_NONE"])
    with pytest.raises(BadInputError):
        await keys.create("a key", ["FILE_*"])


async def test_names_that_one_key_could_hold_twice_are_refused(keys: APIKeys) -> None:
    await keys.roles.create("editor", project="acme")
    await keys.roles.create("editor", ["FILE_UPLOAD"], project="other")
    for project in ("acme", None):
        with pytest.raises(BadInputError, match="there is a role 'editor' already"):
            await keys.roles.create("editor", project=project)
    await keys.roles.create("reader")
    with pytest.raises(BadInputError):
        await keys.roles.create("reader", project="acme")
    assert [(role.name, role.project) for role in await keys.roles.list(project="acme")] == [
        ("editor", "acme"),
        ("reader", None),
    ]
    assert len(await keys.roles.list()) == 3
    with pytest.raises(BadInputError, match="for keys of project 'third'"):
        await keys.create("a key", roles=["editor"], project="third")
    with pytest.raises(BadInputError, match="for keys of every project"):
        await keys.create("a key", roles=["editor"])
    mine = await keys.create("a key", roles=["editor"], project="acme")
    theirs = await keys.create("a key", roles=["editor"], project="other")
    assert mine.key.permissions == frozenset()
    assert theirs.key.permissions == {"FILE_UPLOAD"}
    change = await keys.roles.update("editor", project="acme", permissions=["DIR_CREATE"])
    assert list(change.keys) == [mine.key.id]
    assert (await keys.get(theirs.key.id)).permissions == {"FILE_UPLOAD"}


async def test_bad_input_changes_nothing(keys: APIKeys) -> None:
    await keys.roles.create("editor", ["FILE_UPLOAD"])
    issued = await keys.create("a key", roles=["editor"])
    seq = (await keys.events(limit=1)).items[0].seq
    wrong: list[Any] = [
        keys.roles.create("two words"),
        keys.roles.create("@editor"),
        keys.roles.create(""),
        keys.roles.create("x" * 65),
        keys.roles.create("x", description="y" * 201),
        keys.roles.update("editor"),
        keys.roles.update("editor", permissions=["NONE"]),
        keys.roles.update("editor", permissions=[], preview="yes"),  # type: ignore[arg-type]
        keys.create("a key", roles="editor"),
        keys.create("a key", roles=[f"r{n}" for n in range(17)]),
        keys.create("a key", roles=["none"]),
        keys.update(issued.key.id, roles=["none"]),
        keys.update([issued.key.id], roles=["none"]),
        keys.list(role="two words"),
    ]
    for call in wrong:
        with pytest.raises(BadInputError):
            await call
    for call in (keys.roles.update("none", permissions=[]), keys.roles.delete("editor", project="acme")):
        with pytest.raises(RoleNotFoundError):
            await call
    assert (await keys.events(limit=1)).items[0].seq == seq


async def test_nobody_gives_by_a_role_what_they_do_not_hold_or_manage(keys: APIKeys) -> None:
    await keys.roles.create("editor", ["FILE_UPLOAD"])
    await keys.roles.create("of-acme", ["FILE_UPLOAD"], project="acme")
    of_acme = await keys.create("of acme", roles=["of-acme"], project="acme")
    company = await keys.create("company-wide", roles=["editor"])
    manager = await keys.create("manager", [*MANAGE, "FILE_UPLOAD"], project="acme")
    actor = Actor.of(manager.key)
    refused: list[Any] = [
        keys.roles.create("more", ["FILE_RENAME"], actor=actor),
        keys.roles.create("everywhere", project=None, actor=actor),
        keys.roles.create("elsewhere", project="other", actor=actor),
        keys.roles.update("of-acme", project="acme", permissions=["FILE_RENAME"], actor=actor),
        keys.roles.update("editor", permissions=[], actor=actor),
        keys.roles.delete("editor", actor=actor),
    ]
    for call in refused:
        with pytest.raises(AccessDeniedError):
            await call
    with pytest.raises(RoleNotFoundError):
        await keys.roles.update("x", project="other", permissions=[], actor=actor)
    with pytest.raises(AccessDeniedError):
        await keys.roles.create("x", actor=Actor("nobody"))
    made = await keys.roles.create("mine", ["FILE_UPLOAD"], actor=actor)
    assert made.project == "acme"
    assert {role.name for role in await keys.roles.list(actor=actor)} == {"editor", "mine", "of-acme"}
    await keys.update(of_acme.key.id, roles=["mine"], actor=actor)
    weak = await keys.create("weak manager", MANAGE, project="acme")
    with pytest.raises(AccessDeniedError, match="FILE_UPLOAD"):
        await keys.create("by a role", roles=["mine"], actor=Actor.of(weak.key))
    with pytest.raises(AccessDeniedError, match="FILE_UPLOAD"):
        await keys.update(manager.key.id, roles=["mine"], actor=Actor.of(weak.key))
    with pytest.raises(AccessDeniedError, match="FILE_UPLOAD"):
        await keys.update(of_acme.key.id, permissions=["FILE_UPLOAD"], actor=Actor.of(weak.key))
    assert (await keys.get(of_acme.key.id)).own_permissions == frozenset()
    assert (await keys.get(company.key.id)).permissions == {"FILE_UPLOAD"}


async def test_nobody_plants_by_a_role_or_beside_it_what_outlives_its_removal(keys: APIKeys) -> None:
    """A key that is bound by addresses or limits gives no other, that is not, what this has already: it would stay."""
    await keys.roles.create("upload", ["FILE_UPLOAD"])
    await keys.roles.create("list", ["OBJECTS_LIST"])
    await keys.roles.create("nothing")
    by_role = await keys.create("by a role", ["OBJECTS_LIST"], roles=["upload"])
    own = await keys.create("its own", ["FILE_UPLOAD"], roles=["list"])
    bound: list[dict[str, Any]] = [{"allow": ["10.0.0.0/8"]}, {"limits": [Rate(5, per=60, name="m")]}]
    for bounds in bound:
        manager = await keys.create("manager", [*MANAGE, "FILE_UPLOAD", "OBJECTS_LIST"], **bounds)
        actor = Actor.of(manager.key)
        plants: list[Any] = [
            keys.update(by_role.key.id, permissions=["OBJECTS_LIST", "FILE_UPLOAD"], actor=actor),
            keys.update(own.key.id, roles=["list", "upload"], actor=actor),
            keys.roles.update("list", permissions=["OBJECTS_LIST", "FILE_UPLOAD"], actor=actor),
        ]
        for call in plants:
            with pytest.raises(AccessDeniedError, match=r"used from 10.0.0.0/8 alone|is limited \(m=5/60s\)"):
                await call
        await keys.update(own.key.id, roles=["list", "nothing"], actor=actor)  # which gives nothing
        within = await keys.create("bound alike", roles=["upload"], **bounds)
        await keys.update(within.key.id, permissions=["FILE_UPLOAD"], actor=actor)
        await keys.update(within.key.id, permissions=[], roles=["upload", "list"], actor=actor)
    await keys.roles.update("upload", permissions=[])
    await keys.update(own.key.id, permissions=[])
    assert (await keys.get(by_role.key.id)).permissions == {"OBJECTS_LIST"}
    assert (await keys.get(own.key.id)).permissions == {"OBJECTS_LIST"}


async def test_a_role_that_nobody_holds_yet_is_not_widened_either(keys: APIKeys) -> None:
    await keys.roles.create("editor", project="acme")
    weak = Actor.of((await keys.create("weak manager", MANAGE, project="acme")).key)
    with pytest.raises(AccessDeniedError, match="FILE_DELETE"):
        await keys.roles.update("editor", project="acme", permissions=["FILE_DELETE"], actor=weak)
    assert (await keys.roles.get("editor", project="acme")).permissions == frozenset()


async def test_a_manager_for_one_environment_edits_no_role_that_keys_of_the_other_hold(keys: APIKeys) -> None:
    await keys.roles.create("editor", ["FILE_UPLOAD"])
    await keys.create("live", roles=["editor"], environment="live")
    manager = await keys.create("manager", [*MANAGE, "FILE_UPLOAD", "FILE_RENAME"], environment="test")
    with pytest.raises(AccessDeniedError, match="do not manage"):
        await keys.roles.update("editor", permissions=["FILE_UPLOAD", "FILE_RENAME"], actor=Actor.of(manager.key))


async def test_a_role_is_not_taken_from_the_key_in_use_without_force(keys: APIKeys) -> None:
    await keys.roles.create("manager", [*MANAGE, "FILE_UPLOAD"])
    key = (await keys.create("me", roles=["manager"])).key
    with pytest.raises(ForceNeededError, match="holds this role"):
        await keys.roles.update("manager", permissions=MANAGE, actor=Actor.of(key))
    assert (await keys.get(key.id)).permissions == {*MANAGE, "FILE_UPLOAD"}
    await keys.roles.update("manager", permissions=MANAGE, actor=Actor.of(key), force=True)
    assert (await keys.get(key.id)).permissions == set(MANAGE)


async def test_keys_are_listed_counted_and_selected_by_role(keys: APIKeys) -> None:
    await keys.roles.create("editor", ["FILE_UPLOAD"])
    await keys.roles.create("editors", ["FILE_UPLOAD"])
    one = await keys.create("one", roles=["editor"])
    await keys.create("two", roles=["editors"])
    await keys.create("editor by description alone", ["FILE_UPLOAD"])
    assert [key.id for key in (await keys.list(role="editor")).items] == [one.key.id]
    assert (await keys.count(role="editor")).number == 1
    assert (await keys.count(permission="FILE_UPLOAD")).number == 3
    receipt = await keys.deactivate(Selection(role="editor"))
    assert list(receipt.changed) == [one.key.id]
    rotated = await keys.rotate(one.key.id, grace=600)
    await keys.end_grace([one.key.id])
    assert [key.id for key in (await keys.list(role="editor")).items] == [one.key.id]
    assert rotated.key.roles == ("editor",)
    await keys.roles.update("editor", permissions=["DIR_CREATE"])
    assert [key.id for key in (await keys.list(permission="DIR_CREATE")).items] == [one.key.id]


async def test_an_imported_key_may_hold_roles(ready_url: str) -> None:
    async with APIKeys(ready_url, foreign_secrets=True) as keys:
        await keys.roles.create("editor", ["FILE_UPLOAD"])
        (key,) = await keys.import_digests([ImportedKey(digest=bytes(32), description="CI", roles=["editor"])])
        assert key.permissions == {"FILE_UPLOAD"}
        assert await keys.get(key.id) == key


async def test_a_repeated_call_is_answered_as_the_first_was_though_its_role_was_edited(keys: APIKeys) -> None:
    await keys.roles.create("editor", ["FILE_UPLOAD"])
    first = await keys.create("a key", roles=["editor"], idempotency_key="k" * 20)
    await keys.roles.update("editor", permissions=["FILE_RENAME"])
    again = await keys.create("a key", roles=["editor"], idempotency_key="k" * 20)
    assert (again.key.id, again.secret) == (first.key.id, first.secret)
    assert again.key.permissions == {"FILE_RENAME"}


async def test_a_role_is_read_by_its_name_however_many_others_there_are(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatepost.keys.roles.roles.ROLES_MAX", 5)
    for n in range(6):
        await keys.roles.create("a", ["FILE_UPLOAD"], project=f"p{n}")
    role = await keys.roles.create("editor", ["FILE_RENAME"])
    assert len(await keys.roles.list()) == 5
    assert await keys.roles.get("editor") == role
    assert (await keys.roles.get("a", project="p5")).project == "p5"
    with pytest.raises(RoleNotFoundError):
        await keys.roles.get("editor", project="p5")


async def test_a_role_costs_lookups_nothing_and_edits_of_others_no_statement(ready_url: str) -> None:
    async with APIKeys(ready_url, poll_interval=100.0, max_staleness=300.0) as keys:
        await keys.roles.create("editor", ["FILE_UPLOAD"])
        issued = await keys.create("a key", roles=["editor"])
        plain = await keys.create("plain")
        await keys.verify(plain.secret, fresh=True)
        counts = []
        for each in (issued, plain):
            with counted_statements(keys) as counted:
                await keys.verify(each.secret, fresh=True)
            counts.append(counted["records"])
        assert counts == [1, 1]
    async with APIKeys(ready_url) as keys:  # which follows no log, so that no poll is counted
        counts = []
        for key_id in (issued.key.id, plain.key.id):
            with counted_statements(keys) as counted:
                await keys.update(key_id, description=f"at {datetime.now(UTC)}"[:60])
            counts.append(sum(counted.values()))
        assert counts[0] == counts[1], "roles are read where permissions change"


async def test_a_change_of_a_role_makes_workers_forget_only_the_keys_that_hold_it(ready_sqlite_url: str) -> None:
    async with APIKeys(ready_sqlite_url) as keys:
        await keys.roles.create("editor", ["FILE_UPLOAD"])
        issued = await keys.create("a key", roles=["editor"])
        plain = await keys.create("plain")
        for each in (issued, plain):
            assert (await keys.verify(each.secret)).valid
        await keys.roles.create("reader")
        await keys.roles.update("editor", permissions=["FILE_RENAME"])
        await keys.roles.delete("reader")
        assert keys.hit(digest(plain.secret.encode())) is not None
        assert await held(keys, issued.secret) == {"FILE_RENAME"}


async def test_a_policy_holds_for_what_roles_give_and_a_template_may_hold_one(keys: APIKeys) -> None:
    await keys.policies.set(project="acme", permissions=["FILE_UPLOAD", "FILE_RENAME"])
    await keys.roles.create("editor", ["FILE_UPLOAD"])
    issued = await keys.create("a key", roles=["editor"], project="acme")
    template = await keys.templates.create("a template", project="acme")
    await keys.update(template.id, roles=["editor"])
    with pytest.raises(PolicyError, match="acme"):
        await keys.roles.update("editor", permissions=["FILE_UPLOAD", "DIR_CREATE"])
    with pytest.raises(PolicyError, match="acme"):
        await keys.templates.create("another", ["DIR_CREATE"], project="acme")
    await keys.roles.create("maker", ["DIR_CREATE"])
    with pytest.raises(PolicyError):
        await keys.create("a key", roles=["maker"], project="acme")
    change = await keys.roles.update("editor", permissions=["FILE_RENAME"])
    assert sorted(change.keys) == sorted([issued.key.id, template.id])
    assert (await keys.templates.get(template.id)).key.permissions == {"FILE_RENAME"}


async def test_an_edit_of_a_key_waits_for_what_an_earlier_one_has_taken_unless_it_gives(ready_url: str) -> None:
    async with APIKeys(ready_url) as keys, APIKeys(ready_url, poll_interval=100.0, max_staleness=300.0) as worker:
        key_id = (await keys.create("a key", ["FILE_UPLOAD", "FILE_RENAME"])).key.id
        deafen(worker)
        await worker.serve()
        await keys.update(key_id, permissions=["FILE_UPLOAD"], wait="commit")
        retold: list[dict[str, Any]] = [{}, {"description": "told anew"}]
        for more in retold:
            with pytest.raises(StillSpreadingError):
                await keys.update(key_id, permissions=["FILE_UPLOAD"], timeout=0.01, **more)
        await keys.update(key_id, description="nothing that could be taken", timeout=0.01)
        await keys.update(key_id, permissions=["FILE_UPLOAD", "FILE_RENAME"], timeout=0.01)
