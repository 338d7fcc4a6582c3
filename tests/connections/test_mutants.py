"""The tests of where keys may be used from can fail: each of these defects makes its test fail."""

from pathlib import Path

import pytest

from tests.mutants import Mutant, assert_caught

ADDRESSES = "tests/connections/test_addresses.py::test_"
HELD = f"{ADDRESSES}each_request_is_held_against_the_list"
OPEN = f"{ADDRESSES}what_is_open_ends_once_it_would_be_refused_and_nothing_else[Python-None]"
RESOLVER = "tests/pure/test_addresses.py::test_"
VERBS = "tests/keyring/test_addresses.py::test_"
ESCALATION = f"{VERBS}a_key_lets_none_be_used_from_where_it_may_not_be_itself[sqlite]"
WAITS = f"{VERBS}an_edit_waits_where_it_takes_addresses_away_and_only_then"

MUTANTS = [
    Mutant(
        "the list is ignored on a memory hit",
        "base/record.py",
        "        _set_usable_until(self, -NEVER)\n",
        "",
        f"{HELD}[Python-plain]",
    ),
    Mutant(
        "the list is ignored on a memory hit of a key with bounds",
        "asgi/middleware.py",
        "if (key.judged is not None and key.judged.get(address)) or key.admits(address) else None",
        "",
        f"{HELD}[Python-plain]",
    ),
    Mutant(
        "the list is ignored where memory is not asked",
        "keys/judging.py",
        "if outcome is Outcome.VALID and of_another_address(found, presented.address):",
        "if False:",
        f"{HELD}[Python-fresh]",
    ),
    Mutant(
        "the list is lost on its way through Redis",
        "base/record.py",
        "    return tuple(told), as_of",
        "    return (*told[:_ALLOW], None, *told[_LIMITS:]), as_of",
        "tests/pure/test_record.py::test_a_row_that_went_through_redis_is_the_same_record",
    ),
    Mutant(
        "nobody knows where it is from, so it is let in",
        "base/record.py",
        "self.networks is None or address in self.networks",
        "self.networks is None or address is None or address in self.networks",
        f"{VERBS}where_a_secret_opens_its_key[sqlite]",
    ),
    Mutant(
        "a list that cannot be read is none",
        "base/networks.py",
        "        return Networks(())",
        '        return Networks(("0.0.0.0/0", "::/0"))',
        f"{VERBS}what_somebody_has_written_into_the_column_by_hand_lets_nobody_in[sqlite-no JSON]",
    ),
    Mutant(
        "an edit of the list ends nothing that is open",
        "connections/guard.py",
        "record is not None and of_another_address(record, connection.address)",
        "False",
        OPEN,
    ),
    Mutant(
        "an edit of the list ends all that is open",
        "connections/guard.py",
        "record is not None and of_another_address(record, connection.address)",
        "record is not None and record.allow is not None",
        OPEN,
    ),
    Mutant(
        "a stream is from nowhere",
        "asgi/middleware.py",
        "self.keys.attend(digest, key, end, self.addresses.of(scope))",
        "self.keys.attend(digest, key, end)",
        OPEN,
    ),
    Mutant(
        "the leftmost hop of X-Forwarded-For is believed",
        "addresses/hops.py",
        'for entry in reversed(text.split(",")):',
        'for entry in text.split(","):',
        f"{RESOLVER}what_a_client_made_up_never_counts_in_x_forwarded_for",
    ),
    Mutant(
        "the leftmost hop of Forwarded is believed",
        "addresses/hops.py",
        "return reversed(hops)",
        "return iter(hops)",
        f"{RESOLVER}what_a_client_made_up_never_counts_in_forwarded",
    ),
    Mutant(
        "anybody's header is believed",
        "addresses/addresses.py",
        "if not (peer in self._trusted or (self._unix_is_trusted and not host)):",
        "if False:",
        f"{RESOLVER}a_peer_that_is_no_trusted_proxy_is_the_client_whatever_it_sends[x-forwarded-for]",
    ),
    Mutant(
        "where all hops are trusted proxies the leftmost is believed",
        "addresses/addresses.py",
        'return Seen(None, f"every hop of {self.header} is a trusted proxy")',
        "return Seen(address, self.header)",
        f"{RESOLVER}what_a_client_made_up_never_counts_in_x_forwarded_for",
    ),
    Mutant(
        "a hop that tells no address is passed over",
        "addresses/addresses.py",
        'return Seen(None, f"the rightmost hop of {self.header} that is no trusted proxy tells no address")',
        "continue",
        f"{RESOLVER}what_a_client_made_up_never_counts_in_x_forwarded_for",
    ),
    Mutant(
        "a mapped address is another one",
        "base/networks.py",
        "(address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address",
        "address",
        "tests/pure/test_networks.py::test_an_address_is_in_a_list_where_it_is_in_one_of_its_networks",
    ),
    Mutant(
        "narrowing waits for nobody",
        "keys/changing/edits.py",
        " or not covers(after.allow, before.allow)",
        "",
        WAITS,
    ),
    Mutant(
        "a key that is bound makes one that is not",
        "keys/making.py",
        '        authority.check_addresses(allow_of(row["allow"]))\n',
        "",
        ESCALATION,
    ),
    Mutant(
        "a key that is bound unbinds itself",
        "keys/changing/edits.py",
        "        authority.check_addresses(after.allow)\n",
        "",
        ESCALATION,
    ),
    Mutant(
        "a stronger key is let be used from more places",
        "keys/changing/edits.py",
        "covers(before.allow, after.allow) and _goes_on(",
        "_goes_on(",
        f"{VERBS}letting_a_stronger_key_be_used_from_more_places_needs_all_that_it_may_do[sqlite]",
    ),
    Mutant(
        "whoever acts is not asked from where",
        "keys/changing/change.py",
        "actor.address not in Networks(key.allow)",
        "False",
        f"{VERBS}an_acting_key_whose_list_has_lost_the_place_it_acts_from_does_nothing_more[sqlite]",
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_each_defect_is_found(mutant: Mutant, tmp_path: Path) -> None:
    assert_caught(mutant, tmp_path)
