"""The tests of temporary secrets can fail: each of these defects makes its test fail."""

from pathlib import Path

import pytest

from tests.mutants import Mutant, assert_caught

ISSUING = "tests/temporary/test_issuing.py"
WORKERS = "tests/temporary/test_workers.py"
APP = "tests/temporary/test_app.py"
REST = "tests/temporary/test_rest.py"
ALL_THAT_ENDS = f"{WORKERS}::test_all_that_ends_or_narrows_a_parent_holds_in_every_worker_on_return[100-{{}}]"
OPEN = f"{WORKERS}::test_what_is_open_ends_with_its_parent_with_its_own_end_and_by_its_bounds"
STOLEN = f"{WORKERS}::test_a_stolen_one_is_refused_by_its_subject_and_by_its_address"
NARROWS = f"{ISSUING}::test_it_narrows_and_never_widens[sqlite]"
AUTHORITY = "tests/temporary/test_authority.py::test_what_limited_actors_issue_never_holds_more_than_they_did"
NOBODY = f"{ISSUING}::test_nobody_issues_what_they_do_not_hold[sqlite]"

MUTANTS = [
    Mutant(
        "narrowing checked only at issue",
        "temporary/record.py",
        "_left(claims.tags, claims.resources, parent.permissions)",
        "_left(claims.tags, None, frozenset({'FILE_UPLOAD', 'OBJECTS_LIST', 'ACCESS_MANAGE'}))",
        NARROWS,
    ),
    Mutant(
        "what was claimed not asked",
        "temporary/record.py",
        "_left(claims.tags, claims.resources, parent.permissions)",
        "_left(None, None, parent.permissions)",
        NARROWS,
    ),
    Mutant(
        "outlives its parent in memory",
        "lookup/lookup.py",
        " and self._remembered(record.digest) is record.parent",
        "",
        ALL_THAT_ENDS,
    ),
    Mutant(
        "its expiry not asked",
        "temporary/record.py",
        "min(parent.ends_at, _latest(claims, terms))",
        "parent.ends_at",
        f"{ISSUING}::test_it_ends_by_itself_whatever_its_parent_does",
    ),
    Mutant(
        "its parent's end not asked",
        "temporary/record.py",
        "min(parent.ends_at, _latest(claims, terms))",
        "_latest(claims, terms)",
        f"{ISSUING}::test_what_a_template_issued_dies_with_it[sqlite-deactivate]",
    ),
    Mutant(
        "a shorter lifetime for new ones alone",
        "temporary/record.py",
        "claims.expires_at if terms is None else min(",
        "claims.expires_at if True else min(",
        f"{ISSUING}::test_a_shorter_lifetime_of_a_template_holds_for_what_was_issued",
    ),
    Mutant(
        "the digest of a weak secret told",
        "base/secret.py",
        '    return re.search(rf"_{re.escape(key_id[:4])}',
        '    return re.search(rf"',
        f"{ISSUING}::test_nothing_is_issued_of_a_secret_that_was_imported_since_it_would_tell_its_digest",
    ),
    Mutant(
        "a secret that was imported taken for one of gatepost's own by its text",
        "keys/templates/issuing.py",
        "if presented is None or presented.key_id != record.id:",
        "if presented is None:",
        f"{ISSUING}::test_nothing_is_issued_of_a_secret_that_was_imported_since_it_would_tell_its_digest",
    ),
    Mutant(
        "another project's key told of by what is wrong with it",
        "keys/templates/issuing.py",
        "    if not authority.reaches(record):  # before anything is said of it\n",
        "    _check_usable(record)\n    if not authority.reaches(record):\n",
        f"{ISSUING}::test_a_parent_that_the_issuer_does_not_reach_looks_as_one_that_there_is_not",
    ),
    Mutant(
        "a template of which many addresses together get as much as they like",
        "issuing/app.py",
        """        await self._take(buckets_of("issue", template_id, self._rate_of_template))  # who""",
        "        # who",
        f"{APP}::test_one_template_gives_so_many_in_all[False]",
    ),
    Mutant(
        "the MAC not asked",
        "temporary/claims.py",
        "if not any(hmac.compare_digest(",
        "if False and not any(hmac.compare_digest(",
        "tests/temporary/test_claims.py::test_no_other_text_is_read",
    ),
    Mutant(
        "the origin not asked",
        "temporary/record.py",
        "if self.origins is not None and origin not in self.origins:",
        "if False:",
        ALL_THAT_ENDS,
    ),
    Mutant(
        "no origin taken for a good one",
        "temporary/record.py",
        "if self.origins is not None and origin not in self.origins:",
        "if self.origins is not None and origin is not None and origin not in self.origins:",
        f"{WORKERS}::test_two_origins_are_none",
    ),
    Mutant(
        "the subject not asked",
        "temporary/record.py",
        "return Outcome.VALID if self.subject in (None, subject) else Outcome.SUBJECT_DENIED",
        "return Outcome.VALID",
        STOLEN,
    ),
    Mutant(
        "a subject that nobody confirms let in",
        "temporary/record.py",
        "self.subject in (None, subject)",
        "self.subject in (None, subject) or subject is None",
        STOLEN,
    ),
    Mutant(
        "its addresses not asked",
        "temporary/record.py",
        " and (own is None or address in own)",
        "",
        STOLEN,
    ),
    Mutant(
        "its parent's addresses not asked",
        "temporary/record.py",
        "(not isinstance(parent, BoundedRecord) or parent.admits(address)) and ",
        "",
        ALL_THAT_ENDS,
    ),
    Mutant(
        "manages keys",
        "temporary/record.py",
        "named - {ACCESS_MANAGE}",
        "named",
        f"{ISSUING}::test_a_temporary_secret_manages_nothing",
    ),
    Mutant(
        "its parent let in for it inside a wrapped app",
        "asgi/middleware.py",
        "if not presented.fresh and presented.claims is None:",
        "if not presented.fresh:",
        f"{REST}::test_a_temporary_secret_of_a_manager_looks_and_changes_nothing",
    ),
    Mutant(
        "its parent taken for it by the REST API",
        "admin/api/entrance.py",
        "key.claims if isinstance(key, TemporaryRecord) else None",
        "None",
        f"{REST}::test_a_temporary_secret_of_a_manager_looks_and_changes_nothing",
    ),
    Mutant(
        "its parent judged in its place",
        "asgi/bounds.py",
        "key.claims if isinstance(key, TemporaryRecord) else None",
        "None",
        f"{WORKERS}::test_a_route_that_asks_the_database_sees_what_is_left",
    ),
    Mutant(
        "open connections judged by the parent alone",
        "connections/guard.py",
        "claims = key.claims if isinstance(key, TemporaryRecord) else None",
        "claims = None",
        OPEN,
    ),
    Mutant(
        "the own end of an open connection forgotten",
        "connections/guard.py",
        "self._connections.set_usable_until(connection, record.ends_at)",
        "self._connections.set_usable_until(connection, found.ends_at)",
        OPEN,
    ),
    Mutant(
        "its own limits not asked",
        "limits/policies.py",
        'buckets_of("temporary", holder, key.claims.limits)',
        "()",
        f"{WORKERS}::test_the_parents_limits_count_for_all_together_and_its_own_for_itself",
    ),
    Mutant(
        "its parent's limits not asked",
        "limits/policies.py",
        "_own_demand(key.parent).joined(own) if key.parent.is_limited else own",
        "own",
        f"{WORKERS}::test_the_parents_limits_count_for_all_together_and_its_own_for_itself",
    ),
    Mutant(
        "issued by who holds less",
        "keys/templates/issuing.py",
        "        authority.check_grant(held)\n",
        "",
        NOBODY,
    ),
    Mutant(
        "handed on what the issuer does not hold",
        "keys/templates/issuing.py",
        "permissions is None and not authority.is_limited",
        "permissions is None",
        NOBODY,
    ),
    Mutant(
        "terms edited by who holds less",
        "keys/changing/edits.py",
        "    if before.template != after.template or not",
        "    if not",
        NOBODY,
    ),
    Mutant(
        "issued of a template that is off",
        "keys/templates/issuing.py",
        "if outcome is not Outcome.VALID or left is None:",
        "if left is None:",
        f"{ISSUING}::test_what_a_template_issued_dies_with_it[sqlite-deactivate]",
    ),
    Mutant(
        "issued of the secret that was rotated out",
        "keys/templates/issuing.py",
        "isinstance(found, Record) and _is_current(found)",
        "isinstance(found, Record)",
        f"{ISSUING}::test_it_lives_as_long_as_the_secret_that_it_was_made_from[sqlite]",
    ),
    Mutant(
        "one that issues others",
        "issuing/app.py",
        "if isinstance(key, TemporaryRecord):",
        "if False:",
        f"{APP}::test_who_has_a_key_gets_one_that_is_narrower",
    ),
    Mutant(
        "any template for everybody",
        "issuing/app.py",
        "if answer is not True:",
        "if False:",
        f"{APP}::test_all_else_is_one_answer",
    ),
    Mutant(
        "no pace of issuing",
        "issuing/app.py",
        "if not taken.let_in:",
        "if False:",
        f"{APP}::test_one_address_gets_so_many_of_one_template[False]",
    ),
    Mutant(
        "templates among keys",
        "database/lists/filter.py",
        "return column.is_(None) if self.kind is None",
        "return true() if self.kind is None",
        f"{ISSUING}::test_templates_are_apart_from_keys_and_under_the_same_verbs[sqlite]",
    ),
    Mutant(
        "a selection at the shell takes keys for templates",
        "cli/input/choice.py",
        '"templates": self.templates',
        '"templates": False',
        "tests/cli/test_estate.py::test_an_owners_templates_are_switched_off_apart_from_the_owners_keys",
    ),
    Mutant(
        "an edit at the shell takes a new owner for the one that is meant",
        "cli/input/choice.py",
        'condition_prefix: ClassVar[str] = "where-"',
        'condition_prefix: ClassVar[str] = ""',
        "tests/cli/test_estate.py::test_keys_are_edited_by_what_they_are_after_a_preview",
    ),
    Mutant(
        "a selection over REST takes keys for templates",
        "keys/given/selection.py",
        "KIND if self.templates else None",
        "None",
        "tests/admin/api/test_estate.py::"
        "test_an_owners_templates_are_changed_by_what_they_are_and_apart_from_the_owners_keys[sqlite]",
    ),
    Mutant(
        "a template's digest opens",
        "base/decision.py",
        "isinstance(found, Absent | TemplateRecord)",
        "isinstance(found, Absent)",
        f"{ISSUING}::test_a_template_itself_opens_nothing",
    ),
    Mutant(
        "what its parent gets later, whoever issued it",
        "keys/templates/issuing.py",
        "is_all = permissions is None and not authority.is_limited",
        "is_all = permissions is None",
        AUTHORITY,
    ),
    Mutant(
        "narrowed when issued alone, in random plays",
        "temporary/record.py",
        "_left(claims.tags, claims.resources, parent.permissions)",
        "_left(claims.tags, None, frozenset({'FILE_UPLOAD', 'OBJECTS_LIST', 'FILE_DELETE'}))",
        AUTHORITY,
    ),
    Mutant(
        "a rotated template's secrets live on, in random plays",
        "keys/templates/templates.py",
        'await change.rotate_secret(before, _new_digest(), "", None, timedelta(0))',
        'await change.rotate_secret(before, _new_digest(), "", None, timedelta(1))',
        AUTHORITY,
    ),
    Mutant(
        "a shorter lifetime for new ones alone, in random plays",
        "temporary/record.py",
        "claims.expires_at if terms is None else min(",
        "claims.expires_at if True else min(",
        AUTHORITY,
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_defect_makes_its_test_fail(mutant: Mutant, tmp_path: Path) -> None:
    assert_caught(mutant, tmp_path)
