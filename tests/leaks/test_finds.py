"""Where a secret was found, cleaned: the log must not become the next place where it lies."""

from time import process_time
from urllib.parse import quote

import pytest

from gatepost import APIKeys
from gatepost.base import PLACE_MAX
from gatepost.leaks.finds import finds_of


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://github.com/a/b/blob/1/c.txt", "https://github.com/a/b/blob/1/c.txt"),
        ("https://user:pass@github.com:8443/a?token=x#L1", "https://github.com:8443/a"),
        ("https://example.org/SECRET/a", "https://example.org/..."),
        ("https://example.org/QUOTED", "https://example.org/..."),
        ("https://example.org/TWICE", "https://example.org/..."),
        ("https://example.org/FOREIGN", "https://example.org/..."),
        ("https://example.org/a b\n<script>é", "https://example.org/a%20b%3Cscript%3E%C3%A9"),
        ("https://example.org/" + "a" * 5000, "https://example.org/" + "a" * (PLACE_MAX - 20)),
        ("javascript:alert(1)", None),
        ("//example.org/a", None),
        ("https://", None),
        ("https://[::1", None),
        ("", None),
        (None, None),
        (17, None),
    ],
)
async def test_a_place_has_no_secret_no_user_no_query_and_is_one_line_of_ascii(
    keys: APIKeys, url: object, place: str | None
) -> None:
    secret = (await keys.create("a key")).secret
    every = "".join(f"%{ord(each):02x}" for each in secret)
    if isinstance(url, str):
        for word, text in (("SECRET", secret), ("QUOTED", every), ("TWICE", quote(every)), ("FOREIGN", "of-another")):
            url = url.replace(word, text)
    finds = finds_of(
        keys, [{"token": secret, "type": "a", "url": url}, {"token": "of-another", "type": "a", "url": url}], "url"
    )
    assert [find.place for find in finds] == [place, None]  # of what is not ours nothing is written down
    assert [find.is_ours for find in finds] == [True, False]
    assert secret not in repr(finds)


async def test_a_place_has_no_secret_of_another_find_either_where_secrets_may_be_imported(
    ready_sqlite_url: str,
) -> None:
    tokens = ["of-another", "ab", "of-another-that-is-longer", "sk_live_1234567890_1", "sk_live_1234567890_2"]
    paths = [*tokens, "of-anothe", "sk_live_1234567890_3"]
    entries = [
        {"token": token, "type": "a", "url": f"https://example.org/x{path}x"} for path in paths for token in tokens
    ]
    async with APIKeys(ready_sqlite_url, foreign_secrets=True) as keys:
        places = {find.place for find in finds_of(keys, entries, "url")}
    assert places == {"https://example.org/...", *(f"https://example.org/x{path}x" for path in paths[-2:])}


async def test_many_finds_cost_as_many_times_as_one_and_not_their_square(ready_sqlite_url: str) -> None:
    def seconds(many: int) -> float:
        entries = [
            {"token": f"another-{number:032}", "type": "a", "url": f"https://example.org/{number}/a.txt"}
            for number in range(many)
        ]
        begun = process_time()
        assert len(finds_of(keys, entries, "url")) == many
        return process_time() - begun

    async with APIKeys(ready_sqlite_url, foreign_secrets=True) as keys:
        few, many = (min(seconds(number) for _ in range(3)) for number in (1000, 8000))
    assert many < 20 * few


@pytest.mark.parametrize(("source", "told"), [("Commit", "commit"), ("a b", None), ("x" * 41, None), (7, None)])
async def test_what_a_find_was_in_is_one_word_or_nothing(keys: APIKeys, source: object, told: str | None) -> None:
    (find,) = finds_of(keys, [{"token": "a", "type": "a", "source": source}], "url")
    assert find.source == told
