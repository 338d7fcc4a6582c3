"""The tests of the plugin can fail: each of these defects makes its test fail."""

from pathlib import Path

import pytest

from tests.mutants import Mutant, assert_caught

BENCH = "tests/testing/test_bench.py"
CHANGED = f"{BENCH}::test_a_change_holds_on_return_also_in_the_loop_that_it_was_asked_in"
NEW = f"{BENCH}::test_the_database_is_as_new_for_each_test"

MUTANTS = [
    Mutant(
        "a change that the app does not hear of",
        "testing/bench.py",
        "            each.hear()\n",
        "            pass\n",
        CHANGED,
    ),
    Mutant(
        "a lease that outlives the event loop of its keys",
        "testing/stand_in.py",
        "        if opened.loop.is_closed():\n            self.end_lease()\n",
        "        if opened.loop.is_closed():\n            pass\n",
        f"{BENCH}::test_what_an_event_loop_remembers_counts_no_more_when_it_is_closed",
    ),
    Mutant(
        "a lock that is held against who blocks the loop",
        "testing/bench.py",
        "            each.settle()\n",
        "            pass\n",
        f"{BENCH}::test_a_test_may_ask_for_a_key_while_the_app_is_about_to_commit",
    ),
    Mutant("rows that stay", "testing/memory.py", "        if self.statements:\n", "        if False:\n", NEW),
    Mutant(
        "rows of the installation that are lost",
        "testing/memory.py",
        "                if rows:\n",
        "                if False:\n",
        NEW,
    ),
    Mutant(
        "one database for all keys",
        "testing/bench.py",
        "        url = keys.database_url\n",
        '        url = ""\n',
        f"{BENCH}::test_keys_of_another_database_are_others",
    ),
    Mutant(
        "the database asked whether it fits",
        "testing/memory.py",
        '        """Connect, at the first statement. Raises nothing."""\n        self.connect()\n',
        "        await super().open()\n",
        f"{BENCH}::test_a_test_costs_a_few_statements_and_the_tables_are_made_once",
    ),
    Mutant(
        "a cancellation that redis-py loses",
        "redis/tier.py",
        "    if task is not None and task.cancelling():\n",
        "    if False:\n",
        f"{BENCH}::test_an_event_loop_ends_over_keys_that_are_open_on_a_redis",
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_mutant_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    assert_caught(mutant, tmp_path)
