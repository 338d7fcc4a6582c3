"""The tests of resources can fail: each of these defects makes its test fail."""

from pathlib import Path

import pytest

from tests.mutants import Mutant, assert_caught

RESOURCE = "tests/resources/test_resource.py"
REQUIRES = "tests/resources/test_requires.py"
VERBS = "tests/resources/test_verbs.py"
PERMISSIONS = "base/resources/permissions.py"

MUTANTS = [
    Mutant(
        "a path that climbs above its start",
        "base/resources/resource.py",
        "            if not parts:\n                return None\n            parts.pop()\n",
        "            if parts:\n                parts.pop()\n",
        f"{RESOURCE}::test_what_climbs_has_no_form",
    ),
    Mutant(
        "a beginning taken for what is below",
        "base/resources/resource.py",
        "resource.startswith(each[:-1]) and",
        "resource.startswith(each[:-2]) and",
        f"{RESOURCE}::test_what_a_limit_reaches_on_disk_is_below_it",
    ),
    Mutant(
        "what is encoded once more taken for a name",
        "base/resources/resource.py",
        "    if _UNCLEAR.search(path):\n        return None\n",
        "",
        f"{RESOURCE}::test_the_one_form_of_a_path",
    ),
    Mutant(
        "one of several bounds is enough",
        PERMISSIONS,
        "if all(reaches(each, normal) for each in bounds)",
        "if any(reaches(each, normal) for each in bounds)",
        "tests/resources/test_permissions.py::test_what_holds_where",
    ),
    Mutant(
        "sets with the same names taken for the same",
        PERMISSIONS,
        "        of_both = (self.limited, self.resources) == (other.limited, other.resources)\n",
        "        of_both = True\n",
        "tests/resources/test_permissions.py::test_equal_are_those_that_hold_on_the_same",
    ),
    Mutant(
        "what cannot be told taken for nothing touched",
        "asgi/permission_check.py",
        "        if resources is None:\n            return permissions\n",
        "        resources = resources or ()\n",
        f"{REQUIRES}::test_what_is_touched_and_what_cannot_be_told",
    ),
    Mutant(
        "what a caller sends taken for a path parameter",
        "asgi/touched/touched.py",
        "    given = next((each for each in",
        "    given = arguments or next((each for each in",
        f"{REQUIRES}::test_parameters_of_the_handler_are_asked_only_where_the_scope_has_none",
    ),
    Mutant(
        "a temporary secret's resources asked only when it is issued",
        "temporary/record.py",
        "named - {ACCESS_MANAGE}, resources)",
        "named - {ACCESS_MANAGE}, None)",
        f"{VERBS}::test_a_temporary_secret_narrows_and_what_its_parent_loses_it_loses[sqlite]",
    ),
    Mutant(
        "resources widened by who holds less",
        "keys/changing/edits.py",
        " or not covers_granted(before.granted, _kept(before, after))",
        "",
        f"{VERBS}::test_who_is_limited_manages_nothing_and_grants_nothing_of_it",
    ),
    Mutant(
        "who is limited acts with all that it has",
        "keys/changing/change.py",
        "held = key.granted & actor.permissions",
        "held = key.permissions",
        f"{VERBS}::test_who_is_limited_manages_nothing_and_grants_nothing_of_it",
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_a_defect_makes_its_test_fail(mutant: Mutant, tmp_path: Path) -> None:
    assert_caught(mutant, tmp_path)
