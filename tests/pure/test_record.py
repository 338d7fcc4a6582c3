"""Rows become records: once, sharing what can be shared, and nothing that a request could change."""

import copy
import dataclasses
import math
import pickle
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.authentication import AuthCredentials, BaseUser

from gatepost.base.decision import decide, of_another_address
from gatepost.base.models import APIKey, EditedKey, Outcome, Propagation
from gatepost.base.record import (
    Absent,
    BoundedRecord,
    Credentials,
    LimitedRecord,
    OutsideRecord,
    Record,
    decode,
    from_payload,
    to_payload,
)
from tests.pure.records import CREATED, record, row

moments = st.floats(0, 4e9)
rows = st.builds(
    row,
    id=st.text("abc019", min_size=12, max_size=12),
    project=st.none() | st.text(max_size=10),
    description=st.text(min_size=1, max_size=20),
    permissions=st.lists(st.sampled_from(["FILE_MOVE", "FILE_UPLOAD", "files:read"]), unique=True).map(" ".join),
    active=st.booleans() | st.sampled_from([0, 1]),
    created=moments,
    updated=moments,
    key_expires=st.none() | moments,
    secret_expires=st.none() | moments,
    allow=st.none() | st.sampled_from(["[]", '["10.0.0.0/8","2001:db8::/32"]']),
    owner=st.none() | st.text(min_size=1, max_size=10),
    environment=st.sampled_from([None, "live", "test"]),
    metadata=st.none() | st.sampled_from(['{"plan":"pro"}', '{"é":[1,2.5,null]}']),
)


def test_a_row_tells_the_whole_key() -> None:
    found = record(updated=CREATED + 60, key_expires=CREATED + 3600, secret_expires=CREATED + 7200, as_of=7, until=99.5)
    assert found.id == "4fT0aK9sQ2Lm"
    assert found.project == "acme"
    assert found.description == "nightly import"
    assert found.permissions == {"FILE_UPLOAD", "OBJECTS_LIST"}
    assert found.active is True
    assert found.created_at == datetime(2025, 6, 15, 15, 6, 40, 250000, UTC)
    assert found.updated_at == found.created_at + timedelta(minutes=1)
    assert found.expires_at == found.created_at + timedelta(hours=1)
    assert found.hint is None
    assert (found.as_of, found.until, found.usable_until) == (7, 99.5, CREATED + 3600)


def test_dates_are_aware_and_utc() -> None:
    found = record(key_expires=CREATED)
    for moment in (found.created_at, found.updated_at, found.expires_at):
        assert moment is not None
        assert moment.tzinfo is UTC


def test_no_row_is_an_absent_key() -> None:
    assert decode(None, 5, 9.5) == Absent(5, 9.5)


@pytest.mark.parametrize(
    ("changes", "usable_until"),
    [
        ({}, math.inf),
        ({"key_expires": 5.0}, 5.0),
        ({"secret_expires": 5.0}, 5.0),
        ({"key_expires": 5.0, "secret_expires": 4.0}, 4.0),
        ({"key_expires": 4.0, "secret_expires": 5.0}, 4.0),
        ({"active": False}, -math.inf),
        ({"active": 0, "key_expires": 5.0}, -math.inf),
        ({"key_expires": 0.0}, 0.0),
    ],
)
def test_a_secret_is_usable_until_the_first_of_its_ends(changes: dict[str, Any], usable_until: float) -> None:
    assert record(**changes).usable_until == usable_until


@pytest.mark.parametrize("given", [True, False, 1, 0])
def test_active_is_a_bool_whatever_the_database_has(given: bool) -> None:
    assert record(active=given).active is bool(given)


def test_keys_with_the_same_permissions_share_one_set_and_one_credentials_object() -> None:
    one, other, third = record(id="a" * 12), record(id="b" * 12), record(permissions="FILE_MOVE")
    assert one.permissions is other.permissions
    assert one.auth is other.auth
    assert third.permissions is not one.permissions
    assert isinstance(one.permissions, frozenset)


def test_a_key_that_was_never_changed_tells_one_date_twice() -> None:
    fresh, changed = record(), record(updated=CREATED + 1)
    assert fresh.updated_at == fresh.created_at
    assert changed.updated_at > changed.created_at


@pytest.mark.parametrize(
    ("changes", "moments"), [({}, 1), ({"updated": CREATED + 1}, 2), ({"key_expires": CREATED + 2}, 3)]
)
def test_a_record_weighs_little(changes: dict[str, Any], moments: int) -> None:
    found = record(**changes)
    own = {id(value): value for name in Record.__slots__ if (value := getattr(found, name)) is not None}
    for shared in (found.as_of, found.auth, found.permissions, found.project, found.until, found.usable_until):
        own.pop(id(shared), None)
    weight = sum(map(sys.getsizeof, [found, *own.values()]))
    text = len(found.id) + len(found.description)
    assert weight <= 112 + 33 + 2 + 8 * moments + text, "itself, and one bytes object"


@pytest.mark.parametrize("changes", [{}, {"updated": CREATED + 1}, {"key_expires": CREATED + 2}])
def test_owner_environment_and_metadata_weigh_what_they_are_and_nothing_where_there_is_none(
    changes: dict[str, Any],
) -> None:
    bare, told = record(**changes), record(**changes, owner="ann", environment="test", metadata='{"plan":"pro"}')
    assert (bare.owner, bare.environment, bare.metadata) == (None, None, {})
    assert (told.owner, told.environment, told.metadata) == ("ann", "test", {"plan": "pro"})
    for name in ("id", "description", "created_at", "updated_at", "expires_at", "active"):
        assert getattr(bare, name) == getattr(told, name)
    assert len(told._content) - len(bare._content) == len('["ann","test"]{"plan":"pro"}') + 8
    assert record(**changes, metadata='{"a":1}').owner is None
    assert record(**changes, owner="ann").metadata == {}


def test_what_a_request_does_to_metadata_no_other_request_sees() -> None:
    found = record(metadata='{"plan":"pro"}')
    found.metadata["plan"] = "free"  # type: ignore[index]
    assert found.metadata == {"plan": "pro"}


def test_metadata_that_somebody_has_broken_by_hand_is_none_and_spoils_nothing_else() -> None:
    found = record(owner="ann", metadata="{nonsense", description="a key")
    assert (found.owner, found.metadata, found.description) == ("ann", {}, "a key")


@pytest.mark.parametrize(
    ("of_key", "of_process", "is_outside"),
    [
        ("test", "live", True),
        ("live", "test", True),
        ("live", "live", False),
        (None, "live", False),
        ("test", None, False),
        ("nonsense", "live", True),
    ],
)
def test_a_key_of_another_environment_is_no_hit_and_never_valid(
    of_key: str | None, of_process: str | None, is_outside: bool
) -> None:
    found = decode(row(environment=of_key), 1, 1e9, of_process)
    assert isinstance(found, Record)
    assert (type(found) is OutsideRecord) is is_outside
    assert (found.usable_until == -math.inf) is is_outside
    assert (decide(found, CREATED) is Outcome.ENVIRONMENT_DENIED) is is_outside
    assert found.active
    assert not isinstance(found, LimitedRecord)


def test_records_as_of_one_seq_share_it() -> None:
    one, other = record(as_of=int("1000000")), record(as_of=int("1000000"))
    assert one.as_of is other.as_of


def test_a_key_without_permissions_has_an_empty_set() -> None:
    found = record(permissions="")
    assert found.permissions == frozenset()
    assert found.auth.scopes == ()


def test_a_record_is_starlettes_user_and_credentials() -> None:
    found = record()
    assert isinstance(found, BaseUser)
    assert (found.is_authenticated, found.display_name, found.identity) == (True, "nightly import", "4fT0aK9sQ2Lm")
    assert isinstance(found.auth, AuthCredentials)
    assert set(found.auth.scopes) == found.permissions


def test_no_request_can_change_what_other_requests_share() -> None:
    auth: Any = record().auth
    with pytest.raises(dataclasses.FrozenInstanceError):
        auth.scopes = ["ACCESS_MANAGE"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del auth.scopes
    with pytest.raises(AttributeError):
        auth.scopes.append("ACCESS_MANAGE")
    assert auth.scopes == ("FILE_UPLOAD", "OBJECTS_LIST")
    assert Credentials().scopes == ()


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Record)])
def test_a_record_cannot_be_changed(name: str) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record(), name, None)


def test_the_repr_of_a_record_is_that_of_its_key() -> None:
    assert repr(record()).startswith("Record(id='4fT0aK9sQ2Lm', project='acme'")
    for inner in ("auth", "as_of", "until"):
        assert inner not in repr(record())


@given(rows, st.integers(0, 2**53))
def test_a_row_that_went_through_redis_is_the_same_record(given: list[Any], as_of: int) -> None:
    back, back_as_of = from_payload(to_payload(given, as_of))
    one, other = decode(given, as_of, 1.0), decode(back, back_as_of, 1.0)
    assert one == other
    assert isinstance(one, Record)
    assert isinstance(other, Record)
    assert one.permissions is other.permissions
    assert (one.usable_until, one.ends_at, one.allow) == (other.usable_until, other.ends_at, other.allow)


def test_a_payload_ends_in_the_networks_where_there_are_some() -> None:
    head = [3, "4fT0aK9sQ2Lm", "acme", "nightly import", "FILE_UPLOAD OBJECTS_LIST", True, CREATED]
    assert orjson.loads(to_payload(row(allow="[]"), 3)) == [*head, None, None, None, "[]"]


def test_a_key_with_bounds_is_let_in_by_no_memory_hit_alone() -> None:
    found = record(allow='["10.0.0.0/8"]', key_expires=CREATED + 60)
    assert isinstance(found, BoundedRecord)
    assert (found.usable_until, found.ends_at) == (-math.inf, CREATED + 60)
    assert found.allow == ("10.0.0.0/8",)
    assert type(record()) is Record
    assert record().allow is None
    assert record(key_expires=CREATED).ends_at == CREATED


@pytest.mark.parametrize(
    ("allow", "address", "admitted"),
    [
        ('["10.0.0.0/8"]', "10.1.2.3", True),
        ('["10.0.0.0/8"]', "11.1.2.3", False),
        ('["10.0.0.0/8"]', None, False),
        ('["10.0.0.0/8"]', "unknown", False),
        ("[]", "10.1.2.3", False),
        ("[]", None, False),
        ("no list", "10.1.2.3", False),
        (None, "10.1.2.3", True),
        (None, None, True),
    ],
)
def test_where_a_key_may_be_used_from(allow: str | None, address: str | None, admitted: bool) -> None:
    assert of_another_address(record(allow=allow), address) is not admitted


def test_that_there_is_no_key_goes_through_redis() -> None:
    assert from_payload(to_payload(None, 7)) == (None, 7)


@pytest.mark.parametrize(
    ("changes", "payload"),
    [
        ({}, [3, "4fT0aK9sQ2Lm", "acme", "nightly import", "FILE_UPLOAD OBJECTS_LIST", True, CREATED]),
        (
            {"updated": 1.5},
            [3, "4fT0aK9sQ2Lm", "acme", "nightly import", "FILE_UPLOAD OBJECTS_LIST", True, CREATED, 1.5],
        ),
        (
            {"project": None, "secret_expires": 2.5},
            [3, "4fT0aK9sQ2Lm", None, "nightly import", "FILE_UPLOAD OBJECTS_LIST", True, CREATED, None, None, 2.5],
        ),
    ],
)
def test_a_payload_leaves_out_what_goes_without_saying(changes: dict[str, Any], payload: list[Any]) -> None:
    assert orjson.loads(to_payload(row(**changes), 3)) == payload


@pytest.mark.parametrize(
    "payload", [b"", b"{}", b"[]", b"7", b'[1,"4fT0aK9sQ2Lm"]', orjson.dumps([1, *row(), None, 1])]
)
def test_a_payload_of_another_form_is_no_record(payload: bytes) -> None:
    with pytest.raises((ValueError, TypeError)):
        decode(*from_payload(payload), 1.0)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda found: pickle.loads(pickle.dumps(found))])
def test_records_and_keys_can_be_copied_and_pickled(again: Callable[[Any], Any]) -> None:
    for found in (record(allow='["10.0.0.0/8"]'), record(updated=CREATED + 60, key_expires=CREATED + 3600)):
        assert again(found) == found
        assert type(again(found)) is type(found)
        assert hash(again(found)) == hash(found)
    key = APIKey(**{each.name: getattr(found, each.name) for each in dataclasses.fields(APIKey)})
    edited = EditedKey(**dataclasses.asdict(key), propagation=Propagation(complete=True, holds_from=None, seconds=0.5))
    for each in (key, edited):
        assert again(each) == each
        assert type(again(each)) is type(each)
        assert hash(again(each)) == hash(each)


@given(moments)
def test_dates_keep_their_microseconds(moment: float) -> None:
    found = record(created=moment)
    assert abs(found.created_at.timestamp() - moment) < 1e-6
    assert found.created_at.astimezone(timezone(timedelta(hours=2))) == found.created_at
