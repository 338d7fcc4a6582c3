"""The tests of usage can fail: each of these defects makes its test fail."""

from pathlib import Path

import pytest

from gatepost.compiled import is_built
from tests.mutants import Mutant, assert_caught

FLUSHING = "tests/usage/test_flushing.py"
MEANWHILE = "test_what_is_counted_while_counts_are_written_is_written_by_a_timer_of_its_own"
COUNTER = "tests/usage/test_counter.py"
USAGE = "tests/usage/test_usage.py"
ROUTES = "tests/usage/test_routes.py"
LISTS = "tests/usage/test_lists.py::test_lists_by_last_use_are_what_sorting_all_keys_gives[sqlite]"
TWICE = f"{FLUSHING}::test_the_same_batch_adds_nothing_the_second_time[sqlite]"
INVENTED = f"{USAGE}::test_invented_secrets_share_one_count_and_cost_no_io"

MUTANTS = [
    Mutant(
        "a batch whose writing fails is forgotten",
        "usage/flushing.py",
        "        await self._tables.write(batch)\n",
        "        self._batch = None\n        await self._tables.write(batch)\n",
        "tests/usage/test_processes.py"
        "::test_a_hundred_thousand_requests_are_each_counted_once_while_flushes_are_killed_and_commits_fail",
    ),
    Mutant(
        "a flush goes on for as long as something is counted",
        "usage/flushing.py",
        "        while (batch := self._next_batch()) is not None:\n",
        "        while [self._waiting.extend(self.counter.take())] and (batch := self._next_batch()) is not None:\n",
        f"{FLUSHING}::{MEANWHILE}[by a call]",
    ),
    Mutant(
        "a timer that fires while counts are written is lost",
        "usage/flushing.py",
        "        else:  # it may have taken its counts already\n            self._write_later()\n",
        "",
        f"{FLUSHING}::{MEANWHILE}[by its timer]",
    ),
    Mutant(
        "a batch that is counted each time it is sent",
        "database/usage/batch.py",
        "await connection.execute(insert(usage_batches).values(id=self.id, at=self.at))",
        "pass",
        TWICE,
    ),
    Mutant(
        "a batch that is given up when its commit gets no answer",
        "usage/flushing.py",
        "        await self._tables.write(batch)\n        self._before, self._batch = batch.id, None\n",
        "        self._before, self._batch = batch.id, None\n        await self._tables.write(batch)\n",
        f"{FLUSHING}::test_an_outage_loses_no_count_and_is_told_once",
    ),
    Mutant(
        "what is left not written at the end",
        "usage/flushing.py",
        "            await self.flush()\n        except UnavailableError as failure:\n            lost",
        "            pass\n        except UnavailableError as failure:\n            lost",
        f"{FLUSHING}::test_what_is_left_is_written_when_the_keys_are_closed[sqlite]",
    ),
    Mutant(
        "a last use that moves back",
        "database/usage/batch.py",
        "latest(table.c.last_at, new.last_at)",
        "new.last_at",
        f"{FLUSHING}::test_the_last_use_only_moves_forward[sqlite]",
    ),
    Mutant(
        "the address of a use before the last one",
        "database/usage/batch.py",
        "new.last_at >= table.c.last_at",
        "new.last_at < table.c.last_at",
        f"{FLUSHING}::test_the_last_use_only_moves_forward[sqlite]",
    ),
    Mutant(
        "the day in which a request ends",
        "usage/counter.py",
        "int((began + offset) // DAY_SECONDS)",
        "int((self.clock() + offset) // DAY_SECONDS)",
        f"{COUNTER}::test_a_request_counts_for_the_day_in_which_it_began_however_late_it_ends",
    ),
    Mutant(
        "no end of cells",
        "usage/counter.py",
        "if len(self._places) >= self._entries:",
        "if False:",
        f"{COUNTER}::test_a_full_counter_asks_to_be_written_and_still_counts_every_request",
    ),
    Mutant(
        "refusals taken for uses",
        "database/usage/batch.py",
        "if use.key_id and use.outcome not in UNUSED:",
        "if use.key_id:",
        f"{USAGE}::test_refusals_count_for_the_key_whose_secret_was_right_but_are_no_use_of_it[sqlite]",
    ),
    Mutant(
        "a cell for each invented secret",
        "asgi/counting.py",
        '        key_id, digest = "", b""\n',
        '        key_id, digest = "", getattr(presented, "digest", b"")\n',
        INVENTED,
    ),
    Mutant(
        "a path for a route",
        "asgi/counting.py",
        'if ROUTE in scope or TEMPLATE in scope else ""',
        'if ROUTE in scope or TEMPLATE in scope else scope["path"]',
        f"{ROUTES}::test_an_app_without_a_router_has_one_count_whatever_the_paths",
    ),
    Mutant(
        "mounts left out of a template",
        "asgi/current/templates.py",
        "return prefix + own",
        "return own",
        f"{ROUTES}::test_starlette_with_mounts_whose_paths_have_parameters_too",
    ),
    Mutant(
        "what requires() refuses taken for let in",
        "asgi/permission_check.py",
        "            note_refusal(Outcome.PERMISSION_DENIED)\n",
        "",
        f"{USAGE}::test_what_lacks_a_permission_or_is_of_another_project_is_told_and_is_a_use",
    ),
    Mutant(
        "a secret that is gone named only once",
        "keys/judging.py",
        "presented.recall(opened.format, foreign=parts.settings.foreign_secrets)",
        "pass",
        f"{USAGE}::test_who_still_calls_with_a_secret_that_was_rotated_out_is_told_by_secret[sqlite]",
    ),
    Mutant(
        "usage of another project's keys told",
        "keys/usage.py",
        "    if authority.bounds and found is not None:\n        raise found\n",
        "",
        f"{USAGE}::test_an_actor_sees_the_usage_of_the_keys_that_it_reaches",
    ),
    Mutant(
        "a month that is rolled up and kept by day",
        "database/usage/pruning.py",
        "        await _delete_rows(connection, rows)\n    return len(rows)\n\n\nasync def remove_months",
        "    return 0\n\n\nasync def remove_months",
        f"{USAGE}::test_old_days_become_months_and_old_months_go_and_no_total_changes_before_that[sqlite]",
    ),
    Mutant(
        "young keys taken for stale",
        "database/lists/idle.py",
        "of.c.created_at <= moment_in(-self.seconds)",
        "true()",
        LISTS,
    ),
    Mutant(
        "a list by last use in the wrong order",
        "database/lists/idle.py",
        "at.desc(), key_id.desc()",
        "at, key_id",
        LISTS,
    ),
]

COMPILED = [
    Mutant(
        "a route taken for another one that is gone",
        "compiled/counting.c",
        "|| PyTuple_GET_ITEM(held, 0) != route",
        "",
        f"{ROUTES}::test_a_route_is_known_by_itself_and_not_by_its_place_in_memory",
    ),
    Mutant(
        "a route taken for the one that it was before",
        "compiled/counting.c",
        "{word.fastapi, word.path_template, word.outcome}",
        "{word.path_template, word.outcome}",
        f"{ROUTES}::test_a_route_that_fastapi_has_included_is_not_the_one_that_it_was_before",
    ),
    Mutant(
        "routes counted as none",
        "compiled/counting.c",
        "PyUnicode_GET_LENGTH(template) ? PyTuple_Pack(2, digest, template) : Py_NewRef(digest)",
        "Py_NewRef(digest)",
        f"{ROUTES}::test_a_route_is_known_by_itself_and_not_by_its_place_in_memory",
    ),
    Mutant(
        "a route not looked for",
        "compiled/counting.c",
        "if (PyDict_GetItemWithError(scope, told[at]) != NULL) {",
        "if (0) {",
        f"{ROUTES}::test_an_app_that_sometimes_tells_a_route_is_counted_apart",
    ),
    Mutant(
        "a cell of another day",
        "compiled/counting.c",
        "!(tally->since <= began && began < tally->until)",
        "0",
        f"{USAGE}::test_a_memory_hit_is_not_counted_in_a_cell_of_another_day",
    ),
    Mutant(
        "a request counted twice",
        "compiled/counting.c",
        "((Cell *)cell)->count++;",
        "((Cell *)cell)->count += 2;",
        f"{ROUTES}::test_an_app_without_a_router_has_one_count_whatever_the_paths",
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_defect_makes_its_test_fail(mutant: Mutant, tmp_path: Path) -> None:
    assert_caught(mutant, tmp_path)


@pytest.mark.skipif(not is_built(), reason="nothing is compiled here")
@pytest.mark.parametrize("mutant", COMPILED, ids=lambda mutant: mutant.name)
def test_a_defect_in_c_makes_its_test_fail(mutant: Mutant, tmp_path: Path) -> None:
    assert_caught(mutant, tmp_path)
