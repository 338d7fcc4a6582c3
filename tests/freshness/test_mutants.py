"""The safety tests can fail: each of these defects, put into a copy of the source, makes its test fail.

The letters are those of the protocol's model (docs/decisions/0002), where one of its mutants is the same defect.
"""

from pathlib import Path

import pytest

from tests.mutants import Mutant, assert_caught

WORKERS = "tests/freshness/test_workers.py"
TIERS = "tests/freshness/test_tiers.py"
FILE = "tests/database/test_file.py"
COLD = "tests/freshness/test_cold.py"
PROPAGATION = "tests/freshness/test_propagation.py"

END_GRACE = (
    f"{PROPAGATION}::test_no_worker_accepts_what_was_taken_away_once_the_call_has_returned[sqlite-end_grace-no redis]"
)

MUTANTS = [
    Mutant(
        "M2 lease from the answer",
        "freshness/freshness.py",
        "self.until = sent + self._max_staleness",
        "self.until = received + self._max_staleness",
        f"{WORKERS}::test_the_lease_counts_from_before_the_poll_was_sent_and_ends_in_a_paused_worker",
    ),
    Mutant(
        "M3 Redis believed below the floor",
        "lookup/lookup.py",
        "if found is not None and freshness.covers(digest, found):",
        "if found is not None and freshness.holds():",
        f"{TIERS}::test_a_value_in_redis_of_before_the_last_change_is_not_believed_by_anyone",
    ),
    Mutant(
        "M6 joining without the lease",
        "freshness/freshness.py",
        "return self._clock() < self.until and self.not_below_floor(digest, found)",
        "return self.not_below_floor(digest, found)",
        f"{WORKERS}::test_a_request_that_joined_a_read_does_not_believe_it_once_the_lease_has_run_out",
    ),
    Mutant(
        "M9 memory kept on news",
        "freshness/freshness.py",
        "self._memory.drop(digest, below=seq)",
        "pass",
        f"{WORKERS}::test_another_worker_refuses_a_deactivated_key_after_its_next_poll",
    ),
    Mutant(
        "M10 memory without the lease",
        "lookup/lookup.py",
        "if now < freshness.until and now < record.until",
        "if now < record.until",
        f"{WORKERS}::test_a_worker_cut_off_from_the_database_serves_until_max_staleness_and_then_answers_unavailable",
    ),
    Mutant(
        "M15 what is remembered without the lease",
        "lookup/lookup.py",
        "if now < self._freshness.until:",
        "if True:",
        f"{WORKERS}::test_a_worker_cut_off_from_the_database_serves_until_max_staleness_and_then_answers_unavailable",
    ),
    Mutant(
        "M11 memory filled below the floor",
        "lookup/lookup.py",
        "if self._freshness.not_below_floor(digest, found):",
        "if True:",
        f"{WORKERS}::test_a_read_from_before_a_known_change_does_not_get_into_memory",
    ),
    Mutant(
        "M13 joining below the floor",
        "freshness/freshness.py",
        "return self._clock() < self.until and self.not_below_floor(digest, found)",
        "return self._clock() < self.until",
        f"{WORKERS}::test_a_request_does_not_join_a_read_from_before_a_change_that_its_worker_knows",
    ),
    Mutant(
        "M8 the lease renewed without reading the events",
        "freshness/freshness.py",
        "            await self._apply_news(position)\n",
        "            self.applied, self._nonce = position.seq, position.nonce\n",
        f"{WORKERS}::test_another_worker_refuses_a_deactivated_key_after_its_next_poll",
    ),
    Mutant(
        "no floors at the start",
        "freshness/freshness.py",
        "        log = await self._apply_events(first, position, gently=False)\n",
        "        log = await self._apply_events(first, position, gently=False)\n        self._floors.clear()\n",
        f"{TIERS}::test_a_value_in_redis_of_before_the_last_change_is_not_believed_by_anyone",
    ),
    Mutant(
        "a step back taken as no news",
        "freshness/freshness.py",
        "        else:\n            self._distrust(position)\n        self.applied",
        "        else:\n            pass\n        self.applied",
        f"{WORKERS}::test_a_database_put_back_to_an_older_state_is_noticed_loudly_and_everything_is_read_again",
    ),
    Mutant(
        "a floor below the general one",
        "freshness/freshness.py",
        "self._floors[digest] = max(seq, self._floors.get(digest, self._general_floor))",
        "self._floors[digest] = seq",
        f"{WORKERS}::test_values_of_a_lost_timeline_are_not_believed_after_a_change_in_the_new_one",
    ),
    Mutant(
        "the general floor goes down",
        "freshness/freshness.py",
        "self._general_floor = max(floor, self._general_floor)",
        "self._general_floor = floor",
        f"{WORKERS}::test_what_a_restored_database_lost_is_not_believed_after_very_many_changes_in_the_new_one",
    ),
    Mutant(
        "nonces not compared",
        "freshness/freshness.py",
        "elif not log.is_whole or (log.first_nonce != self._nonce and not log.is_invalidated):",
        "elif not log.is_whole:",
        f"{WORKERS}::test_a_database_whose_lost_changes_were_made_up_for_by_others_is_noticed",
    ),
    Mutant(
        "gaps not seen",
        "freshness/reading.py",
        "self.is_whole = not self._gap and",
        "self.is_whole =",
        f"{WORKERS}::test_a_gap_in_the_events_is_noticed",
    ),
    Mutant(
        "seals not compared",
        "redis/tier.py",
        "if hmac.compare_digest(value[:SEAL_BYTES], self._seal(digest, payload)):",
        "if payload:",
        f"{TIERS}::test_who_can_write_to_redis_cannot_mint_permissions",
    ),
    Mutant(
        "the seal does not cover the digest",
        "redis/tier.py",
        "seal.update(digest + payload)",
        "seal.update(payload)",
        f"{TIERS}::test_who_can_write_to_redis_cannot_mint_permissions",
    ),
    Mutant(
        "no nudge",
        "keys/parts/announcing.py",
        "        await (self._doorbell if self._redis is None else self._redis).nudge()\n",
        "",
        f"{WORKERS}::test_a_nudge_over_redis_makes_other_workers_poll_at_once",
    ),
    Mutant(
        "the change not applied here before the call returns",
        "keys/parts/announcing.py",
        "        await self._freshness.catch_up()\n",
        "",
        "tests/keyring/test_verbs.py::test_a_deactivated_key_is_refused_when_the_call_returns_and_works_again_after_activation[sqlite]",
    ),
    Mutant(
        "M1 the wait skipped",
        "freshness/propagation.py",
        "complete = self.waiting is not None and not self.waiting",
        "complete = True",
        f"{PROPAGATION}::test_no_worker_accepts_what_was_taken_away_once_the_call_has_returned"
        "[sqlite-deactivate-no redis]",
    ),
    Mutant(
        "a dead worker waited for too short",
        "freshness/propagation.py",
        "return self.committed_at + certainly_over(row.max_staleness)",
        "return self.committed_at + row.max_staleness / 2",
        f"{PROPAGATION}::test_a_dead_worker_is_waited_for_until_its_lease_has_run_out_and_no_longer[sqlite]",
    ),
    Mutant(
        "M7 a lease without a row",
        "freshness/freshness.py",
        "        if not position.is_member:\n            await self._rejoin_later()\n        elif",
        "        if",
        f"{PROPAGATION}::test_a_worker_whose_row_was_removed_believes_nothing_until_it_has_joined_anew[sqlite]",
    ),
    Mutant(
        "M12 rows removed too early",
        "freshness/membership.py",
        "if now - since > certainly_over(row.max_staleness * KEEP_FACTOR):",
        "if now - since > 0.1:",
        f"{PROPAGATION}::test_the_row_of_a_dead_worker_is_removed_by_another_but_not_while_its_lease_may_hold[sqlite]",
    ),
    Mutant(
        "acknowledgements of another past count",
        "database/workers.py",
        'events.c.nonce == bindparam("applied_nonce")',
        'events.c.nonce >= 0 * bindparam("applied_nonce")',
        f"{PROPAGATION}::test_an_acknowledgement_of_another_past_of_the_database_does_not_count[sqlite]",
    ),
    Mutant(
        "a commit into a file that was replaced counts",
        "database/commit.py",
        "file is not None and not file.is_in_place",
        "False",
        f"{FILE}::test_a_change_that_waited_while_the_file_went_away_is_not_told_to_be_made_in_a_file_that_nobody_reads"
        "[replaced]",
    ),
    Mutant(
        "a lost commit taken for a failed one",
        "database/commit.py",
        "return bool(nonce == transaction.last_nonce)",
        "return False",
        f"{PROPAGATION}::test_a_commit_whose_answer_is_lost_is_found_to_have_been_made[sqlite]",
    ),
    Mutant(
        "a failed commit taken for a lost one",
        "database/commit.py",
        "return bool(nonce == transaction.last_nonce)",
        "return True",
        f"{PROPAGATION}::test_a_commit_that_was_lost_is_found_not_to_have_been_made[sqlite]",
    ),
    Mutant(
        "a key found off not waited for",
        "keys/changing/spreading.py",
        "seq = change.seq if changed else change.seq - 1",
        "seq = change.seq if changed else 0",
        f"{PROPAGATION}::test_a_key_found_off_already_is_waited_for_as_well",
    ),
    Mutant(
        "a forked child keeps its parent's lease",
        "keys/parts/forking.py",
        "os.register_at_fork(after_in_child=_after_fork_in_child)",
        "pass",
        f"{PROPAGATION}::test_a_forked_child_has_nothing_of_its_parents_lease",
    ),
    Mutant(
        "no MAC asked for",
        "base/secret.py",
        "if any(hmac.compare_digest",
        "if True or any(hmac.compare_digest",
        f"{TIERS}::test_invented_well_formed_secrets_cost_no_call_to_redis_or_the_database",
    ),
    Mutant(
        "a failed Redis asked again and again",
        "redis/tier.py",
        '        """Skip Redis from now on, and probe it in the background."""\n        self._healthy = False\n',
        '        """Skip Redis from now on, and probe it in the background."""\n',
        "tests/freshness/test_redis_faults.py::test_a_redis_that_goes_away_costs_one_timeout_at_most_and_no_wrong_answer",
    ),
    Mutant(
        "a hanging database asked again and again",
        "lookup/lookup.py",
        "if not self.asks_database:",
        "if False:",
        f"{WORKERS}::test_nobody_waits_for_a_database_that_let_others_wait_and_it_is_used_again_once_it_answers",
    ),
    Mutant(
        "Redis asked again while the database is",
        "lookup/lookup.py",
        " and digest not in self._sought:",
        ":",
        f"{COLD}::test_requests_that_come_while_a_cold_key_is_read_from_the_database_ask_redis_no_more",
    ),
    Mutant(
        "a replica polled",
        "database/database.py",
        "            if not primary:\n",
        "            if False:\n",
        "tests/database/test_replicas.py::test_a_mariadb_that_is_read_only_is_refused_and_used_again_when_it_is_not",
    ),
    Mutant(
        "records of a replica",
        "database/statements.py",
        "for _ in columns]).where(is_primary())",
        "for _ in columns])",
        "tests/database/test_replicas.py::test_a_mariadb_that_is_read_only_is_refused_and_used_again_when_it_is_not",
    ),
    Mutant(
        "a replaced file not noticed",
        "database/database.py",
        "if self._file is None or self._file.is_in_place:",
        "if True:",
        f"{FILE}::test_a_file_that_was_replaced_is_opened_anew_and_nothing_from_before_counts[a URL]",
    ),
    Mutant(
        "a replaced file believed as the old one was",
        "freshness/freshness.py",
        "elif position.opened != self._opened:",
        "elif False:",
        f"{FILE}::test_what_was_read_from_the_old_file_ahead_of_the_poll_is_not_believed_either",
    ),
    Mutant(
        "timeouts go on while the loop is blocked",
        "redis/tier.py",
        "async with Timeout(",
        "async with asyncio.timeout(",
        "tests/freshness/test_blocked_loop.py::"
        "test_an_answer_of_redis_that_lies_in_the_socket_when_the_loop_was_blocked_is_taken[6]",
    ),
    Mutant(
        "an older secret ended without an event",
        "database/changes.py",
        "if row.id in ended:",
        "if row.id in ended and row.ends is None:",
        END_GRACE,
    ),
    Mutant(
        "an older secret ended without a wait",
        "keys/rotating.py",
        "Patience.of(wait, timeout, parts.clock)\n    return await change_keys(",
        'Patience.of("commit", timeout, parts.clock)\n    return await change_keys(',
        END_GRACE,
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_defect_makes_its_test_fail(mutant: Mutant, tmp_path: Path) -> None:
    assert_caught(mutant, tmp_path)
