"""The tests of roles and resources on the page can fail: each of these defects makes its test fail."""

from pathlib import Path

import pytest

from tests.mutants import Mutant, assert_caught

ROLES = "tests/admin/page/test_roles.py"
RESOURCES = "tests/admin/page/test_resources.py"
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
    Mutant(
        "a role is deleted that is limited otherwise than was told",
        "admin/page/roles.py",
        "role.resources, sorted(preview.keys)",
        "sorted(preview.keys)",
        f"{RESOURCES}::test_what_was_told_of_a_role_is_told_anew_where_its_resources_are_others",
    ),
    Mutant(
        "permissions hold on nothing, unasked",
        "admin/page/typed/bounds.py",
        "if not typed and not self.is_nothing:",
        "if False:",
        f"{RESOURCES}::test_a_list_without_resources_is_asked_about_before_it_is_saved",
    ),
    Mutant(
        "a form that does not ask for resources lets a key reach all",
        "admin/page/typed/bounds.py",
        "bool(self.choice) and self.resources",
        "self.resources",
        f"{RESOURCES}::test_an_edit_changes_resources_where_they_were_typed_otherwise_and_tells_it",
    ),
    Mutant(
        "what was typed of a role's resources is lost where it is told what would come of it",
        "admin/page/templates/role_change.html",
        '<input type="hidden" name="reach" value="{{ form.reach.choice }}">',
        "",
        f"{RESOURCES}::test_what_a_role_is_limited_to_is_told_before_it_is_changed_and_with_each_key",
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_defect_makes_its_test_fail(mutant: Mutant, tmp_path: Path) -> None:
    assert_caught(mutant, tmp_path)
