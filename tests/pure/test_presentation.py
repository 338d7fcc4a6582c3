"""How an event tells who did it."""

from datetime import UTC, datetime

import pytest

from gatepost.base.models import ChangeEvent
from gatepost.keys.presentation import actor_text


@pytest.mark.parametrize(
    ("kind", "actor_id", "name", "told"),
    [
        ("key", "4fT0aK9sQ2Lm", "key 4fT0aK9sQ2Lm", "key 4fT0aK9sQ2Lm"),
        ("key", "4fT0aK9sQ2Lm", "ann", "key 4fT0aK9sQ2Lm (ann)"),
        ("person", "17", "key 4fT0aK9sQ2Lm", "person key 4fT0aK9sQ2Lm (17)"),
        ("person", "key 4fT0aK9sQ2Lm", "key 4fT0aK9sQ2Lm", "person key 4fT0aK9sQ2Lm"),
        ("operator", "ops", "ops", "operator ops"),
        ("operator", None, None, "operator"),
        ("shell", "root", "Ada", "shell Ada (root)"),
        ("database", "postgres", "postgres", "database postgres"),
        ("database", None, None, "database"),
        (None, "4fT0aK9sQ2Lm", "key 4fT0aK9sQ2Lm", "unverified key 4fT0aK9sQ2Lm"),
        (None, None, None, ""),
    ],
)
def test_what_somebody_is_stands_first_so_that_no_name_passes_for_another(
    kind: str | None, actor_id: str | None, name: str | None, told: str
) -> None:
    event = ChangeEvent(
        seq=1,
        n=0,
        key_id=None,
        project=None,
        kind="created",
        actor=name,
        actor_kind=kind,
        actor_id=actor_id,
        address=None,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        detail=None,
    )
    assert actor_text(event) == told
