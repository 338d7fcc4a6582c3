"""The tests of leaks can fail: each of these defects makes its test fail."""

from pathlib import Path

import pytest

from tests.mutants import Mutant, assert_caught

GITHUB = "tests/leaks/test_github.py"
REVOKE = "tests/leaks/test_revoke.py"
GITLAB = "tests/leaks/test_gitlab.py"
REFUSED = f"{GITHUB}::test_what_is_not_signed_by_github_is_refused_before_it_is_read"
CLEAN = "tests/leaks/test_finds.py::test_a_place_has_no_secret_no_user_no_query_and_is_one_line_of_ascii"

MUTANTS = [
    Mutant(
        "a signature that is not looked at",
        "leaks/github.py",
        "if not is_signed(key, signature, body):",
        "if False:",
        f"{REFUSED}[another body]",
    ),
    Mutant(
        "a body parsed before its signature",
        "leaks/github.py",
        "            if not is_signed(",
        "            entries_of(body, FINDS_MAX)\n            if not is_signed(",
        f"{REFUSED}[no JSON, not signed]",
    ),
    Mutant(
        "the body as it would be written anew",
        "leaks/github.py",
        "is_signed(key, signature, body)",
        'is_signed(key, signature, __import__("json").dumps(orjson.loads(body)).encode())',
        f"{REFUSED}[a body that was written anew]",
    ),
    Mutant(
        "unknown keys asked for each time",
        "leaks/public_keys.py",
        "return self._tried is None or self._clock() - self._tried >= AGAIN_SECONDS",
        "return True",
        f"{GITHUB}::test_strangers_with_unknown_keys_make_nobody_ask_github_more_than_once_a_minute",
    ),
    Mutant(
        "keys kept for good",
        "leaks/public_keys.py",
        "self._clock() - self._fetched <= FRESH_SECONDS",
        "True",
        f"{GITHUB}::test_a_key_that_github_has_withdrawn_is_refused_within_the_hour",
    ),
    Mutant(
        "keys of any curve",
        "leaks/public_keys.py",
        "or not isinstance(key.curve, SECP256R1)",
        "",
        f"{GITHUB}::test_keys_go_on_for_a_day_where_github_does_not_answer_and_then_nothing_is_decided",
    ),
    Mutant(
        "a replay that acts again",
        "keys/leaking.py",
        " and once:",
        " and False:",
        f"{GITHUB}::test_a_replayed_report_does_not_undo_what_a_person_has_done_since",
    ),
    Mutant(
        "known secrets answered otherwise",
        "leaks/revoke.py",
        "status_code=HTTPStatus.ACCEPTED",
        "status_code=HTTPStatus.ACCEPTED if any(find.is_ours for find in finds) else HTTPStatus.NOT_FOUND",
        f"{REVOKE}::test_a_secret_ends_by_itself_and_known_and_unknown_get_the_same_answer",
    ),
    Mutant(
        "no pace",
        "leaks/revoke.py",
        "            if wait:\n",
        "            if False:\n",
        f"{REVOKE}::test_one_address_may_call_so_often_and_others_go_on",
    ),
    Mutant(
        "a pace for each address of a line",
        "intake/pace.py",
        "line_of(address)",
        "address",
        f"{REVOKE}::test_one_address_may_call_so_often_and_others_go_on",
    ),
    Mutant(
        "invented secrets looked for",
        "leaks/desk.py",
        "for find in finds if find.is_ours}",
        "for find in finds}",
        f"{REVOKE}::test_invented_secrets_cost_no_io",
    ),
    Mutant(
        "a new secret in the log",
        "leaks/desk.py",
        "logger.error(  # noqa",
        "logger.exception(  # noqa",
        f"{REVOKE}::test_a_new_secret_is_brought_to_whom_it_belongs_and_never_to_who_reports",
    ),
    Mutant(
        "a report kept while it is worked on",
        "leaks/github.py",
        "            del body\n",
        "",
        "tests/leaks/test_hidden.py::test_no_variable_holds_the_secrets_that_a_source_told_of[github]",
    ),
    Mutant(
        "a secret kept while it is worked on",
        "keys/changes.py",
        "        found = leaking.without_text(self._parts, secret)\n        del secret\n",
        "        found = leaking.without_text(self._parts, secret)\n",
        "tests/leaks/test_hidden.py::test_no_variable_holds_the_secret_of_a_report",
    ),
    Mutant(
        "a key switched off for a temporary secret that was made from it",
        "keys/leaking.py",
        "if claims is not None or response",
        "if response",
        "tests/leaks/test_verb.py::"
        "test_a_temporary_secret_is_told_of_in_the_log_of_what_it_was_made_from_and_ends_nothing_else[sqlite-deactivate]",
    ),
    Mutant(
        "any token for GitLab's",
        "leaks/gitlab.py",
        "if len(given) != 1 or not self._is_token(given[0]):",
        "if False:",
        f"{GITLAB}::test_who_has_not_the_token_is_refused_then_slowed_and_nothing_is_read",
    ),
    Mutant(
        "a place with its query",
        "leaks/finds.py",
        "told + quote(path,",
        "told + quote(f'{path}?{parts.query}',",
        f"{CLEAN}[https://user:pass@github.com:8443/a?token=x#L1-https://github.com:8443/a]",
    ),
    Mutant(
        "a place with a secret",
        "leaks/finds.py",
        "        if has_secret(host + path):",
        "        if False:",
        f"{CLEAN}[https://example.org/SECRET/a-https://example.org/...]",
    ),
    Mutant(
        "the current secret ended for the older one",
        "keys/leaking.py",
        "    if is_older:\n",
        "    if False:\n",
        "tests/leaks/test_verb.py::test_of_a_key_in_rotation_only_the_leaked_older_secret_ends[sqlite-deactivate]",
    ),
    Mutant(
        "a place with an imported secret",
        "leaks/finds.py",
        " or has_token(text)",
        "",
        f"{CLEAN}[https://example.org/FOREIGN-https://example.org/...]",
    ),
    Mutant(
        "public keys over http",
        "leaks/public_keys.py",
        '(parts.scheme == "http" and is_here)',
        'parts.scheme == "http"',
        f"{GITHUB}::test_public_keys_come_over_https_or_from_this_machine[http://api.github.example/keys]",
    ),
    Mutant(
        "an outage taken for a wrong signature",
        "leaks/public_keys.py",
        "if key is None and self._fetched != self._tried:",
        "if False:",
        f"{GITHUB}::test_a_key_that_is_not_known_is_not_called_wrong_while_github_does_not_answer",
    ),
    Mutant(
        "what may be imported told as made here",
        "leaks/github.py",
        "for find in finds if find.is_genuine or not find.is_ours]",
        "for find in finds]",
        f"{GITHUB}::test_of_secrets_that_may_only_be_imported_github_is_told_nothing",
    ),
    Mutant(
        "the new secret of a stronger key",
        "keys/leaking.py",
        "        authority.check_hand_out(key)\n",
        "",
        "tests/leaks/test_verb.py::test_nobody_is_told_the_new_secret_of_a_leaked_key_that_may_do_more_than_they[sqlite]",
    ),
    Mutant(
        "a longer life by a report of the current secret",
        "keys/leaking.py",
        "        authority.check_current_secret(key)\n",
        "",
        "tests/leaks/test_verb.py::test_who_acts_with_an_older_secret_gets_no_new_one_by_a_report_of_the_current[sqlite]",
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_defect_makes_its_test_fail(mutant: Mutant, tmp_path: Path) -> None:
    assert_caught(mutant, tmp_path)
