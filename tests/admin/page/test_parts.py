"""The page's pure parts: groups and presets, moments, the list's URL, tokens, the log in words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gatepost.admin.entry import csrf
from gatepost.admin.page.back import Back
from gatepost.admin.page.list_filter import Listing, project_value
from gatepost.admin.page.told import default_presets, grouped, history, moments
from gatepost.admin.page.trial import Trial
from gatepost.admin.page.typed import KeyForm
from gatepost.base.errors import BadInputError
from gatepost.base.models import WHOLE_KINDS, ChangeEvent
from gatepost.rules.catalogue import DAM, Catalogue

NOW = datetime(2026, 5, 12, 14, 5, 9, tzinfo=UTC)
KEYS = [b"n" * 32, b"o" * 32]


def test_the_catalogue_falls_into_groups_that_people_would_make() -> None:
    groups = {group.title: len(group.permissions) for group in grouped(DAM)}
    assert groups == {
        "Objects": 6,
        "Files": 11,
        "Directories": 6,
        "Configuration": 2,
        "Collections": 2,
        "Labels": 2,
        "Access": 2,
    }


def test_names_with_colons_and_names_without_any_part_are_grouped_too() -> None:
    notes = Catalogue.of("Colons", {"note:read": "read notes", "notes:write": "write notes", "admin": "do all"})
    assert [(group.title, [*group.permissions]) for group in grouped(notes)] == [
        ("Notes", ["note:read", "notes:write"]),
        ("Other", ["admin"]),
    ]


def test_the_presets_of_the_built_in_catalogue() -> None:
    assert default_presets(DAM) == {
        "Read only": {
            "OBJECTS_LIST", "OBJECTS_FETCH", "CONFIG_LIST", "COLLECTIONS_LIST", "LABELS_LIST", "ACCESS_READ"
        },
        "Upload": {"FILE_UPLOAD", "FILE_META_CREATE", "DIR_CREATE"},
    }  # fmt: skip


def test_a_catalogue_for_which_a_preset_holds_nothing_goes_without() -> None:
    assert default_presets(Catalogue.of("Bare", {"x": "do x"})) == {}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3, "just now"),
        (50, "1 minute ago"),
        (3400, "57 minutes ago"),
        (3599, "1 hour ago"),
        (86400 * 3, "3 days ago"),
        (86400 * 40, "1 month ago"),
        (86400 * 800, "2 years ago"),
        (-86400 * 7, "in 7 days"),
    ],
)
def test_moments_are_told_as_people_tell_them(seconds: float, text: str) -> None:
    assert moments.relative(NOW - timedelta(seconds=seconds), NOW) == text


def test_moments_are_told_in_full_in_utc() -> None:
    assert moments.full(NOW.astimezone()) == "12 May 2026, 14:05:09 UTC"


def test_a_listing_survives_its_own_url() -> None:
    listing = Listing("a b&c", "active", "FILE_UPLOAD", "editor", "acme", "ann & co", "test", "-updated", "place")
    assert Listing.parse(listing.query()) == listing
    noted = Listing(metadata='{"a b&c": ["é", "+"]}')
    assert (Listing.parse(noted.query()), noted.filters) == (noted, 1)
    assert noted.which["metadata"] == {"a b&c": ["é", "+"]}
    back = Listing("x", sort="expires", before="place")
    assert Listing.parse(back.query()) == back


def test_a_project_that_is_called_like_the_word_for_none_is_still_one() -> None:
    assert Listing(project="*").which["company_wide"]
    for name in ("acme", "*", "**", "*x"):
        assert Listing(project=project_value(name)).which["project"] == name


@pytest.mark.parametrize("key_id", [None, "abcdefghijkl"])
@pytest.mark.parametrize("listing", [Listing(), Listing("a b&c", "expired", sort="expires")])
def test_where_a_task_leads_back_to_survives_its_own_url(key_id: str | None, listing: Listing) -> None:
    back = Back(listing, key_id)
    assert Back.parse(back.path) == back
    path, _, query = back.telling("created", "abcdefghijkl").partition("?")
    assert "news=created" in query
    assert path == ("" if key_id is None else f"keys/{key_id}")


@pytest.mark.parametrize("text", ["https://evil.example/", "//evil.example", "keys/../x", "keys/a/b", "keys/"])
def test_nothing_leads_back_to_elsewhere(text: str) -> None:
    assert Back.parse(text) == Back()


def test_the_line_to_try_a_secret_quotes_what_a_shell_would_understand() -> None:
    line = Trial("/api/whoami", "X-'Key`: ").command("https://a.example/x?y&z")
    assert line == (
        "read -rs SECRET && printf %s 'X-'\"'\"'Key`: '\"$SECRET\" | curl -sS -H @- 'https://a.example/x?y&z'"
    )


def test_a_listing_takes_nothing_from_a_url_but_its_own_fields() -> None:
    assert Listing.parse("https://evil.example/?state=weird&sort=x&search=y").query() == "?search=y"


def test_a_click_on_a_columns_head_sorts_by_it_and_a_second_the_other_way_round() -> None:
    once = Listing.parse(Listing(after="place").sorted_by("updated"))
    assert (once.sort, once.after) == ("-updated", "")
    assert Listing.parse(once.sorted_by("updated")).sort == "updated"
    assert once.direction("updated") == "descending"
    assert once.direction("created") == "none"


def test_a_token_counts_for_its_own_cookie_and_visitor_only() -> None:
    token = csrf.make_token(KEYS, "cookie", "me")
    assert csrf.is_token(token, KEYS, "cookie", "me")
    assert not csrf.is_token(token, KEYS, "other", "me")
    assert not csrf.is_token(token, KEYS, "cookie", "you")
    assert not csrf.is_token(token, [b"x" * 32], "cookie", "me")
    assert not csrf.is_token("é", KEYS, "cookie", "me")
    assert csrf.is_token(csrf.make_token(KEYS[1:], "cookie", "me"), KEYS, "cookie", "me")


@pytest.mark.parametrize(
    ("headers", "is_own"),
    [
        ({}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "http://a.example", "host": "a.example"}, False),
        ({"origin": "http://a.example:8000", "host": "a.example:8000"}, True),
        ({"origin": "https://evil.example", "host": "a.example"}, False),
        ({"origin": "null", "host": "a.example"}, False),
        ({"origin": "http://a.example.evil.example", "host": "a.example"}, False),
    ],
)
def test_the_browser_is_believed_about_where_a_form_comes_from(headers: dict[str, str], is_own: bool) -> None:
    assert csrf.is_own_request(headers) is is_own


def test_an_expiry_is_the_end_of_its_day_so_that_a_form_that_is_sent_again_asks_for_the_same() -> None:
    form = KeyForm(expires="30")
    assert (
        form.expires_at(NOW)
        == form.expires_at(NOW + timedelta(minutes=9))
        == datetime(2026, 6, 11, 23, 59, 59, tzinfo=UTC)
    )
    assert KeyForm(expires="never").expires_at(NOW, before=NOW) is None
    assert KeyForm(expires="keep").expires_at(NOW, before=NOW) == NOW
    assert KeyForm(expires="date", date="2030-12-31").expires_at(NOW) == datetime(2030, 12, 31, 23, 59, 59, tzinfo=UTC)
    with pytest.raises(BadInputError, match="Pick the day"):
        KeyForm(expires="date", date="soon").expires_at(NOW)


def test_the_log_tells_what_was_changed_from_what_to_what() -> None:
    event = ChangeEvent(
        seq=1,
        n=0,
        key_id="x" * 12,
        project=None,
        kind="updated",
        actor="me",
        address=None,
        at=NOW,
        detail={
            "description": {"old": "a", "new": "b"},
            "permissions": {"old": ["A", "B"], "new": ["B", "C"]},
            "expires_at": {"old": None, "new": NOW.isoformat()},
        },
    )
    description, permissions, expiry = history.differences(event)
    assert (description.label, description.old, description.new) == ("Description", "a", "b")
    assert (permissions.added, permissions.removed) == (["C"], ["A"])
    assert (expiry.old, expiry.new) == ("never", "12 May 2026, 14:05:09 UTC")


def test_metadata_that_looks_like_a_change_is_what_a_key_is_made_with_and_deleted_with() -> None:
    looks_like_one = {"old": 1, "new": 2}
    event = ChangeEvent(
        seq=1,
        n=0,
        key_id="x" * 12,
        project=None,
        kind="created",
        actor="me",
        address=None,
        at=NOW,
        detail={"metadata": looks_like_one},
    )
    for kind in WHOLE_KINDS:
        (metadata,) = history.differences(replace(event, kind=kind))
        assert (metadata.old, metadata.new) == (None, '{"new":2,"old":1}')
    changed = {"metadata": {"old": looks_like_one, "new": {"new": 3}}}
    (metadata,) = history.differences(replace(event, kind="updated", detail=changed))
    assert (metadata.old, metadata.new) == ('{"new":2,"old":1}', '{"new":3}')
