"""The tests of the chain and of pruning can fail: each of these defects makes its test fail."""

from pathlib import Path

import pytest

from tests.mutants import Mutant, assert_caught

CHAIN = "tests/retention/test_chain.py"
DONE_TO_IT = f"{CHAIN}::test_what_was_done_to_the_log_is_told"
EXPORT = "tests/retention/test_export.py"
PRUNING = "tests/retention/test_pruning.py"
DONE_TO_PRUNED = f"{PRUNING}::test_what_was_done_to_a_pruned_log_is_told"
LINKS = "base/trail/links.py"
READING = "database/chain/reading.py"
CHAIN_FILE = "database/chain/chain.py"

MUTANTS = [
    Mutant(
        "a hash of nothing",
        LINKS,
        "        self._hash.update(len(text).to_bytes(8) + text)\n",
        "",
        f"{DONE_TO_IT}[sqlite-altered]",
    ),
    Mutant(
        "a column that is not hashed",
        LINKS,
        '"kind", "actor", "actor_kind"',
        '"kind", "actor"',
        f"{CHAIN}::test_no_column_of_a_line_can_be_altered_unseen[actor_kind]",
    ),
    Mutant(
        "a hash that does not follow from the one before",
        LINKS,
        'b"link\\0" + before + self',
        'b"link\\0" + self',
        f"{DONE_TO_PRUNED}[a kept line taken out, with its link]",
    ),
    Mutant(
        "a key that everybody has",
        LINKS,
        "return Content(self._keys[self.name if name is None else name])",
        'return Content(b"")',
        f"{CHAIN}::test_an_altered_line_is_not_sealed_again_by_whoever_has_no_server_key",
    ),
    Mutant(
        "what a key sealed that is not here is taken for right",
        "base/trail/walk.py",
        "            check.unchecked += 1\n",
        "",
        f"{CHAIN}::test_a_log_that_was_sealed_under_an_older_server_key_is_checked_while_that_is_among_them",
    ),
    Mutant(
        "a gap that is not told",
        "base/trail/walk.py",
        'check.add("missing", self.at + 1, link.seq - 1)',
        "pass",
        f"{DONE_TO_IT}[sqlite-two changes taken out, with their links]",
    ),
    Mutant(
        "a link without lines that is not told",
        "base/trail/walk.py",
        'check.add("missing", link.seq)',
        "pass",
        f"{DONE_TO_IT}[sqlite-a change taken out]",
    ),
    Mutant(
        "a change without a link that is not told",
        READING,
        '                    check.add("added", row.seq)',
        "                    pass",
        f"{CHAIN}::test_a_change_put_in_where_a_number_was_left_out_is_told[sqlite]",
    ),
    Mutant(
        "a line put in behind the last that was kept is not told",
        READING,
        '            check.add("added", seq)',
        "            pass",
        f"{DONE_TO_PRUNED}[a line put in among them]",
    ),
    Mutant(
        "the anchor's seal is not looked at",
        CHAIN_FILE,
        "if links.is_genuine(anchor) is False:",
        "if False:",
        f"{DONE_TO_IT}[sqlite-the place of pruning moved]",
    ),
    Mutant(
        "the end of what was kept is not looked at",
        CHAIN_FILE,
        "if end != kept and not of_kept.flaws:",
        "if False:",
        f"{DONE_TO_PRUNED}[the last kept line taken out, with its link]",
    ),
    Mutant(
        "the log's end is not held against the counter",
        CHAIN_FILE,
        "if held is None or held < newest:",
        "if False:",
        f"{DONE_TO_IT}[sqlite-the end taken out]",
    ),
    Mutant(
        "the newest change is not held against the counter",
        CHAIN_FILE,
        "elif held == newest and not is_own:",
        "elif False:",
        f"{DONE_TO_IT}[sqlite-the newest put elsewhere]",
    ),
    Mutant(
        "a check takes what pruning did meanwhile for an alteration",
        CHAIN_FILE,
        "if await reader.anchor() == anchor:",
        "if True:",
        f"{PRUNING}::test_a_check_that_pruning_came_in_between_is_made_anew",
    ),
    Mutant(
        "links are added whoever else has added some",
        "database/chain/sealing.py",
        "if await read_end(connection, await lock(connection)) != end:",
        "if False:",
        f"{CHAIN}::test_of_many_that_seal_at_once_each_change_is_sealed_by_one[sqlite]",
    ),
    Mutant(
        "a change is sealed as far as a page goes",
        "database/chain/sealing.py",
        "        content.add(line_of(row))\n",
        "        content.add(line_of(row))\n"
        "        if content.lines == PAGE:\n            yield seq, content\n            content = links.content()\n",
        f"{CHAIN}::test_a_change_of_many_lines_is_sealed_whole_whatever_a_page_holds[sqlite]",
    ),
    Mutant(
        "an export that leaves out what is not sealed",
        "keys/retention/audit_log.py",
        "        await self.seal(actor=actor)\n",
        "",
        f"{EXPORT}::test_an_unsealed_log_is_sealed_before_it_is_exported",
    ),
    Mutant(
        "the database is not asked whether it goes on from a file",
        "keys/retention/audit_log.py",
        "if check.continues is False:",
        "if False:",
        f"{EXPORT}::test_a_database_that_was_cut_off_at_its_end_is_told_by_an_export_that_went_further[sqlite]",
    ),
    Mutant(
        "a file is believed about the hash before",
        "base/trail/files.py",
        "        elif change.before != tail.hash:\n",
        "        elif False:\n",
        f"{EXPORT}::test_what_was_done_to_the_file_is_told[the hash before altered]",
    ),
    Mutant(
        "a file's gap is not told",
        "base/trail/files.py",
        'check.add("missing", tail.seq + 1, seq - 1)',
        "pass",
        f"{EXPORT}::test_what_was_done_to_the_file_is_told[two changes taken out]",
    ),
    Mutant(
        "lines of keys' making go too",
        "database/chain/pruning.py",
        "delete(events).where(*within, ~_is_making())",
        "delete(events).where(*within)",
        f"{PRUNING}::test_an_idempotency_key_makes_no_secret_again_though_the_log_was_pruned",
    ),
    Mutant(
        "the newest change goes too",
        "base/trail/pruning.py",
        "newest - 1",
        "newest",
        f"{PRUNING}::test_the_newest_change_stays_however_old_it_is[sqlite]",
    ),
    Mutant(
        "workers that are behind are not heeded",
        "database/chain/pruning.py",
        "return [*held, *(",
        "return [*(",
        f"{PRUNING}::test_what_a_worker_has_not_applied_stays[sqlite]",
    ),
    Mutant(
        "what a target has queued in part goes",
        "database/chain/pruning.py",
        "targets.c.seq - 1",
        "targets.c.seq",
        f"{PRUNING}::test_what_a_target_has_not_queued_stays[sqlite-in part]",
    ),
    Mutant(
        "a part is pruned though another has pruned it",
        "database/chain/pruning.py",
        "if await lock(connection) != anchor:",
        "if False and await lock(connection):",
        f"{PRUNING}::test_a_part_that_another_has_pruned_meanwhile_is_not_pruned_again[sqlite]",
    ),
    Mutant(
        "a worker that begins takes what was kept for the log",
        "database/statements.py",
        ", events.c.seq > select(chain_anchor.c.seq).scalar_subquery()",
        "",
        f"{PRUNING}::test_a_worker_that_starts_after_pruning_takes_its_floors_from_what_is_left",
    ),
    Mutant(
        "a worker goes on though its place in the log is gone",
        "freshness/freshness.py",
        "elif not log.is_whole or (log.first_nonce != self._nonce and not log.is_invalidated):",
        "elif False:",
        f"{PRUNING}::test_a_worker_whose_place_in_the_log_was_pruned_believes_nothing_from_before",
    ),
    Mutant(
        "a silent worker is taken for dead at once",
        "keys/retention/workers.py",
        "elif now - began > certainly_over(row.max_staleness * KEEP_FACTOR):",
        "else:",
        f"{PRUNING}::test_rows_of_dead_workers_go_and_those_of_living_ones_stay[sqlite]",
    ),
    Mutant(
        "a sign of life is overlooked",
        "keys/retention/workers.py",
        "if held is None or held.beat != row.beat:",
        "if held is None:",
        f"{PRUNING}::test_rows_of_dead_workers_go_and_those_of_living_ones_stay[sqlite]",
    ),
    Mutant(
        "a preview that prunes",
        "keys/retention/pruning.py",
        "    if preview:\n",
        "    if False:\n",
        f"{PRUNING}::test_a_preview_changes_nothing_and_tells_what_is_then_done[sqlite]",
    ),
    Mutant(
        "anybody may prune",
        "keys/retention/pruning.py",
        "if not checked_actor(actor).operator:",
        "if not checked_actor(actor):",
        f"{PRUNING}::test_bad_input_is_refused[given0-at least 2 days ago]",
    ),
    Mutant(
        "anybody may read the whole log",
        "keys/retention/audit_log.py",
        "if not checked_actor(actor).operator:",
        "if not checked_actor(actor):",
        f"{CHAIN}::test_only_an_operator_may_export_verify_and_seal",
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_defect_makes_its_test_fail(mutant: Mutant, tmp_path: Path) -> None:
    assert_caught(mutant, tmp_path)
