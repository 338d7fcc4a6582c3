"""The tests of policies can fail: each of these defects makes its test fail."""

from pathlib import Path

import pytest

from tests.mutants import Mutant, assert_caught

POLICIES = "tests/policies/test_policies.py"
IDLE = "tests/policies/test_idle.py"
NEW = f"{POLICIES}::test_a_new_key_fits_or_there_is_none[sqlite]"
EDIT = f"{POLICIES}::test_an_edit_is_held_to_what_it_changes_alone[sqlite]"
OWNER = f"{POLICIES}::test_an_owner_has_no_more_keys_that_work_than_the_policies_say[sqlite]"
LOGGED = f"{POLICIES}::test_an_edit_of_a_policy_is_in_the_log_and_makes_no_worker_forget[sqlite]"
USED = f"{IDLE}::test_a_key_that_is_used_while_it_is_looked_for_is_not_switched_off[sqlite]"
EARLY = f"{IDLE}::test_nothing_is_switched_off_in_the_first_week_or_before_uses_are_counted_for_long_enough"
OFF = f"{IDLE}::test_what_nobody_has_used_for_longer_than_its_policy_says_is_switched_off_and_told[sqlite]"

MUTANTS = [
    Mutant(
        "policies that no change reads",
        "database/transaction.py",
        "self.policies.number = position.policies",
        "self.policies.number = 0",
        NEW,
    ),
    Mutant(
        "the company-wide policy forgotten beside a project's",
        "database/policies/rows.py",
        'dict.fromkeys(("", project or ""))',
        'dict.fromkeys((project or "",))',
        NEW,
    ),
    Mutant(
        "policies remembered past a change of them",
        "database/policies/rows.py",
        "        self._known.clear()\n",
        "",
        f"{POLICIES}::test_a_policy_holds_for_what_is_asked_at_the_same_time_after_it[sqlite]",
    ),
    Mutant(
        "a template counted among an owner's keys",
        "keys/policies/asking.py",
        'if row.get("kind") is None:',
        "if True:",
        f"{POLICIES}::test_a_template_is_no_key_that_an_owner_has_and_what_is_issued_of_it_ends_with_it[sqlite]",
    ),
    Mutant(
        "keys that are not counted when they are made",
        "keys/policies/asking.py",
        '        asked.count(None, _NewKey(row["project"], row["owner"], row["active"], expires_at))\n',
        "        pass\n",
        f"{POLICIES}::test_no_race_lets_one_key_too_many_through[sqlite]",
    ),
    Mutant(
        "keys that are not counted when they are switched on",
        "keys/switching.py",
        "            asked[0].count(key, replace(key, active=True))\n",
        "            pass\n",
        OWNER,
    ),
    Mutant(
        "keys that are not counted when they are handed over",
        "keys/policies/asking.py",
        "before.owner == after.owner",
        "before.project == after.project",
        OWNER,
    ),
    Mutant(
        "a company-wide count within the project",
        "keys/policies/asking.py",
        "of_owner.total() if policy.project is None else of_owner[key.project]",
        "of_owner[key.project]",
        OWNER,
    ),
    Mutant(
        "keys that nobody owns let be",
        "keys/policies/asking.py",
        "            if key.owner is None:\n",
        "            if key.owner is None:\n                continue\n            if key.owner is None:\n",
        OWNER,
    ),
    Mutant(
        "keys that are not counted when they get more time",
        "keys/editing.py",
        'not {"owner", "expires_at"}.isdisjoint(self.values)',
        '"owner" in self.values',
        f"{POLICIES}::test_keys_whose_time_is_over_are_not_counted_until_they_get_more_of_it[sqlite]",
    ),
    Mutant(
        "an expiry that is edited past the longest",
        "keys/policies/asking.py",
        "        if after.expires_at != before.expires_at:\n",
        "        if False:\n",
        EDIT,
    ),
    Mutant(
        "permissions that are edited past what is allowed",
        "keys/policies/asking.py",
        "bounds.check_permissions(after.permissions - before.permissions)",
        "bounds.check_permissions(frozenset())",
        EDIT,
    ),
    Mutant(
        "old keys held to what no edit changes",
        "keys/policies/asking.py",
        "bounds.check_permissions(after.permissions - before.permissions)",
        "bounds.check_permissions(after.permissions)",
        EDIT,
    ),
    Mutant(
        "no expiry taken for a short one",
        "rules/policies.py",
        "if expires_at is None or expires_at >",
        "if expires_at is not None and expires_at >",
        NEW,
    ),
    Mutant(
        "a key for either environment let into one",
        "rules/policies.py",
        "environment not in policy.environments",
        "environment not in {None, *policy.environments}",
        NEW,
    ),
    Mutant(
        "an import past the policies",
        "keys/importing.py",
        'made = await fitting_rows(change, rows, "keys[{}]")',
        "made = rows",
        f"{POLICIES}::test_an_import_is_refused_whole_and_names_the_entry[sqlite]",
    ),
    Mutant(
        "a grace that nobody bounds",
        "keys/rotating.py",
        "        await check_grace(change, before.project, grace)\n",
        "",
        f"{POLICIES}::test_the_grace_of_a_rotation_is_bound[sqlite]",
    ),
    Mutant(
        "a repeated request taken for another for the expiry that a policy gave",
        "keys/making.py",
        "    if len(asked) < len(made.detail):",
        "    if False:",
        f"{POLICIES}::test_a_repeated_request_is_answered_as_the_first_was_whatever_the_policy_is_now[sqlite]",
    ),
    Mutant(
        "many keys refused for one",
        "keys/changing/change.py",
        "except (AccessDeniedError, ForceNeededError, PolicyError) as refusal:",
        "except (AccessDeniedError, ForceNeededError) as refusal:",
        f"{POLICIES}::test_an_edit_of_many_leaves_out_what_does_not_fit_and_says_so[sqlite]",
    ),
    Mutant(
        "a policy set by who is of one project",
        "rules/authority.py",
        "if self.bounds or (missing := every - self.actor.permissions):",
        "if missing := every - self.actor.permissions:",
        f"{POLICIES}::test_only_who_is_bound_by_nothing_else_sets_policies[sqlite]",
    ),
    Mutant(
        "a policy set by a key that may not any more",
        "keys/policies/policies.py",
        "            authority.check_policies(every)\n",
        "",
        f"{POLICIES}::test_only_who_is_bound_by_nothing_else_sets_policies[sqlite]",
    ),
    Mutant(
        "a policy's edit that empties every memory",
        "database/changes.py",
        "bytes(DIGEST_BYTES), detail)",
        "None, detail)",
        LOGGED,
    ),
    Mutant(
        "a policy that another project's manager sees",
        "keys/policies/policies.py",
        "        if own is not None and project not in {None, own}:\n",
        "        if False:\n",
        f"{POLICIES}::test_who_is_of_one_project_sees_its_own_policy_and_the_company_wide_one[sqlite]",
    ),
    Mutant(
        "a preview that counts keys of others",
        "database/policies/misfits.py",
        "            *(keys.c[name] == value for name, value in self.among.items()),\n",
        "",
        f"{POLICIES}::test_who_is_of_one_project_sees_its_own_policy_and_the_company_wide_one[sqlite]",
    ),
    Mutant(
        "no time for uses that are told late",
        "keys/policies/idle.py",
        "MARGIN = timedelta(hours=1)",
        "MARGIN = timedelta(0)",
        OFF,
    ),
    Mutant(
        "keys switched off that somebody has just looked after",
        "keys/policies/idle.py",
        "used = max(key.updated_at, key.last_used_at or key.created_at)",
        "used = key.last_used_at or key.created_at",
        OFF,
    ),
    Mutant(
        "keys switched off for how they were when they were listed",
        "keys/policies/idle.py",
        "judge=lambda _authority, key: _is_idle(asked[0], key),",
        "judge=lambda _authority, key: key.active,",
        USED,
    ),
    Mutant(
        "keys switched off before uses are counted for long enough",
        "keys/policies/idle.py",
        "    if counted is not None and counted < latest_use(policy.idle_days, now).date():\n",
        "    if counted is not None:\n",
        EARLY,
    ),
    Mutant(
        "keys switched off without notice",
        "rules/policies.py",
        "IDLE_NOTICE = timedelta(days=7)",
        "IDLE_NOTICE = timedelta(0)",
        EARLY,
    ),
    Mutant(
        "two that look at once",
        "database/policies/tables.py",
        "leases.c.until <= database_now())",
        "leases.c.until <= leases.c.until)",
        f"{IDLE}::test_of_two_processes_one_looks_in_each_interval[sqlite]",
    ),
    Mutant(
        "an older secret that is told when its key ends",
        "asgi/expiry/notice.py",
        "key.ends_at - time.time() <= self._within",
        "key.expires_at and key.expires_at.timestamp() - time.time() <= self._within",
        "tests/policies/test_notice.py::test_who_uses_the_older_secret_is_told_when_that_ends[Python]",
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_mutant_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    assert_caught(mutant, tmp_path)
