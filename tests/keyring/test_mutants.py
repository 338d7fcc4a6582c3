"""The tests of the rules for actors can fail: each of these defects makes its test fail."""

from pathlib import Path

import pytest

from tests.mutants import Mutant, assert_caught

RULES = "tests/keyring/test_actors.py"
ESCALATION = f"{RULES}::test_escalation_is_refused_by_every_verb_that_hands_something_out[sqlite]"
STRANGERS = f"{RULES}::test_a_key_of_another_project_looks_as_if_there_were_none[sqlite]"
OWN_KEY = f"{RULES}::test_the_key_in_use_is_weakened_with_force_only[sqlite]"
ANEW = f"{RULES}::test_what_an_acting_key_may_do_is_read_anew_in_each_change[sqlite]"
OLD_SECRET = f"{RULES}::test_an_older_secret_gets_nobody_one_that_lives_longer"
GRACE = "tests/keyring/test_old_secret.py"
LISTS = "tests/keyring/test_listing.py"
ESTATE = "tests/keyring/test_estate.py"
IMPORTED = f"{ESTATE}::test_an_imported_key_is_refused_in_the_other_environment_from_memory_too[sqlite]"
ACTS_ELSEWHERE = f"{ESTATE}::test_an_acting_key_does_nothing_in_an_environment_that_it_is_not_for"
SELECTIONS = "tests/keyring/test_selections.py"
AT_ONCE = "tests/keyring/test_at_once.py"
ONE_KEY = f"{AT_ONCE}::test_one_key_changed_several_times_at_once_has_an_event_of_each_and_none_by_hand"
TOGETHER = f"{AT_ONCE}::test_keys_made_at_once_are_made_in_one_transaction_with_a_seq_and_an_event_each"
VERSION = f"{RULES}::test_a_stale_version_changes_nothing_and_tells_what_the_key_is_now[sqlite]"

ROLES = "tests/keyring/test_roles.py"
EDITS = "tests/keyring/test_role_edits.py"
METADATA = "tests/keyring/test_metadata.py"
NOTED = f"{METADATA}::test_each_verb_leaves_the_terms_of_the_metadata_that_there_is[sqlite]"
REACHED = f"{METADATA}::test_an_actor_learns_by_metadata_of_no_key_that_it_does_not_reach[sqlite-bound0-2000]"
PLANTED = f"{ROLES}::test_nobody_plants_by_a_role_or_beside_it_what_outlives_its_removal[sqlite]"
TAKEN = "tests/keyring/test_estates.py::test_what_somebody_above_takes_away_is_gone_whatever_those_below_gave_meanwhile"
ESTATES = "tests/keyring/test_estates.py::test_nobody_ever_holds_what_nobody_above_gave[left alone]"

MUTANTS = [
    Mutant(
        "the nearest role of a project that is not reached is told",
        "keys/changing/nearest.py",
        '    if authority.bounds.get("project") not in {None, unknown.project} and unknown.project is not None:\n',
        "    if False:\n",
        f"{ROLES}::test_nobody_is_told_the_nearest_role_of_a_project_that_they_do_not_reach[sqlite]",
    ),
    Mutant(
        "no role is told that may have been meant",
        "keys/changing/change.py",
        "            await name_nearest(change, authority, unknown)\n",
        "",
        f"{ROLES}::test_a_role_that_there_is_not_is_told_with_the_nearest_that_may_be_known_of[sqlite]",
    ),
    Mutant(
        "a key of the other environment is looked up, though its text says so",
        "keys/judging.py",
        "if of_another_environment(presented.environment, parts.settings.environment):",
        "if False:",
        f"{ESTATE}::test_a_process_refuses_the_keys_of_the_other_environment_without_io[sqlite]",
    ),
    Mutant(
        "an imported key of the other environment is a record as any other",
        "base/record.py",
        "        return OutsideRecord(row, as_of, until)\n",
        "        pass\n",
        IMPORTED,
    ),
    Mutant(
        "a record of the other environment is judged as any other",
        "base/decision.py",
        "        return Outcome.ENVIRONMENT_DENIED\n",
        "        pass\n",
        IMPORTED,
    ),
    Mutant(
        "a record of the other environment is a hit, since it is of a class below one that may be",
        "lookup/lookup.py",
        "if type(record) is LimitedRecord or type(record) is BoundedRecord:",
        "if isinstance(record, BoundedRecord):",
        IMPORTED,
    ),
    Mutant(
        "an environment that is not under the HMAC",
        "base/secret.py",
        "hmac.new(key, begin.encode(), _sha256)",
        "hmac.new(key, self.prefix.encode(), _sha256)",
        "tests/pure/test_secret.py::test_a_secret_says_which_environment_its_key_is_for_and_its_hmac_is_over_that",
    ),
    Mutant(
        "a rotation loses the environment",
        "keys/rotating.py",
        "environment=before.environment",
        "environment=None",
        f"{ESTATE}::test_a_process_refuses_the_keys_of_the_other_environment_without_io[sqlite]",
    ),
    Mutant(
        "an actor of one environment reaches the other",
        "rules/authority.py",
        """"environment": self.actor.environment}""",
        """"environment": None}""",
        f"{ESTATE}::test_an_actor_of_one_environment_reaches_only_its_keys_and_makes_no_others[sqlite]",
    ),
    Mutant(
        "a key acts in an environment that it is not for",
        "keys/changing/change.py",
        """for name in ("project", "environment"):""",
        """for name in ("project",):""",
        f"{ACTS_ELSEWHERE}[sqlite]",
    ),
    Mutant(
        "an actor of one environment acts in that of its key",
        "keys/changing/change.py",
        "environment=actor.environment or key.environment",
        "environment=key.environment",
        f"{ACTS_ELSEWHERE}[sqlite]",
    ),
    Mutant(
        "a key of one environment makes one for the other",
        "keys/making.py",
        """        authority.check_environment(row["environment"])\n""",
        "",
        f"{ESTATE}::test_an_actor_of_one_environment_reaches_only_its_keys_and_makes_no_others[sqlite]",
    ),
    Mutant(
        "a key that changes its own owner",
        "keys/changing/edits.py",
        "        authority.check_terms(before, name)\n",
        "        pass\n",
        f"{ESTATE}::test_a_key_cannot_change_its_own_owner_and_metadata[sqlite]",
    ),
    Mutant(
        "a key that changes its own metadata to what Python takes for equal",
        "keys/changing/edits.py",
        "_stored(before, name) != _stored(after, name)",
        "getattr(before, name) != getattr(after, name)",
        f"{ESTATE}::test_metadata_that_python_takes_for_equal_is_another[sqlite]",
    ),
    Mutant(
        "an edit of an owner is not waited for",
        "keys/editing.py",
        "    if not (takes_away(before, key) or",
        "    if before.owner != key.owner or not (takes_away(before, key) or",
        f"{ESTATE}::test_an_edit_of_owner_or_metadata_waits_for_every_worker",
    ),
    Mutant(
        "metadata with a name that stands twice",
        "base/metadata.py",
        "        if len(found) != len(members):\n",
        "        if False:\n",
        "tests/pure/test_metadata.py::test_what_is_typed_is_held_to_the_same",
    ),
    Mutant(
        "a selection of all keys",
        "keys/given/selection.py",
        "        if not self.conditions:\n",
        "        if False:\n",
        f"{SELECTIONS}::test_a_selection_of_all_keys_or_of_too_many_is_refused[sqlite]",
    ),
    Mutant(
        "a selection of too many keys",
        "database/fitting.py",
        "    if len(chosen) > most or len(found) == enough:\n",
        "    if False:\n",
        f"{SELECTIONS}::test_a_selection_of_all_keys_or_of_too_many_is_refused[sqlite]",
    ),
    Mutant(
        "a selection beyond what the actor reaches",
        "keys/changing/change.py",
        "fitting = within(authority, self.choice)",
        "fitting = self.choice",
        f"{SELECTIONS}::test_an_actor_changes_only_what_it_reaches_and_may_change[sqlite]",
    ),
    Mutant(
        "a preview that changes keys",
        "keys/changing/change.py",
        "if by_fate.changed and not preview:",
        "if by_fate.changed:",
        f"{SELECTIONS}::test_a_selection_has_the_keys_that_the_list_has[sqlite-20000]",
    ),
    Mutant(
        "a selection that asks for the rarest term alone",
        "database/lists/selecting.py",
        "(has_term(each, keys.c.id) for each in conditions if each != found_by)",
        "()",
        f"{SELECTIONS}::test_a_selection_has_the_keys_that_the_list_has[sqlite-20000]",
    ),
    Mutant(
        "a key made with more than its maker has",
        "keys/making.py",
        """        authority.check_grant(frozenset(row["permissions"].split()))\n""",
        "",
        ESCALATION,
    ),
    Mutant(
        "permissions added that the actor lacks",
        "keys/changing/edits.py",
        "    authority.check_grant(given)\n",
        "",
        ESCALATION,
    ),
    Mutant(
        "a stronger key made to live longer",
        "keys/changing/edits.py",
        "    if _is_wider(before, after):\n        return after.permissions\n",
        "",
        ESCALATION,
    ),
    Mutant(
        "a stronger key's secret told by rotating it",
        "keys/rotating.py",
        "        authority.check_hand_out(before)\n",
        "",
        ESCALATION,
    ),
    Mutant(
        "a stronger key switched on",
        "keys/switching.py",
        "        authority.check_hand_out(key)\n",
        "",
        ESCALATION,
    ),
    Mutant(
        "a stronger key's secret revealed",
        "keys/revealing.py",
        """        authority.check_hand_out(key)
        authority.check_current_secret(key)""",
        "        authority.check_current_secret(key)",
        "tests/keyring/test_vault.py::test_revealing_needs_access_manage_and_all_that_the_key_may_do[sqlite]",
    ),
    Mutant(
        "a stronger key's secret told by asking for it again",
        "keys/making.py",
        """    authority.check_hand_out(key)
    return Issued(key, secret.text)""",
        "    return Issued(key, secret.text)",
        "tests/keyring/test_idempotency.py::test_whoever_does_not_hold_its_permissions_is_not_told_the_secret_again[sqlite]",
    ),
    Mutant(
        "another project's key changed", "keys/changing/change.py", "    authority.check_reach(key)\n", "", STRANGERS
    ),
    Mutant(
        "another project's keys changed in bulk",
        "keys/changing/change.py",
        "for key_id, key in found.items() if authority.reaches(key)",
        "for key_id, key in found.items()",
        STRANGERS,
    ),
    Mutant(
        "another project's keys listed",
        "keys/given/selection.py",
        "        wanted = replace(wanted, project=own)\n",
        "        pass\n",
        STRANGERS,
    ),
    Mutant(
        "another project's audit log told",
        "keys/log.py",
        "**{**asked, **bounds},",
        "**asked,",
        STRANGERS,
    ),
    Mutant(
        "the own key switched off without force",
        "rules/authority.py",
        "subject.id == self.actor.key_id and not force",
        "False",
        OWN_KEY,
    ),
    Mutant(
        "an actor judged by what it held", "keys/changing/change.py", "if actor.key_id is not None:", "if False:", ANEW
    ),
    Mutant("a deactivated key goes on acting", "keys/changing/change.py", "if not key.active or (key", "if (key", ANEW),
    Mutant(
        "another's edit overwritten",
        "keys/changing/change.py",
        "if if_version is not None and key.version != if_version",
        "if False",
        VERSION,
    ),
    Mutant(
        "a key that lets itself live longer",
        "keys/changing/edits.py",
        "        authority.check_longer_life(before)\n",
        "        pass\n",
        f"{RULES}::test_a_key_does_not_give_itself_a_longer_life[sqlite]",
    ),
    Mutant(
        "an older secret that gets itself a new one",
        "keys/rotating.py",
        "        authority.check_current_secret(before)\n",
        "",
        OLD_SECRET,
    ),
    Mutant(
        "an older secret that has the current one told",
        "keys/revealing.py",
        "        authority.check_current_secret(key)\n",
        "",
        OLD_SECRET,
    ),
    Mutant(
        "the older secret in use ended without force",
        "keys/rotating.py",
        "        authority.check_own_secret(key, force=force)\n",
        "",
        f"{GRACE}::test_only_who_manages_a_key_ends_its_grace_and_only_with_force_the_own[sqlite]",
    ),
    Mutant(
        "a grace of any length",
        "keys/rotating.py",
        "0 <= grace <= parts.settings.max_grace",
        "0 <= grace",
        f"{GRACE}::test_no_grace_is_longer_than_the_setting_allows",
    ),
    Mutant(
        "two changes of a row under one nonce",
        "database/transaction.py",
        "        if self._nonce_is_used:\n",
        "        if False:\n",
        f"{ONE_KEY}[sqlite]",
    ),
    Mutant("two changes at one moment", "database/transaction.py", "self._now += TICK", "pass", f"{TOGETHER}[sqlite]"),
    Mutant(
        "a change taken for rung for by a ring before it",
        "keys/parts/announcing.py",
        "self._rounds.ask(",
        "self._rounds.ask_or_join(",
        f"{AT_ONCE}::test_a_change_that_is_committed_while_others_are_rung_for_is_rung_for_itself",
    ),
    Mutant(
        "a counter that is left behind",
        "database/transaction.py",
        "if self._place != (self.seq, self.last_nonce):",
        "if False:",
        f"{TOGETHER}[sqlite]",
    ),
    Mutant(
        "a change that fails and takes the others with it",
        "database/group_commit.py",
        "                asked.failure = failure\n            else:",
        "                raise\n            else:",
        f"{AT_ONCE}::test_a_change_that_fails_takes_no_other_with_it[sqlite]",
    ),
    Mutant(
        "what a failed change has written committed with the others",
        "database/group_commit.py",
        "                if change.needs_rollback:\n",
        "                if False:\n",
        f"{AT_ONCE}::test_a_change_that_fails_after_it_has_written_is_undone_alone[sqlite]",
    ),
    Mutant(
        "a state beside ids passed over by the shell",
        "cli/input/choice.py",
        "ids is not None and selection != _ANY:",
        "ids is not None and selection.conditions:",
        "tests/cli/test_estate.py::test_ids_and_any_filter_beside_them_are_refused_and_nothing_is_changed",
    ),
    Mutant(
        "a cancelled change made all the same",
        "database/group_commit.py",
        "            if asked.is_withdrawn:\n                continue\n",
        "",
        f"{AT_ONCE}::test_a_call_that_is_cancelled_before_its_change_has_begun_changes_nothing_and_harms_nobody[sqlite]",
    ),
    Mutant(
        "a database that is down asked for each change",
        "database/group_commit.py",
        "is_outage = not group.is_spoilt or outages > 1",
        "is_outage = not group.is_spoilt",
        f"{AT_ONCE}::test_a_database_that_fails_is_asked_once_for_all[sqlite-statements]",
    ),
    Mutant(
        "an older secret told for ever",
        "database/schema/rows.py",
        "row.old_expires_at is not None and row.old_expires_at.timestamp() > float(row.now)",
        "row.old_expires_at is not None",
        f"{GRACE}::test_an_older_secret_whose_grace_has_run_out_is_told_no_more[sqlite]",
    ),
    Mutant(
        "last four characters in any case",
        "database/schema/search_terms.py",
        "if len(tail) == HINT_MIN:",
        "found.append(word_range(f'${tail.swapcase()}'))\n    if len(tail) == HINT_MIN:",
        f"{LISTS}::test_a_secret_is_found_as_lists_show_it[sqlite-True]",
    ),
    Mutant(
        "a sealed secret of another row revealed",
        "keys/parts/vault.py",
        "if digest(secret.encode()) != of",
        "if False",
        "tests/keyring/test_vault.py::test_sealed_secrets_exchanged_in_the_database_are_noticed[sqlite]",
    ),
    Mutant(
        "a role whose edit its keys do not see",
        "keys/roles/roles.py",
        "            await change.update_keys(edits)\n",
        "            pass\n",
        f"{ROLES}::test_an_edit_of_a_role_is_one_change_and_true_in_every_worker_when_it_returns[sqlite]",
    ),
    Mutant(
        "an edit of many kinds that no floor knows of",
        "database/changes.py",
        '            self.note("updated", row.key_id, whose(edit.before), bytes(row.digest), edit.detail)\n',
        '            self.note("updated", row.key_id, whose(edit.before), bytes(32), edit.detail)\n',
        f"{EDITS}::test_an_edit_that_each_key_is_told_of_otherwise_is_true_in_every_worker_when_it_returns[sqlite]",
    ),
    Mutant(
        "a role's edit of keys that are alike, that no floor knows of",
        "database/changes.py",
        '                "digest": secrets.c.digest,\n',
        '                "digest": literal(bytes(32), events.c.digest.type),\n',
        f"{ROLES}::test_an_edit_of_a_role_is_one_change_and_true_in_every_worker_when_it_returns[sqlite]",
    ),
    Mutant(
        "keys edited as alike that have other permissions of their own",
        "database/changes.py",
        "*WHOSE, *GRANTED, ",
        "*WHOSE, ",
        f"{EDITS}::test_an_edit_of_a_role_gives_each_kind_of_key_what_is_right_for_it[sqlite]",
    ),
    Mutant(
        "the key in use weakened among others like it",
        "keys/roles/roles.py",
        "is not None and own in ids:",
        "is not None and False:",
        f"{EDITS}::test_the_key_in_use_is_not_weakened_among_others_like_it[sqlite]",
    ),
    Mutant(
        "a term that an edit took still found by",
        "database/key_terms.py",
        "alike.setdefault((had ^ has, has - had), [])",
        "alike.setdefault((has - had, has - had), [])",
        f"{EDITS}::test_lists_find_keys_by_what_an_edit_left_and_gave_them[sqlite]",
    ),
    Mutant(
        "metadata that an edit leaves or takes, and its terms do not",
        "database/key_terms.py",
        "        metadata=key.metadata,\n",
        "",
        NOTED,
    ),
    Mutant(
        "metadata that is not found until it is edited",
        "database/key_terms.py",
        "[row.hint], roles=roles, metadata=noted)",
        "[row.hint], roles=roles)",
        NOTED,
    ),
    Mutant(
        "metadata noted by hand that lists do not hear of",
        "database/schema/search_terms.py",
        "            metadata=metadata_of(row.metadata),\n",
        "",
        f"{METADATA}::test_what_was_noted_by_hand_is_found_by_what_it_is_now[sqlite]",
    ),
    Mutant(
        "metadata from before the migration that nobody finds",
        "database/schema/search_terms.py",
        "if row.written is None or row.due is not None:",
        "if row.written is None:",
        f"{METADATA}::test_keys_from_before_get_their_terms_with_the_migration_and_others_are_left_alone[sqlite]",
    ),
    Mutant(
        "a member of any value, where terms are not asked",
        "database/lists/conditions.py",
        "return self.name in metadata and member_text(self.name, metadata[self.name]) == self.start",
        "return self.name in metadata",
        f"{METADATA}::test_lists_counts_selections_and_the_log_have_the_keys_whose_metadata_fits[sqlite-2000-False]",
    ),
    Mutant(
        "values that are equal in Python alone found as one",
        "database/lists/conditions.py",
        "return self.name in metadata and member_text(self.name, metadata[self.name]) == self.start",
        "return self.name in metadata and {self.name: metadata[self.name]} == metadata_of(self.start)",
        f"{METADATA}::test_lists_counts_selections_and_the_log_have_the_keys_whose_metadata_fits[sqlite-2000-False]",
    ),
    Mutant(
        "the log of a project that tells of a key which is another's now",
        "database/log.py",
        "return [events.c.key_id.in_(having_it), exists().where(*there)], True",
        "return [events.c.key_id.in_(having_it)], True",
        REACHED,
    ),
    Mutant(
        "usage by metadata of keys that the actor does not reach",
        "keys/usage.py",
        "among={**among, **authority.bounds} if of_many else {},",
        "among=among,",
        f"{METADATA}::test_the_usage_of_keys_with_some_metadata_is_of_those_that_there_are_now[sqlite-True]",
    ),
    Mutant(
        "an empty filter that all keys fit",
        "base/metadata.py",
        """    if checked_metadata(wanted, field) is None or not isinstance(wanted, Mapping):
""",
        "    if checked_metadata(wanted, field) and not isinstance(wanted, Mapping):\n",
        f"{METADATA}::test_a_filter_that_is_no_metadata_or_empty_or_too_much_is_one_clear_error",
    ),
    Mutant(
        "a role that takes and does not wait",
        "keys/roles/roles.py",
        "        if not (made.takes or (can_take and made.stands)):\n",
        "        if True:\n",
        f"{ROLES}::test_an_edit_that_takes_waits_for_a_worker_that_does_not_hear[sqlite]",
    ),
    Mutant(
        "a role given by who holds less, to a key that has it all",
        "keys/editing.py",
        "by_role=granted((), new, before.project, known), ",
        "",
        f"{ROLES}::test_nobody_gives_by_a_role_what_they_do_not_hold_or_manage[sqlite]",
    ),
    Mutant(
        "what a role gave made a key's own",
        "keys/changing/edits.py",
        " | (own_permissions(after) - own_permissions(before))",
        "",
        f"{ROLES}::test_nobody_gives_by_a_role_what_they_do_not_hold_or_manage[sqlite]",
    ),
    Mutant(
        "what a role gave made a key's own, by who may not be where the key may",
        "keys/changing/edits.py",
        "if given or _is_wider(before, after):",
        "if not after.permissions <= before.permissions or _is_wider(before, after):",
        PLANTED,
    ),
    Mutant(
        "a role that gives what its keys have already, by who may not be where they may",
        "keys/roles/roles.py",
        "by_role=by_role, ",
        "",
        PLANTED,
    ),
    Mutant(
        "a role made of what its maker lacks",
        "keys/roles/roles.py",
        "            authority.check_grant(role.permissions)\n",
        "",
        f"{ROLES}::test_nobody_gives_by_a_role_what_they_do_not_hold_or_manage[sqlite]",
    ),
    Mutant(
        "a role made everywhere by a project's key",
        "keys/roles/roles.py",
        "            authority.check_project(role.project)\n",
        "",
        f"{ROLES}::test_nobody_gives_by_a_role_what_they_do_not_hold_or_manage[sqlite]",
    ),
    Mutant(
        "a role that nobody holds yet widened by who lacks it",
        "keys/roles/roles.py",
        "    authority.check_grant(given)\n",
        "",
        f"{ROLES}::test_a_role_that_nobody_holds_yet_is_not_widened_either[sqlite]",
    ),
    Mutant(
        "keys of the other environment changed by their role",
        "keys/roles/roles.py",
        "    if not authority.reaches(before):\n",
        "    if False:\n",
        f"{ROLES}::test_a_manager_for_one_environment_edits_no_role_that_keys_of_the_other_hold[sqlite]",
    ),
    Mutant(
        "a role's edit made twice, of which nobody waits for the first",
        "keys/roles/roles.py",
        "made.takes or (can_take and made.stands)",
        "made.takes",
        f"{ROLES}::test_an_edit_that_takes_waits_for_a_worker_that_does_not_hear[sqlite]",
    ),
    Mutant(
        "a role of another project's name",
        "keys/roles/roles.py",
        "Filter(role=name, project=project, kind=EITHER_KIND)",
        "Filter(role=name, kind=EITHER_KIND)",
        f"{ROLES}::test_names_that_one_key_could_hold_twice_are_refused[sqlite]",
    ),
    Mutant(
        "two roles of a name that one key could hold",
        "keys/roles/roles.py",
        "other is None or role.project is None or other == role.project",
        "other == role.project",
        f"{ROLES}::test_names_that_one_key_could_hold_twice_are_refused[sqlite]",
    ),
    Mutant(
        "a role's event that makes workers forget all",
        "database/role_rows.py",
        "role_digest(role.project, role.name)",
        "None",
        f"{ROLES}::test_a_change_of_a_role_makes_workers_forget_only_the_keys_that_hold_it",
    ),
    Mutant(
        "an estate in which edits are not held against who makes them",
        "keys/changing/edits.py",
        "    authority.check_grant(given)\n",
        "",
        ESTATES,
    ),
    Mutant(
        "an estate in which temporary secrets are issued of keys that their issuer does not reach",
        "keys/templates/issuing.py",
        "    if not authority.reaches(record):  # before anything is said of it\n",
        "    if False:\n",
        ESTATES,
    ),
    Mutant(
        "an estate in which temporary secrets are issued of what their issuer does not hold",
        "keys/templates/issuing.py",
        "        authority.check_grant(held)\n",
        "",
        ESTATES,
    ),
    Mutant(
        "an estate in which a template may have more than who makes it",
        "keys/templates/templates.py",
        """            authority.check_grant(frozenset(row["permissions"].split()))\n""",
        "",
        ESTATES,
    ),
    Mutant(
        "an estate in which a template may be for other projects than who makes it",
        "keys/templates/templates.py",
        """            authority.check_project(row["project"])\n""",
        "",
        ESTATES,
    ),
    Mutant(
        "an estate in which a template may be for other environments than who makes it",
        "keys/templates/templates.py",
        """            authority.check_environment(row["environment"])\n""",
        "",
        ESTATES,
    ),
    Mutant(
        "an estate in which a selection reaches keys of other projects",
        "keys/changing/change.py",
        "fitting = within(authority, self.choice)",
        "fitting = self.choice",
        ESTATES,
    ),
    Mutant(
        "an estate in which who is bound plants what outlives its removal",
        "keys/changing/edits.py",
        "if given or _is_wider(before, after):",
        "if not after.permissions <= before.permissions or _is_wider(before, after):",
        TAKEN,
    ),
    Mutant(
        "an estate in which keys are activated by who holds less",
        "keys/switching.py",
        "        authority.check_hand_out(key)\n",
        "",
        ESTATES,
    ),
    Mutant(
        "an estate in which temporary secrets are narrowed when issued alone",
        "temporary/record.py",
        "_left(claims.tags, claims.resources, parent.permissions)",
        "_left(claims.tags, None, frozenset({'FILE_UPLOAD', 'FILE_RENAME', 'DIR_CREATE'}))",
        ESTATES,
    ),
    Mutant(
        "an estate in which temporary secrets are for all that their parent has",
        "temporary/record.py",
        "_left(claims.tags, claims.resources, parent.permissions)",
        "_left(None, None, parent.permissions)",
        ESTATES,
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_defect_makes_its_test_fail(mutant: Mutant, tmp_path: Path) -> None:
    assert_caught(mutant, tmp_path)
