"""Lists: every order, filter and page, over SQLite, PostgreSQL and MariaDB, against what sorting all keys gives."""

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from gatepost import Actor, APIKey, APIKeys, BadInputError, ImportedKey, KeyNotFoundError, State, Total
from gatepost.base import new_id
from gatepost.database.connecting.engine import changing
from gatepost.database.lists import counting, listing
from gatepost.database.schema import search_terms as terms
from gatepost.database.schema import tables
from gatepost.keys import importing, making
from tests.keyring.conftest import take_foreign

DAY = timedelta(days=1)
WORDS = ("nightly", "night", "import", "Export", "BACKUP", "Straße", "ﬁlter", "日本語", "v2.1", "x_y")
NAMES = ("FILE_UPLOAD", "OBJECTS_LIST", "FILE_META_CREATE", "DIR_MOVE")
SORTS = ("created", "-created", "updated", "-updated", "description", "-description", "expires", "-expires")
LIVES = (None, None, -400 * DAY, -DAY, -DAY, 10 * DAY, 10 * DAY, 400 * DAY)
"""From now to when keys expire, some at the same moment."""


@pytest.fixture(autouse=True)
def ids_that_no_search_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids begin with what no word here does: searches find beginnings of ids too, one in a hundred by chance."""
    for module in (importing, making):
        monkeypatch.setattr(module, "new_id", lambda: f"Q{new_id()[1:]}")


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


async def all_pages_backwards(keys: APIKeys, limit: int = 7, **filters: Any) -> list[APIKey]:
    """Every key of a list, from its last page back to the first."""
    page = await keys.list(limit=limit, **filters)
    while page.next is not None:
        page = await keys.list(limit=limit, after=page.next, **filters)
    found = list(page.items)
    while page.previous is not None:
        page = await keys.list(limit=limit, before=page.previous, **filters)
        assert len(page.items) == limit
        assert page.next is not None
        found = [*page.items, *found]
    return found


async def set_expiries(keys: APIKeys, moments: Mapping[str, datetime | None]) -> None:
    """Let keys expire at these moments, also such as have passed, which no verb would do."""
    async with changing(keys._database.engine) as connection:
        for key_id, moment in moments.items():
            of_key = update(tables.keys).where(tables.keys.c.id == key_id)
            await connection.execute(of_key.values(expires_at=moment))
        await connection.commit()


async def import_some(keys: APIKeys, count: int, seed: int = 1) -> Sequence[APIKey]:
    """Keys with a few words, permissions and projects each, some switched off, some edited later."""
    take_foreign(keys)
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
    now = datetime.now(UTC).replace(microsecond=123456)
    lives = {key.id: rng.choice(LIVES) for key in made}
    await set_expiries(keys, {key_id: None if life is None else now + life for key_id, life in lives.items()})
    return [await keys.get(key.id) for key in made]


@pytest.mark.parametrize("few", [0, 3, listing.FEW])
async def test_every_order_and_filter_gives_what_sorting_all_keys_gives(
    keys: APIKeys, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`few`: terms have many keys, some have, none has: the two ways to find keys are one to who asks."""
    monkeypatch.setattr(listing, "FEW", few)
    made = await import_some(keys, 40)
    now = datetime.now(UTC)
    filters: dict[str, list[object]] = {
        "project": [None, "acme"],
        "company_wide": [False, False, True],
        "state": [None, None, *State],
        "permission": [None, "FILE_UPLOAD", "DIR_RENAME"],
        "no_permissions": [False, False, True],
        "search": [None, None, "NIGHT", "strasse", "filter imp", "nothing like it"],
        "expires_before": [None, None, None, now, now + 20 * DAY],
        "never_expires": [False, False, False, True],
    }
    fits: dict[str, Callable[[APIKey, object], bool]] = {
        "project": lambda key, wanted: key.project == wanted,
        "company_wide": lambda key, _wanted: key.project is None,
        "state": lambda key, wanted: (
            key.state(now) in ((State.ACTIVE, State.EXPIRING) if wanted is State.ACTIVE else (wanted,))
        ),
        "permission": lambda key, wanted: wanted in key.permissions,
        "no_permissions": lambda key, _wanted: not key.permissions,
        "expires_before": lambda key, wanted: key.expires_at is not None and key.expires_at < wanted,  # type: ignore[operator]
        "never_expires": lambda key, _wanted: key.expires_at is None,
        "search": lambda key, wanted: all(
            any(word.startswith(start) for word in terms.words(key.description)) for start in terms.words(str(wanted))
        ),
    }
    rng = random.Random(few)
    for _ in range(25):
        asked = {name: rng.choice(values) if rng.random() < 0.5 else None for name, values in filters.items()}
        chosen: dict[str, Any] = {name: value for name, value in asked.items() if value}
        for one, other in (("company_wide", "project"), ("no_permissions", "permission")):
            if other in chosen:
                chosen.pop(one, None)
        sort = rng.choice(SORTS)
        expected = {key.id for key in made if all(fits[name](key, wanted) for name, wanted in chosen.items())}
        found = await all_pages(keys, sort=sort, **chosen)
        assert len(found) == len(expected), (sort, chosen)
        assert {key.id for key in found} == expected, (sort, chosen)
        assert found == await all_pages_backwards(keys, sort=sort, **chosen), (sort, chosen)
        assert await keys.count(**chosen) == Total(len(expected), exact=True), chosen
        column: Callable[[APIKey], object] = {
            "created": lambda key: key.created_at,
            "updated": lambda key: key.updated_at,
            "description": lambda key: key.description.casefold(),
            "expires": lambda key: key.expires_at or datetime.max.replace(tzinfo=UTC),
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
                with pytest.raises(BadInputError, match=r"before=.* is not the `previous`.* in the order"):
                    await sqlite_keys.list(before=place, sort=other)
    with pytest.raises(BadInputError, match="after and before exclude each other"):
        await sqlite_keys.list(before=place, after=place)


@pytest.mark.parametrize(
    "place", ["", "x", "W10", "é", "a" * 10_000, "WyItY3JlYXRlZCIsIi0xIiwieCJd", "WyItY3JlYXRlZCIsLTEsIngiXQ"]
)
async def test_a_place_that_is_none_is_a_clear_error(sqlite_keys: APIKeys, place: str) -> None:
    with pytest.raises(BadInputError, match=r"after=.* is not the `next`"):
        await sqlite_keys.list(after=place)


async def test_an_order_that_is_none_is_a_clear_error(sqlite_keys: APIKeys) -> None:
    for sort in ("", "id", "--created", "Created", None):
        with pytest.raises(BadInputError, match="sort must be created, updated, description, expires"):
            await sqlite_keys.list(sort=sort)  # type: ignore[arg-type]


async def test_what_was_changed_by_hand_is_found_by_its_new_words_and_permissions(keys: APIKeys) -> None:
    issued = await keys.create("before", ["FILE_UPLOAD"])
    gone = await keys.create("before too")

    async def by_hand(statement: str) -> None:
        async with changing(keys._database.engine) as connection:
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
    async with changing(keys._database.engine) as connection:
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
    assert not await keys._database.terms_are_current()
    await keys.create_schema()
    assert await keys._database.terms_are_current()
    assert await found("after number3") == {made[3]}


async def test_keys_from_before_there_were_terms_are_found_once_the_tables_are_migrated(keys: APIKeys) -> None:
    issued = await keys.create("an old one", ["DIR_MOVE"])
    async with changing(keys._database.engine) as connection:
        for table, condition in (("terms", "1 = 1"), ("settings", "name = 'terms_seq'")):
            await connection.execute(text(f"DELETE FROM gatepost_{table} WHERE {condition}"))
        await connection.commit()
    assert [key.id for key in (await keys.list(search="old", permission="DIR_MOVE")).items] == [issued.key.id]
    await keys.create_schema()
    assert await keys._database.terms_are_current()
    assert [key.id for key in (await keys.list(search="old", permission="DIR_MOVE")).items] == [issued.key.id]


async def test_terms_go_with_their_key_and_follow_its_edits(keys: APIKeys) -> None:
    issued = await keys.create("one two", ["DIR_MOVE"], project="acme")

    async def written() -> set[tuple[str, str]]:
        async with keys._database.engine.connect() as connection:
            return {(row.term, row.project) for row in await connection.execute(text("SELECT * FROM gatepost_terms"))}

    def shown(key: APIKey) -> set[tuple[str, str]]:
        assert key.hint is not None
        return {(f"~{key.hint}", "acme"), (f"${key.hint[-4:]}", "acme")}

    own = {(issued.key.id.casefold(), "acme"), *shown(issued.key)}
    assert await written() == {("one", "acme"), ("two", "acme"), ("=DIR_MOVE", "acme"), *own}
    await keys.update(issued.key.id, description="three", permissions=[])
    assert await written() == {("three", "acme"), ("=", "acme"), *own}
    await keys.deactivate(issued.key.id)
    assert await written() == {("three", "acme"), ("=", "acme"), *own}
    second = await keys.rotate(issued.key.id, grace=60)
    assert await written() == {("three", "acme"), ("=", "acme"), *own, *shown(second.key)}
    await keys.update(issued.key.id, description="four")
    assert await written() == {("four", "acme"), ("=", "acme"), *own, *shown(second.key)}
    await keys.end_grace(issued.key.id)
    own = {(issued.key.id.casefold(), "acme"), *shown(second.key)}
    assert await written() == {("four", "acme"), ("=", "acme"), *own}
    third = await keys.rotate(issued.key.id, grace=0)
    own = {(issued.key.id.casefold(), "acme"), *shown(third.key)}
    assert await written() == {("four", "acme"), ("=", "acme"), *own}
    await keys.delete(issued.key.id)
    assert await written() == set()


@pytest.mark.parametrize("with_terms", [True, False])
async def test_words_are_compared_alike_with_terms_and_without(
    keys: APIKeys, with_terms: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = await keys.create("ÄRGER Straße ﬁx")
    if not with_terms:
        async with changing(keys._database.engine) as connection:
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
    take_foreign(keys)
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
    async with changing(keys._database.engine) as connection:
        await connection.execute(text("UPDATE gatepost_keys SET description = 'after'"))
        await connection.commit()
        await connection.execute(text("UPDATE gatepost_counter SET seq = seq"))
        assert [key.id for key in (await keys.list(search="after", permission="DIR_MOVE")).items] == [issued.key.id]
        await connection.rollback()
    assert [key.id for key in (await keys.list(search="after", permission="DIR_MOVE")).items] == [issued.key.id]


async def test_terms_that_an_older_gatepost_did_not_write_are_written_anew(keys: APIKeys) -> None:
    issued = await keys.create("a key")
    async with changing(keys._database.engine) as connection:
        await connection.execute(text("DELETE FROM gatepost_terms"))
        await connection.commit()
    assert list((await keys.list(search="key")).items) == []
    await keys.create_schema(terms_anew=True)
    assert [key.id for key in (await keys.list(search="key")).items] == [issued.key.id]


@pytest.mark.parametrize("with_terms", [True, False])
async def test_a_secret_is_found_as_lists_show_it(keys: APIKeys, with_terms: bool) -> None:
    """Whole, its start, its last four characters: in a ticket or a log nobody has more of it."""
    made = await keys.create("nightly", ["FILE_UPLOAD"], project="acme")
    for number in range(5):
        await keys.create(f"other {number}", project="acme")
    before = made.key
    after = (await keys.rotate(before.id, grace=60)).key
    take_foreign(keys)
    (old,) = await keys.import_digests(
        [ImportedKey(digest=b"x" * 32, description="from before", hint="sk-Live 100%_a")]
    )
    if not with_terms:
        async with changing(keys._database.engine) as connection:
            await connection.execute(text("DELETE FROM gatepost_settings WHERE name = 'terms_seq'"))
            await connection.commit()

    async def found(search: str, **filters: Any) -> list[str]:
        return [key.id for key in (await keys.list(search=search, **filters)).items]

    for hint in (before.hint, after.hint):
        assert hint is not None
        start, tail = hint.split("...")
        for search in (
            hint,
            hint.replace("...", "…"),
            tail,
            f"...{tail}",
            f"…{tail}",
            start,
            f"nigh {tail}",
            f"{start} night",
        ):
            assert await found(search) == [before.id], search
            assert await found(search, project="acme", permission="FILE_UPLOAD", state="active") == [before.id], search
            assert await found(search, project="umbrella") == []
        assert await found(f"other {tail}") == []
        for wrong in (tail.swapcase(), hint.swapcase(), f"{start}...{tail.swapcase()}", f"{tail}x", f"x{tail}"):
            assert wrong in (hint, tail) or await found(wrong) == [], wrong
    for search in (made.secret, made.secret[:20], f"gp_{before.id}", f"gp_{before.id[:7]}"):
        assert await found(search) == [before.id], search
    for search in ("sk-Live 100%_a", "sk-Live", "0%_a", "sk-L"):
        assert await found(search) == [old.id], search
    for wrong in ("sk-liveX", "SK-Live 100%_a", "%%%%", "____", "sk-%", "...%"):
        assert await found(wrong) == [], wrong
    await keys.end_grace(before.id)
    assert before.hint is not None
    assert await found(before.hint[-4:]) == [], "the older secret is gone"


async def test_hints_that_were_written_by_hand_are_found(keys: APIKeys) -> None:
    made = await keys.create("a key")
    async with changing(keys._database.engine) as connection:
        await connection.execute(text("UPDATE gatepost_secrets SET hint = 'mine...Wxyz'"))
        await connection.commit()
    assert [key.id for key in (await keys.list(search="Wxyz")).items] == [made.key.id]
    assert [key.id for key in (await keys.list(search="mine...Wxyz")).items] == [made.key.id]


async def test_a_key_is_in_the_state_that_the_databases_clock_says(keys: APIKeys) -> None:
    made = {
        name: (await keys.create(name)).key.id for name in ("for ever", "long", "short", "over", "off", "off and over")
    }
    await keys.deactivate([made["off"], made["off and over"]])
    now = datetime.now(UTC)
    lives = {"long": 31 * DAY, "short": 29 * DAY, "over": -DAY, "off and over": -DAY}
    await set_expiries(keys, {made[name]: now + life for name, life in lives.items()})

    async def found(**filters: Any) -> set[str]:
        page = await keys.list(**filters)
        filters.pop("sort", None)
        assert await keys.count(**filters) == Total(len(page.items), exact=True)
        return {key.description for key in page.items}

    assert await found(state="active") == await found(active=True) == {"for ever", "long", "short"}
    assert await found(state="expiring") == {"short"}
    assert await found(state=State.EXPIRING, expires_within=40 * 86400) == {"long", "short"}
    assert await found(state="expiring", expires_within=0) == set()
    assert await found(state="expired") == {"over"}
    assert await found(state="deactivated") == await found(active=False) == {"off", "off and over"}
    assert await found(expires_before=now) == {"over", "off and over"}
    assert await found(expires_before=now + 29 * DAY) == {"over", "off and over"}, "not one that expires just then"
    assert await found(expires_before=now + 30 * DAY, state="active") == {"short"}
    assert await found(never_expires=True) == {"for ever", "off"}
    assert await found(never_expires=True, expires_before=now) == set()
    assert await found(never_expires=True, state="expired", sort="expires") == set()
    states = {key.description: key.state(now) for key in (await keys.list()).items}
    assert states == {
        "for ever": State.ACTIVE,
        "long": State.ACTIVE,
        "short": State.EXPIRING,
        "over": State.EXPIRED,
        "off": State.DEACTIVATED,
        "off and over": State.DEACTIVATED,
    }


async def test_in_the_order_of_expiries_never_comes_after_every_moment(keys: APIKeys) -> None:
    made = [(await keys.create(f"key {number}")).key.id for number in range(6)]
    now = datetime.now(UTC)
    await keys.deactivate(made[1])
    await set_expiries(keys, dict(zip(made, (now + 3 * DAY, now + DAY, None, None, now + DAY, now - DAY), strict=True)))
    ascending = [made[5], *sorted([made[1], made[4]]), made[0], *sorted(made[2:4])]
    for limit in (1, 2, 3, 4, 10):
        assert [key.id for key in await all_pages(keys, limit, sort="expires")] == ascending
        assert [key.id for key in await all_pages(keys, limit, sort="-expires")] == ascending[::-1]
        assert [key.id for key in await all_pages_backwards(keys, limit, sort="expires")] == ascending
        assert [key.id for key in await all_pages_backwards(keys, limit, sort="-expires")] == ascending[::-1]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"state": "on"}, "state must be active, expiring, expired, deactivated, not 'on'"),
        ({"state": "active", "active": True}, "active and state exclude each other"),
        ({"project": "acme", "company_wide": True}, "project and company_wide exclude each other"),
        ({"permission": "DIR_MOVE", "no_permissions": True}, "permission and no_permissions exclude each other"),
        ({"expires_within": -1}, "expires_within must be a number of seconds, 0 to 3153600000, not -1"),
        ({"expires_within": float("nan")}, "expires_within must be"),
        ({"expires_within": "1d"}, "expires_within must be"),
        ({"expires_before": datetime(2030, 1, 1)}, "expires_before must be a datetime with a time zone"),  # noqa: DTZ001
        ({"search": "a\nb"}, "search: the 2nd character is a line break"),
    ],
)
async def test_filters_that_make_no_sense_are_a_clear_error(sqlite_keys: APIKeys, wrong: Any, says: str) -> None:
    for read in (sqlite_keys.list, sqlite_keys.count):
        with pytest.raises(BadInputError, match=says):
            await read(**wrong)


async def test_a_filter_that_there_is_not_is_a_type_error(sqlite_keys: APIKeys) -> None:
    for read in (sqlite_keys.list, sqlite_keys.count):
        with pytest.raises(TypeError, match="unexpected keyword argument 'permissions'"):
            await read(permissions="DIR_MOVE")  # type: ignore[call-arg]


async def test_what_is_too_much_to_be_counted_is_said_to_be_more(
    keys: APIKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_foreign(keys)
    await keys.import_digests(
        ImportedKey(
            digest=hashlib.sha256(bytes([number])).digest(),
            description="nightly night" if number % 2 else "daily",
            active=number != 3,
        )
        for number in range(12)
    )
    for counted, whole, nightly, off in ((5, "5+", "5+", "1+"), (11, "11+", "6", "1"), (12, "12", "6", "1")):
        monkeypatch.setattr(counting, "COUNTED", counted)
        assert str(await keys.count()) == whole
        assert str(await keys.count(search="nightly")) == nightly
        assert str(await keys.count(state="deactivated")) == "1"
        assert str(await keys.count(search="nightly", state="deactivated")) in {off, "0+"}
        assert str(await keys.count(search="never")) == "0"
    assert str(Total(5023, exact=True)) == "5,023"


async def test_projects_are_listed_by_name_each_once(keys: APIKeys) -> None:
    for project in ("b", "a", None, "c", "a", "B", "d e", "a"):
        await keys.create("a key", project=project)
    page = await keys.projects()
    assert sorted(page.items) == ["B", "a", "b", "c", "d e"]
    assert (page.next, page.previous) == (None, None)
    names: list[str] = []
    after = None
    while True:
        part = await keys.projects(after=after, limit=2)
        names += part.items
        after = part.next
        if after is None:
            break
    assert names == list(page.items)
    limited = Actor(name="ann", project="c", permissions=frozenset({"ACCESS_READ"}))
    assert list((await keys.projects(actor=limited)).items) == ["c"]
    assert list((await keys.projects(actor=limited, after="c")).items) == []
    nowhere = Actor(name="ann", project="nowhere", permissions=frozenset({"ACCESS_READ"}))
    assert list((await keys.projects(actor=nowhere)).items) == []


async def test_a_limited_actor_counts_and_lists_its_own_project_only(keys: APIKeys) -> None:
    for project in ("acme", "acme", "umbrella", None):
        await keys.create("a key", project=project)
    actor = Actor(name="ann", project="acme", permissions=frozenset({"ACCESS_READ"}))
    filters: list[tuple[Any, int]] = [
        ({}, 2),
        ({"project": "acme"}, 2),
        ({"project": "umbrella"}, 0),
        ({"company_wide": True}, 0),
    ]
    for which, number in filters:
        assert await keys.count(actor=actor, **which) == Total(number, exact=True)
        assert len((await keys.list(actor=actor, **which)).items) == number
    with pytest.raises(KeyNotFoundError):
        await keys.get("x" * 12, actor=actor)
