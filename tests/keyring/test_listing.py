"""Lists: every order, filter and page, over SQLite, PostgreSQL and MariaDB, against what sorting all keys gives."""

import hashlib
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import text

from gatepost import APIKey, APIKeys, BadInputError, ImportedKey
from gatepost.database import listing, terms
from gatepost.database.engine import changing

WORDS = ("nightly", "night", "import", "Export", "BACKUP", "Straße", "ﬁlter", "日本語", "v2.1", "x_y")
NAMES = ("FILE_UPLOAD", "OBJECTS_LIST", "FILE_META_CREATE", "DIR_MOVE")
SORTS = ("created", "-created", "updated", "-updated", "description", "-description")


async def all_pages(keys: APIKeys, limit: int = 7, **filters: object) -> list[APIKey]:
    """Every key of a list, page by page."""
    found: list[APIKey] = []
    after = None
    while True:
        page = await keys.list(limit=limit, after=after, **filters)  # type: ignore[arg-type]
        found.extend(page.items)
        assert page.next is None or len(page.items) == limit
        after = page.next
        if after is None:
            return found


async def import_some(keys: APIKeys, count: int, seed: int = 1) -> Sequence[APIKey]:
    """Keys with a few words, permissions and projects each, some switched off, some edited later."""
    keys.foreign_secrets = True
    rng = random.Random(seed)
    entries = [
        ImportedKey(
            digest=hashlib.sha256(f"{seed} {number}".encode()).digest(),
            description=" ".join(rng.sample(WORDS, rng.randint(1, 3))),
            permissions=rng.sample(NAMES, rng.randint(0, 2)),
            project=rng.choice((None, "acme", "Acme")),
            active=rng.random() < 0.6,
        )
        for number in range(count)
    ]
    made = await keys.import_digests(entries)
    for key in rng.sample(list(made), 5):
        await keys.update(key.id, description=f"{key.description} again", wait="commit")
    return [await keys.get(key.id) for key in made]


@pytest.mark.parametrize("few", [0, 3, listing.FEW])
async def test_every_order_and_filter_gives_what_sorting_all_keys_gives(
    keys: APIKeys, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`few`: terms have many keys, some have, none has: the two ways to find keys are one to who asks."""
    monkeypatch.setattr(listing, "FEW", few)
    made = await import_some(keys, 40)
    filters: dict[str, list[object]] = {
        "project": [None, "acme"],
        "active": [None, True, False],
        "permission": [None, "FILE_UPLOAD", "DIR_RENAME"],
        "search": [None, "NIGHT", "strasse", "filter imp", "nothing like it"],
    }
    fits: dict[str, Callable[[APIKey, object], bool]] = {
        "project": lambda key, wanted: key.project == wanted,
        "active": lambda key, wanted: key.active is wanted,
        "permission": lambda key, wanted: wanted in key.permissions,
        "search": lambda key, wanted: all(
            any(word.startswith(start) for word in terms.words(key.description)) for start in terms.words(str(wanted))
        ),
    }
    rng = random.Random(few)
    for _ in range(30):
        chosen = {name: rng.choice(values) for name, values in filters.items()}
        sort = rng.choice(SORTS)
        expected = {
            key.id for key in made if all(wanted is None or fits[name](key, wanted) for name, wanted in chosen.items())
        }
        found = await all_pages(keys, sort=sort, **chosen)  # type: ignore[arg-type]
        assert len(found) == len(expected), (sort, chosen)
        assert {key.id for key in found} == expected, (sort, chosen)
        column: Callable[[APIKey], object] = {
            "created": lambda key: key.created_at,
            "updated": lambda key: key.updated_at,
            "description": lambda key: key.description.casefold(),
        }[sort.lstrip("-")]
        values = [column(key) for key in found]
        if sort.lstrip("-") != "description":  # whose order is the database's
            assert values == sorted(values, reverse=sort.startswith("-"))  # type: ignore[type-var]


async def test_descriptions_are_ordered_without_case(keys: APIKeys) -> None:
    for description in ("beta", "Gamma", "alpha", "Alpha 2"):
        await keys.create(description)
    if keys._database.engine.dialect.name != "postgresql":  # whose order is that of its locale
        found = (await keys.list(sort="description")).items
        assert [key.description for key in found] == ["alpha", "Alpha 2", "beta", "Gamma"]
    ascending = [key.id for key in await all_pages(keys, limit=1, sort="description")]
    assert [key.id for key in await all_pages(keys, limit=1, sort="-description")] == ascending[::-1]


async def test_a_place_is_good_for_its_own_order_only(sqlite_keys: APIKeys) -> None:
    for number in range(4):
        await sqlite_keys.create(f"key {number}")
    for sort in SORTS:
        place = (await sqlite_keys.list(limit=1, sort=sort)).next
        assert place is not None
        for other in SORTS:
            if other != sort:
                with pytest.raises(BadInputError, match=r"after=.* in the order"):
                    await sqlite_keys.list(after=place, sort=other)


@pytest.mark.parametrize(
    "place", ["", "x", "W10", "é", "a" * 10_000, "WyItY3JlYXRlZCIsIi0xIiwieCJd", "WyItY3JlYXRlZCIsLTEsIngiXQ"]
)
async def test_a_place_that_is_none_is_a_clear_error(sqlite_keys: APIKeys, place: str) -> None:
    with pytest.raises(BadInputError, match=r"after=.* is not the `next`"):
        await sqlite_keys.list(after=place)


async def test_an_order_that_is_none_is_a_clear_error(sqlite_keys: APIKeys) -> None:
    for sort in ("", "id", "--created", "Created", None):
        with pytest.raises(BadInputError, match="sort must be created, updated, description"):
            await sqlite_keys.list(sort=sort)  # type: ignore[arg-type]


async def test_what_was_changed_by_hand_is_found_by_its_new_words_and_permissions(keys: APIKeys) -> None:
    issued = await keys.create("before", ["FILE_UPLOAD"])
    gone = await keys.create("before too")

    async def by_hand(statement: str) -> None:
        async with changing(keys._database.engine).connect() as connection:
            await connection.execute(text(statement), {"id": issued.key.id, "gone": gone.key.id})
            await connection.commit()

    await by_hand("UPDATE gatepost_keys SET description = 'after', permissions = ' DIR_MOVE ' WHERE id = :id")
    await by_hand("DELETE FROM gatepost_secrets WHERE key_id = :gone")
    await by_hand("DELETE FROM gatepost_keys WHERE id = :gone")
    before = await keys._database.read_position()
    for filters, expected in (
        ({"search": "before"}, []),
        ({"search": "after"}, [issued.key.id]),
        ({"permission": "FILE_UPLOAD"}, []),
        ({"permission": "DIR_MOVE"}, [issued.key.id]),
    ):
        assert [key.id for key in (await keys.list(**filters)).items] == expected, filters  # type: ignore[arg-type]
    assert (await keys._database.read_position()).seq == before.seq, "looking changes nothing that workers must know"


async def test_more_changes_by_hand_than_a_list_catches_up_with_are_found_all_the_same(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [(await keys.create(f"before number{number}", ["FILE_UPLOAD"])).key.id for number in range(4)]
    async with changing(keys._database.engine).connect() as connection:
        for number, key_id in enumerate(made):
            values = {"id": key_id, "description": f"after number{number}"}
            await connection.execute(text("UPDATE gatepost_keys SET description = :description WHERE id = :id"), values)
        await connection.commit()
    monkeypatch.setattr(terms, "PENDING_MAX", 2)
    monkeypatch.setattr(listing, "SCANNED", 1)

    async def found(search: str) -> set[str]:
        return {key.id for key in await all_pages(keys, limit=2, search=search)}

    assert await found("after") == set(made)
    assert await found("before") == set()
    assert await found(made[2]) == {made[2]}
    assert await found("ter") == set()
    assert {key.id for key in await all_pages(keys, limit=3, permission="FILE_UPLOAD")} == set(made)
    assert not await keys._database._terms_are_current()
    await keys.create_schema()
    assert await keys._database._terms_are_current()
    assert await found("after number3") == {made[3]}


async def test_keys_from_before_there_were_terms_are_found_once_the_tables_are_migrated(keys: APIKeys) -> None:
    issued = await keys.create("an old one", ["DIR_MOVE"])
    async with changing(keys._database.engine).connect() as connection:
        for table, condition in (("terms", "1 = 1"), ("settings", "name = 'terms_seq'")):
            await connection.execute(text(f"DELETE FROM gatepost_{table} WHERE {condition}"))
        await connection.commit()
    assert [key.id for key in (await keys.list(search="old", permission="DIR_MOVE")).items] == [issued.key.id]
    await keys.create_schema()
    assert await keys._database._terms_are_current()
    assert [key.id for key in (await keys.list(search="old", permission="DIR_MOVE")).items] == [issued.key.id]


async def test_terms_go_with_their_key_and_follow_its_edits(keys: APIKeys) -> None:
    issued = await keys.create("one two", ["DIR_MOVE"], project="acme")

    async def written() -> set[tuple[str, str]]:
        async with keys._database.engine.connect() as connection:
            return {(row.term, row.project) for row in await connection.execute(text("SELECT * FROM gatepost_terms"))}

    own = (issued.key.id.casefold(), "acme")
    assert await written() == {("one", "acme"), ("two", "acme"), ("=DIR_MOVE", "acme"), own}
    await keys.update(issued.key.id, description="three", permissions=[])
    assert await written() == {("three", "acme"), own}
    await keys.deactivate(issued.key.id)
    assert await written() == {("three", "acme"), own}
    await keys.delete(issued.key.id)
    assert await written() == set()


@pytest.mark.parametrize("with_terms", [True, False])
async def test_words_are_compared_alike_with_terms_and_without(
    keys: APIKeys, with_terms: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = await keys.create("ÄRGER Straße ﬁx")
    if not with_terms:
        async with changing(keys._database.engine).connect() as connection:
            await connection.execute(text("DELETE FROM gatepost_settings WHERE name = 'terms_seq'"))
            await connection.commit()
    for search in ("ärger", "STRASSE", "straße", "fix", "ärg fi"):
        assert [key.id for key in (await keys.list(search=search)).items] == [issued.key.id], search
    assert list((await keys.list(search="rger")).items) == []


async def test_keys_with_several_words_of_one_beginning_are_counted_once(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a list would end before its end."""
    monkeypatch.setattr(listing, "FEW", 20)
    keys.foreign_secrets = True
    made = await keys.import_digests(
        ImportedKey(
            digest=hashlib.sha256(bytes([number])).digest(),
            description=f"{words} acme",
            permissions=["DIR_MOVE"],
        )
        for number, words in enumerate(["prod processor"] * 10 + ["prototype"] * 15 + ["nothing"] * 65)
    )
    expected = {key.id for key in made if key.description.startswith("pro")}
    for filters in ({"search": "pro acme"}, {"search": "pro", "permission": "DIR_MOVE"}):
        found = await all_pages(keys, **filters)  # type: ignore[arg-type]
        assert {key.id for key in found} == expected, filters


async def test_keys_that_come_between_two_statements_of_a_list_push_none_out_of_it(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "FEW", 3)
    monkeypatch.setattr(listing, "SOME", 5)
    few = listing.Listing._few

    async def meanwhile(self: listing.Listing, *args: Any) -> Any:
        found = await few(self, *args)
        assert found is not None
        for number in range(2):
            await keys.create(f"0{number} night")
        return found

    for number in range(3):
        await keys.create(f"1{number} night")
    monkeypatch.setattr(listing.Listing, "_few", meanwhile)
    page = await keys.list(search="night", sort="description")
    assert [key.description for key in page.items] == ["00 night", "01 night", "10 night", "11 night", "12 night"]


async def test_a_list_does_without_terms_while_nobody_may_write(keys: APIKeys) -> None:
    issued = await keys.create("before", ["DIR_MOVE"])
    engine = changing(keys._database.engine)
    async with engine.connect() as connection:
        await connection.execute(text("UPDATE gatepost_keys SET description = 'after'"))
        await connection.commit()
        await connection.execute(text("UPDATE gatepost_counter SET seq = seq"))
        assert [key.id for key in (await keys.list(search="after", permission="DIR_MOVE")).items] == [issued.key.id]
        await connection.rollback()
    assert [key.id for key in (await keys.list(search="after", permission="DIR_MOVE")).items] == [issued.key.id]


async def test_terms_that_an_older_gatepost_did_not_write_are_written_anew(keys: APIKeys) -> None:
    issued = await keys.create("a key")
    async with changing(keys._database.engine).connect() as connection:
        await connection.execute(text("DELETE FROM gatepost_terms"))
        await connection.commit()
    assert list((await keys.list(search="key")).items) == []
    await keys.create_schema(terms_anew=True)
    assert [key.id for key in (await keys.list(search="key")).items] == [issued.key.id]
