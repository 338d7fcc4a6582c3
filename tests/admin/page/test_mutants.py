"""The tests of roles on the page can fail: each of these defects makes its test fail."""

from pathlib import Path

import pytest

from tests.mutants import Mutant, assert_caught

ROLES = "tests/admin/page/test_roles.py"
ESCALATION = f"{ROLES}::test_nobody_gives_by_a_role_what_they_do_not_hold"
OF_A_PROJECT = f"{ROLES}::test_a_manager_of_a_project_edits_its_roles_alone"

MUTANTS = [
    Mutant(
        "a role is edited though something else was told",
        "admin/page/roles.py",
        "if form.seen != _digest(role, preview):",
        "if not form.seen:",
        f"{ROLES}::test_what_was_told_is_what_is_done_or_it_is_told_anew",
    ),
    Mutant(
        "a role is deleted by signing in again",
        "admin/page/roles.py",
        'replace(form, seen="") if visit.is_shown_again else form',
        "form",
        f"{ROLES}::test_a_form_of_roles_is_kept_over_a_sign_in_and_nothing_is_done_by_it",
    ),
    Mutant(
        "a role takes access from the key in use, unasked",
        "admin/page/roles.py",
        "force=form.force",
        "force=True",
        f"{ROLES}::test_the_key_in_use_loses_nothing_by_a_role_unless_that_is_meant",
    ),
    Mutant(
        "the page acts for roles as the app itself",
        "admin/page/roles.py",
        '"actor": visit.actor, "timeout"',
        '"actor": replace(visit.actor, operator=True), "timeout"',
        ESCALATION,
    ),
    Mutant(
        "roles of other projects are looked up by anybody",
        "admin/page/roles.py",
        'visit.request.path_params["name"], project=project, actor=visit.actor',
        'visit.request.path_params["name"], project=project, actor=replace(visit.actor, operator=True)',
        OF_A_PROJECT,
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_defect_makes_its_test_fail(mutant: Mutant, tmp_path: Path) -> None:
    assert_caught(mutant, tmp_path)
