"""`assert_guarded`: a test that fails when a route forgets to ask for a permission."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import orjson

from gatepost.coverage import Needs, coverage_of, is_page

MISTAKES = ("guard_above", "scopes_ignored")
"""What is told of a route though it asks for a permission: it was to ask for another one too."""

GUARDED = frozenset({Needs.PERMISSIONS, Needs.ASKED_PARTLY, Needs.OWN})
"""What lets in nobody without a permission: on a path that is exempt nobody has one."""


def assert_guarded(app: Any, *, except_for: Iterable[str] = ()) -> None:
    """Raise `AssertionError` unless every route of an app asks for a permission: names each that does not, with its
    line. Mounts and WebSockets count, gatepost's own apps do not. No request is sent.

        assert_guarded(app, except_for=["GET /health", "GET /me", "APP /static/*"])

    `except_for`: routes as `gatepost coverage` writes them, each for one route: where several are written alike, it is
    named as many times. One that is guarded by now, or is not there, is an error too: else it would cover up for a
    route that comes later. The message has a list to paste. What `Guard` of FastAPI's or Litestar's opens by itself,
    `/docs` say, need not be named.
    """
    accepted = Counter(except_for)
    looked = coverage_of(app)
    bare = [(route, needs) for route, needs in looked.routes if needs not in GUARDED]
    there = Counter(route.subject for route, _ in bare)
    named = [(route.subject, needs) for route, needs in bare if not (needs is Needs.EXEMPT and is_page(route))]
    needed = Counter(subject for subject, _ in named)
    told = [f"{subject} needs {needs}" for subject, needs in named if accepted[subject] < needed[subject]]
    for subject, times in needed.items():
        if 0 < accepted[subject] < times:
            told.append(f"{subject} is there {times} times: name it as many times in except_for if all are meant")
    mistaken = set()
    for gap in looked.gaps:
        is_named = accepted[gap.subject] >= there[gap.subject] > 0
        if gap.code in MISTAKES or gap.code == "exempt_refuses":
            mistaken.add(gap.subject)
            if not is_named and (gap.code in MISTAKES or gap.subject in there):
                told.append(gap.remedy)
    too_many = sorted(each for each in accepted if accepted[each] > there[each])
    told += [f"except_for has {each!r}, which is guarded, or not there" for each in too_many]
    if told:
        lines = [f"  {each}" for each in told]
        meant = [subject for subject, _ in named if subject not in mistaken or accepted[subject]]
        if meant:
            lines += ["To except these, each where it is meant to ask for none:", "  except_for=["]
            lines += [*(f"    {orjson.dumps(each).decode()}," for each in meant), "  ]"]
        raise AssertionError("\n".join(["Not every route asks for a permission:", *lines]))
