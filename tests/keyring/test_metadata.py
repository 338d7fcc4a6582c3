"""Keys found by their metadata, over SQLite, PostgreSQL and MariaDB, against what looking at all keys gives."""

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from gatepost import Actor, APIKey, APIKeys, BadInputError, ImportedKey, Selection, Total
from gatepost.base import MEMBERS_ASKED_MAX, METADATA_BYTES_MAX, checked_members, member_text
from gatepost.base.usage import Use
from gatepost.database import UsageBatch
from gatepost.database.connecting.engine import changing
from gatepost.database.lists import listing, members, selecting
from gatepost.database.schema import search_terms as terms
from gatepost.database.standing import ALIKE_MAX
from tests.keyring.conftest import take_foreign
from tests.keyring.test_listing import SORTS, all_pages, all_pages_backwards
from tests.keyring.test_log import logged

MANAGE = frozenset({"ACCESS_MANAGE", "ACCESS_READ", "OBJECTS_LIST"})
LONG = "x" * 3000
VALUES: Sequence[Any] = (
    "pro", "Pro", "", "é", "1", 1, 1.0, True, False, None, 0, -0.5, 2**53 - 1, [], [1, [None]], {}, {"a": 1, "b": [2]},
    {"b": [2], "a": 1}, "=FILE_UPLOAD", "@editor", LONG,
)  # fmt: skip
NAMES = ("plan", "seats", "", "é", "plan:pro", 'a"b')


OTHERS: Sequence[tuple[dict[str, Any], Callable[[APIKey], bool]]] = (
    ({}, lambda _key: True),
    ({"permission": "DIR_MOVE"}, lambda key: "DIR_MOVE" in key.permissions),
    ({"project": "acme"}, lambda key: key.project == "acme"),
    ({"active": True}, lambda key: key.active),
    ({"search": "key"}, lambda key: "key" in key.description),
)
"""Filters beside it, and what they mean."""


EDITED = ALIKE_MAX + 8
"""The first keys, which are edited."""

OF_EACH = range(EDITED, EDITED + len(VALUES))
"""The keys that follow have one value each."""

ALIKE: Sequence[Any] = (1, 1.0, True, "1", 0, False, None)
"""What some language takes for equal."""


def noted(rng: random.Random) -> dict[str, Any]:
    """Random metadata: of many keys the same, and none of some."""
    return {name: rng.choice(VALUES) for name in rng.sample(NAMES, rng.choice((0, 1, 1, 2, 3)))}


def fits(key: APIKey, wanted: Mapping[str, Any]) -> bool:
    """What the docs say of it, in JSON's own words."""
    return all(
        name in key.metadata and json.dumps(key.metadata[name], sort_keys=True) == json.dumps(value, sort_keys=True)
        for name, value in wanted.items()
    )


async def by_hand(keys: APIKeys, *statements: tuple[str, Mapping[str, Any]]) -> None:
    """What somebody does in SQL."""
    async with changing(keys._database.engine) as connection:
        for statement, values in statements:
            await connection.execute(text(statement), values)
        await connection.commit()


async def import_some(keys: APIKeys, rng: random.Random, count: int) -> Sequence[APIKey]:
    """Keys with random metadata; of some it is edited later, by the library, all together, or by hand."""
    take_foreign(keys)
    made = await keys.import_digests(
        ImportedKey(
            digest=hashlib.sha256(rng.randbytes(8)).digest(),
            description=f"key {number}",
            permissions=rng.sample(["FILE_UPLOAD", "DIR_MOVE"], rng.randint(0, 2)),
            project=rng.choice((None, "acme")),
            active=rng.random() < 0.7,
            metadata={"plan": VALUES[number - EDITED]} if number in OF_EACH else noted(rng),
        )
        for number in range(count)
    )
    ids = [key.id for key in made]
    await keys.update(ids[0], metadata={**made[0].metadata, "plan": "pro"}, wait="commit")
    await keys.update(ids[1:4], metadata=noted(rng), wait="commit")
    await keys.update(ids[4 : ALIKE_MAX + 6], metadata={"plan": "pro", "seats": 3}, wait="commit")
    await keys.update(ids[ALIKE_MAX + 6], description="only its words", wait="commit")
    await keys.rotate(ids[ALIKE_MAX + 7], grace=60)
    await keys.end_grace(ids[ALIKE_MAX + 7])
    written = "UPDATE gatepost_keys SET metadata = :metadata WHERE id = :id"
    await by_hand(
        keys,
        (written, {"id": ids[-1], "metadata": ' {"seats" : 1.0,"plan":"pro"} '}),
        (written, {"id": ids[-2], "metadata": None}),
        (written, {"id": ids[-3], "metadata": "no JSON"}),
        (written, {"id": ids[-4], "metadata": f'{{"deep": {"[" * 300}{"]" * 300}, "plan": "pro"}}'}),
    )
    await keys.delete(ids[-5])
    return [await keys.get(key_id) for key_id in ids if key_id != ids[-5]]


@pytest.mark.parametrize(("few", "with_terms"), [(0, True), (3, True), (listing.FEW, True), (listing.FEW, False)])
async def test_lists_counts_selections_and_the_log_have_the_keys_whose_metadata_fits(
    keys: APIKeys, few: int, with_terms: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`few`: members have many keys, some have, none has. Without terms all keys are looked at."""
    for module in (listing, members):
        monkeypatch.setattr(module, "FEW", few)
    monkeypatch.setattr(selecting, "DRIVEN", few)
    rng = random.Random(few + with_terms)
    made = await import_some(keys, rng, OF_EACH.stop + 10)
    if not with_terms:
        await by_hand(keys, ("DELETE FROM gatepost_settings WHERE name = 'terms_seq'", {}))
    assert await keys._database.terms_are_current() == with_terms
    everything = await logged(keys)
    asked: list[Mapping[str, Any]] = [{"plan": "pro"}, {"plan": "pro", "seats": 1.0}, {"plan": "none has it"}]
    asked += [{"plan": value} for value in ALIKE]
    asked += [found for _ in range(8) if (found := noted(rng))]
    for wanted in asked:
        others, also = rng.choice(OTHERS)
        expected = {key.id for key in made if fits(key, wanted) and also(key)}
        sort = rng.choice((*SORTS, "last_used"))
        paged = await all_pages(keys, sort=sort, metadata=wanted, **others)
        assert len(paged) == len(expected), (wanted, others)
        assert {key.id for key in paged} == expected, (wanted, others)
        assert paged == await all_pages_backwards(keys, sort=sort, metadata=wanted, **others), (wanted, others)
        assert await keys.count(metadata=wanted, **others) == Total(len(expected), exact=True)
        preview = await keys.delete(Selection(metadata=wanted, **others), preview=True)
        assert set(preview.changed) == expected, (wanted, others)
        there = {key.id for key in made if fits(key, wanted)}
        of_them = [event for event in everything if event.key_id in there]
        assert await logged(keys, metadata=wanted) == of_them, wanted
        of_kind = [event for event in of_them if event.kind == "imported" and event.project == "acme"]
        assert await logged(keys, metadata=wanted, kind="imported", project="acme") == of_kind, wanted


async def test_a_filter_that_is_no_metadata_or_empty_or_too_much_is_one_clear_error(sqlite_keys: APIKeys) -> None:
    keys = sqlite_keys
    issued = await keys.create("a key", metadata={"plan": "pro"})
    wrong: Sequence[tuple[Any, str]] = (
        ({}, "metadata must name a member"),
        ([], "metadata must be a JSON object"),
        ("plan", "metadata must be a JSON object"),
        (False, "metadata must be a JSON object"),
        ({1: "pro"}, "names in JSON are texts"),
        ({"plan": {"a", "b"}}, "which JSON does not have"),
        ({"plan": float("nan")}, "which is no JSON"),
        ({"plan": 2**53}, "beyond 2"),
        ({"plan": "\ud800"}, "half a surrogate pair"),
        ({"plan": "x" * METADATA_BYTES_MAX}, "at most 4,096 bytes"),
        ({f"{n}": n for n in range(MEMBERS_ASKED_MAX + 1)}, "at most 10 members, not 11"),
    )
    for metadata, message in wrong:
        for refused in (
            keys.list(metadata=metadata),
            keys.count(metadata=metadata),
            keys.events(metadata=metadata),
            keys.usage(None, metadata=metadata),
            keys.deactivate(Selection(metadata=metadata), preview=True),
            keys.update(Selection(metadata=metadata, owner="ann"), owner="bob"),
            keys.templates.list(metadata=metadata),
        ):
            with pytest.raises(BadInputError, match=message) as told:
                await refused
            assert told.value.field == "metadata", metadata
    most = {f"{n}": n for n in range(MEMBERS_ASKED_MAX)}
    assert (await keys.list(metadata=most)).items == []
    await keys.update(issued.key.id, metadata={**most, "more": None})
    assert [key.id for key in (await keys.list(metadata=most)).items] == [issued.key.id]
    with pytest.raises(BadInputError, match="leave out the id") as told:
        await keys.usage(issued.key.id, metadata=most)
    assert told.value.field == "metadata"


async def written(keys: APIKeys) -> dict[str, set[str]]:
    """The terms of metadata, by key."""
    found: dict[str, set[str]] = {}
    async with keys._database.engine.connect() as connection:
        for row in await connection.execute(text("SELECT key_id, term FROM gatepost_terms")):
            if row.term.startswith("{"):
                found.setdefault(row.key_id, set()).add(row.term)
    return found


def of(metadata: Mapping[str, Any]) -> set[str]:
    return {terms.member_term(each) for each in checked_members(metadata).values()}


async def test_each_verb_leaves_the_terms_of_the_metadata_that_there_is(keys: APIKeys) -> None:
    plain = (await keys.create("nothing noted", owner="ann")).key.id
    key_id = (await keys.create("a key", metadata={"plan": "pro", "seats": 3})).key.id
    template = await keys.templates.create("a template", ["OBJECTS_LIST"], lifetime=60, metadata={"plan": "pro"})
    both = {"plan": "pro", "seats": 3}
    assert await written(keys) == {key_id: of(both), template.id: of({"plan": "pro"})}
    assert len(of(both)) == 2
    assert [each.id for each in (await keys.templates.list(metadata={"plan": "pro"})).items] == [template.id]
    assert [each.id for each in (await keys.list(metadata={"plan": "pro"})).items] == [key_id], "plain keys alone"
    for change in (
        keys.update(key_id, description="another word"),
        keys.rotate(key_id, grace=60),
        keys.end_grace(key_id),
        keys.rotate(key_id, grace=0),
        keys.deactivate(key_id),
        keys.update([key_id, plain], owner="bob"),
    ):
        await change
        assert (await written(keys))[key_id] == of(both)
    await keys.update(key_id, metadata={"seats": 3, "plan": "free"})
    assert (await written(keys))[key_id] == of({"plan": "free", "seats": 3})
    await keys.update(Selection(metadata={"plan": "free"}), metadata={})
    assert await written(keys) == {template.id: of({"plan": "pro"})}
    await keys.templates.update(template.id, metadata={"plan": None})
    assert await written(keys) == {template.id: of({"plan": None})}
    await keys.templates.delete(template.id)
    await keys.update([plain, key_id], metadata=both)
    assert await written(keys) == {plain: of(both), key_id: of(both)}
    await keys.delete(Selection(metadata=both))
    assert await written(keys) == {}
    assert (await keys.list()).items == []


async def test_a_key_with_as_many_members_as_fit_is_found_by_each(keys: APIKeys) -> None:
    many = {f"{n:x}": 0 for n in range(500)}
    made = (await keys.create("a key", metadata=many)).key
    assert len((await written(keys))[made.id]) == 500
    for name in ("0", "1f3"):
        assert [key.id for key in (await keys.list(metadata={name: 0})).items] == [made.id]
    await keys.update([made.id, (await keys.create("another")).key.id], metadata={"0": 1})
    assert (await written(keys))[made.id] == of({"0": 1})


async def test_what_was_noted_by_hand_is_found_by_what_it_is_now(keys: APIKeys) -> None:
    made = [(await keys.create(f"key {n}", metadata={"plan": "pro"})).key.id for n in range(3)]
    await by_hand(
        keys,
        ("UPDATE gatepost_keys SET metadata = :new WHERE id = :id", {"id": made[0], "new": '{"plan": "free"}'}),
        ("UPDATE gatepost_keys SET metadata = NULL WHERE id = :id", {"id": made[1]}),
        ("DELETE FROM gatepost_secrets WHERE key_id = :id", {"id": made[2]}),
        ("DELETE FROM gatepost_keys WHERE id = :id", {"id": made[2]}),
    )
    assert [event.kind for event in await logged(keys, metadata={"plan": "free"})] == ["sql", "created"]
    assert await logged(keys, metadata={"plan": "pro"}) == []
    assert [key.id for key in (await keys.list(metadata={"plan": "free"})).items] == [made[0]]
    assert await keys.count(metadata={"plan": "pro"}) == Total(0, exact=True)
    assert await written(keys) == {made[0]: of({"plan": "free"})}


@pytest.mark.parametrize("with_terms", [True, False])
async def test_the_usage_of_keys_with_some_metadata_is_of_those_that_there_are_now(
    keys: APIKeys, with_terms: bool
) -> None:
    pro = [
        (await keys.create(f"key {n}", metadata={"plan": "pro", "n": n}, owner=owner, project="acme")).key.id
        for n, owner in enumerate(("ann", "bob"))
    ]
    free = (await keys.create("another", metadata={"plan": "free"}, owner="ann")).key.id
    now = datetime.now(UTC)
    uses = [
        Use(key_id, "", now.date(), "/", "valid", count, now + timedelta(seconds=count), None)
        for key_id, count in ((pro[0], 2), (pro[1], 3), (free, 5), ("", 7))
    ]
    await keys._database.usage.write(UsageBatch("b" * 32, None, now, uses))
    if not with_terms:
        await by_hand(keys, ("DELETE FROM gatepost_settings WHERE name = 'terms_seq'", {}))
    counts: Sequence[tuple[dict[str, Any], int]] = (
        ({"metadata": {"plan": "pro"}}, 5),
        ({"metadata": {"plan": "pro", "n": 1}}, 3),
        ({"metadata": {"plan": "pro"}, "owner": "ann"}, 2),
        ({"metadata": {"plan": "free"}}, 5),
    )
    for which, count in counts:
        lines: Any = await keys.usage(None, **which, by=("day", "secret"))
        assert [line.count for line in lines] == [count], which
    assert await keys.usage(None, metadata={"plan": "none"}, by=("day", "outcome", "secret", "route")) == []
    await keys.delete(pro[1])
    assert [line.count for line in await keys.usage(None, metadata={"plan": "pro"})] == [2]
    other = Actor("ben", id="2", permissions=MANAGE, project="other")
    assert list(await keys.usage(None, metadata={"plan": "pro"}, actor=other)) == []
    own = Actor("eve", id="3", permissions=MANAGE, project="acme")
    assert [line.count for line in await keys.usage(None, metadata={"plan": "pro"}, actor=own)] == [2]
    assert list(await keys.usage(None, metadata={"plan": "free"}, actor=own)) == []


@pytest.mark.parametrize("few", [0, listing.FEW])
@pytest.mark.parametrize("bound", [{"project": "acme"}, {"environment": "test"}])
async def test_an_actor_learns_by_metadata_of_no_key_that_it_does_not_reach(
    keys: APIKeys, few: int, bound: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "FEW", few)
    own = (await keys.create("own", ["OBJECTS_LIST"], metadata={"plan": "pro"}, **bound)).key.id
    other = (await keys.create("other", ["OBJECTS_LIST"], metadata={"plan": "pro"})).key.id
    moved = (await keys.create("moved", ["OBJECTS_LIST"], metadata={"plan": "free"}, **bound)).key.id
    column = next(iter(bound))
    moves = f"UPDATE gatepost_keys SET {column} = NULL, metadata = :new WHERE id = :id"
    await by_hand(keys, (moves, {"id": moved, "new": '{"plan": "secret"}'}))
    actor = Actor("ben", id="2", permissions=MANAGE, **bound)
    assert {event.key_id for event in await logged(keys, metadata={"plan": "pro"})} == {own, other}
    assert {event.key_id for event in await logged(keys, metadata={"plan": "pro"}, actor=actor)} == {own}
    for plan in ("secret", "free"):
        assert await logged(keys, metadata={"plan": plan}, actor=actor) == [], "of a key that is another's now"
        assert list((await keys.list(metadata={"plan": plan}, actor=actor)).items) == []
    assert [key.id for key in (await keys.list(metadata={"plan": "pro"}, actor=actor)).items] == [own]
    done = await keys.deactivate(Selection(metadata={"plan": "pro"}), actor=actor, wait="commit")
    assert (list(done.changed), (await keys.get(other)).active) == ([own], True)


async def test_keys_from_before_get_their_terms_with_the_migration_and_others_are_left_alone(keys: APIKeys) -> None:
    """What 0017 left: keys with metadata, and no terms of it."""
    had = (await keys.create("a key", ["DIR_MOVE"], metadata={"plan": "pro"})).key.id
    plain = (await keys.create("plain", ["DIR_MOVE"])).key.id
    forgotten: tuple[str, dict[str, Any]] = ("DELETE FROM gatepost_terms WHERE term LIKE '{%'", {})
    marked: tuple[str, dict[str, Any]] = ("INSERT INTO gatepost_terms VALUES ('mark', '', :id)", {"id": plain})
    await by_hand(keys, forgotten, marked, ("UPDATE gatepost_version SET version_num = '0017'", {}))
    await keys.create_schema()
    assert await keys._database.terms_are_current()
    assert await written(keys) == {had: of({"plan": "pro"})}
    assert [key.id for key in (await keys.list(search="mark")).items] == [plain], "its terms were not written anew"
    assert [key.id for key in (await keys.list(metadata={"plan": "pro"}, permission="DIR_MOVE")).items] == [had]
    due: tuple[str, dict[str, Any]] = ("INSERT INTO gatepost_settings VALUES ('terms_due', 'metadata')", {})
    await by_hand(keys, forgotten, due)  # as a migration leaves it that was broken off where tables have no transaction
    assert [key.id for key in (await keys.list(metadata={"plan": "pro"})).items] == [had], "looked at one by one"
    assert not await keys._database.terms_are_current()
    await keys.create_schema()
    assert await keys._database.terms_are_current()
    assert await written(keys) == {had: of({"plan": "pro"})}
    await by_hand(keys, forgotten)  # as workers of an older gatepost leave it
    await keys.create_schema(terms_anew=True)
    assert await written(keys) == {had: of({"plan": "pro"})}
    await by_hand(keys, ("UPDATE gatepost_keys SET metadata = NULL", {}))
    await by_hand(keys, ("UPDATE gatepost_version SET version_num = '0017'", {}))
    await keys.create_schema()
    assert await written(keys) == {}
    async with keys._database.engine.connect() as connection:
        due_still = await connection.scalar(text("SELECT value FROM gatepost_settings WHERE name = 'terms_due'"))
    assert due_still is None


def test_members_are_told_apart_as_they_are_stored() -> None:
    texts = [member_text("a", value) for value in VALUES]
    assert len({*texts}) == len(VALUES) - 1, "the order of names says nothing"
    found = {terms.member_term(each) for each in texts if each is not None}
    assert len(found) == len(VALUES) - 1
    assert {term[0] for term in found} == {"{"}
    assert max(map(len, found)) <= 33
    assert terms.words("{") == []
