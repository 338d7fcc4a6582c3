"""The tests of webhooks can fail: each of these defects makes its test fail."""

from pathlib import Path

import pytest

from tests.mutants import Mutant, assert_caught

DELIVERY = "tests/webhooks/test_delivery.py"
HOSTS = "tests/webhooks/test_hosts.py"
EVENTS = "tests/webhooks/test_events.py"
TWICE = f"{DELIVERY}::test_only_one_of_two_workers_delivers_and_another_takes_over_at_once_when_it_ends"
AGAIN = f"{DELIVERY}::test_a_message_that_fails_comes_again_and_nothing_of_its_key_passes_it"
TOLD = f"{DELIVERY}::test_what_happens_to_a_key_is_told_in_order_and_signed_over_each_database[sqlite]"

MUTANTS = [
    Mutant(
        "a deliverer twice: a lease that is not heeded",
        "database/deliveries/lease.py",
        "deliverer.c.until <= database_now())",
        "deliverer.c.until >= 0.0)",
        f"{DELIVERY}::test_a_process_that_has_lost_its_lease_sends_and_queues_nothing",
    ),
    Mutant(
        "a deliverer twice: whoever has webhooks sends",
        "webhooks/deliverer.py",
        "return self._clock() + SEND_SECONDS_MAX <= self._held_until",
        "return True",
        TWICE,
    ),
    Mutant(
        "a deliverer twice: clocks that are taken to run alike",
        "webhooks/deliverer.py",
        "CLOCK_RATE_MARGIN = 1.01",
        "CLOCK_RATE_MARGIN = 1.0",
        "tests/webhooks/test_simulation.py::test_the_last_attempt_ends_before_another_takes_over_by_the_slowest_clock",
    ),
    Mutant(
        "a lease that was lost and goes on",
        "database/deliveries/lease.py",
        "    if not await _set(connection, mine, holder, seconds):\n",
        "    if False:\n",
        f"{DELIVERY}::test_a_process_that_has_lost_its_lease_sends_and_queues_nothing",
    ),
    Mutant(
        "a lease kept at the end",
        "webhooks/webhooks.py",
        "            await deliverer.release()\n",
        "            pass\n",
        TWICE,
    ),
    Mutant(
        "a message removed before it has arrived",
        "webhooks/deliverer.py",
        "if how is not None and how.error is None]",
        "if how is not None]",
        AGAIN,
    ),
    Mutant(
        "messages that pass an earlier one of their key",
        "database/deliveries/sending.py",
        "earlier.c.place < deliveries.c.place",
        "earlier.c.place < 0",
        AGAIN,
    ),
    Mutant(
        "redirects taken for arrived",
        "webhooks/sending.py",
        "if 200 <= status < 300:",
        "if 200 <= status < 400:",
        AGAIN,
    ),
    Mutant(
        "a large change that is told in part",
        "database/deliveries/queue.py",
        "if known < len(names) or n < LAST_N:",
        "if known < len(names):",
        f"{DELIVERY}::test_one_change_of_many_keys_is_told_for_each_of_them",
    ),
    Mutant(
        "Retry-After not heeded",
        "webhooks/deliverer.py",
        "max(_jittered(to.delays[delivery.attempts]), how.after)",
        "_jittered(max(to.delays[delivery.attempts], how.after))",
        f"{DELIVERY}::test_a_target_that_asks_to_be_left_alone_is",
    ),
    Mutant(
        "Retry-After heeded for one key alone",
        "webhooks/deliverer.py",
        "rest = max((how.after for _, how in failed), default=0.0)",
        "rest = 0.0",
        f"{DELIVERY}::test_a_target_that_asks_to_be_left_alone_is",
    ),
    Mutant(
        "all let wait for one that is refused",
        "webhooks/deliverer.py",
        "if len(failed) > 1 and not arrived:",
        "if failed and not arrived:",
        f"{DELIVERY}::test_a_message_that_is_refused_each_time_holds_up_no_other_key",
    ),
    Mutant(
        "all sent again for one that cannot be",
        "webhooks/deliverer.py",
        "        except Exception as failure:",
        "        except BrokenPipeError as failure:",
        f"{DELIVERY}::test_a_message_that_cannot_be_sent_has_none_sent_again_that_arrived",
    ),
    Mutant(
        "expiries that cannot be looked for are looked for again at once",
        "webhooks/deliverer.py",
        "        self._swept = begun\n",
        "",
        f"{DELIVERY}::test_a_look_for_expiries_that_fails_holds_up_no_message",
    ),
    Mutant(
        "410 not heeded",
        "webhooks/sending.py",
        'return Sent("410 Gone", gone=True)',
        'return Sent("410 Gone")',
        f"{DELIVERY}::test_a_target_that_is_gone_is_sent_nothing_until_it_is_resumed",
    ),
    Mutant(
        "a signature without its moment",
        "webhooks/signature.py",
        'f"{message_id}.{moment}."',
        'f"{message_id}.0."',
        TOLD,
    ),
    Mutant(
        "where people were, told",
        "webhooks/messages.py",
        '"name": event.actor}',
        '"name": event.actor, "address": event.address}',
        TOLD,
    ),
    Mutant(
        "one public address is enough",
        "webhooks/hosts.py",
        "all(map(is_public, addresses))",
        "any(map(is_public, addresses))",
        f"{HOSTS}::test_a_name_that_leads_into_our_network_is_refused_and_nothing_is_connected[found1]",
    ),
    Mutant(
        "an address that is not kept to",
        "webhooks/sending.py",
        ".copy_with(host=address)",
        "",
        f"{HOSTS}::test_the_connection_goes_to_the_address_that_was_checked_and_the_name_is_asked_for_once",
    ),
    Mutant(
        "an address wrapped into another",
        "webhooks/hosts.py",
        "        if inner is not None:\n",
        "        if False:\n",
        f"{HOSTS}::test_an_address_that_is_not_public_is_refused_when_a_target_is_made[64:ff9b::7f00:1]",
    ),
    Mutant(
        "other ways to wrap an address",
        "webhooks/hosts.py",
        "        if any(address in network for network in _OF_NO_INTERNET):\n",
        "        if False:\n",
        f"{HOSTS}::test_an_address_that_is_not_public_is_refused_when_a_target_is_made[64:ff9b:1::7f00:1]",
    ),
    Mutant(
        "proxies of the environment",
        "webhooks/sending.py",
        "trust_env=False",
        "trust_env=True",
        f"{HOSTS}::test_neither_redirects_nor_proxies_of_the_environment_are_followed",
    ),
    Mutant(
        "expiries told whoever has the lease",
        "database/deliveries/deliveries.py",
        "            await lease.renew(connection, holder, seconds)\n            return await sweep.sweep",
        "            return await sweep.sweep",
        f"{EVENTS}::test_who_has_lost_the_lease_notes_nothing_twice[sqlite]",
    ),
    Mutant(
        "a notice each time",
        "database/deliveries/sweep.py",
        "if each.id not in known]",
        "]",
        f"{EVENTS}::test_a_key_is_told_of_30_14_7_and_1_day_before_its_end_and_once_each[sqlite]",
    ),
    Mutant(
        "every notice that was missed",
        "database/deliveries/sweep.py",
        "found[row.id] = Happening(",
        "found[f'{row.id}{number}'] = Happening(",
        f"{EVENTS}::test_after_a_long_silence_a_key_is_told_of_once_with_what_is_true_now[sqlite]",
    ),
    Mutant(
        "a notice of a key that was made after it",
        "database/deliveries/sweep.py",
        " and row.created_at <= row.expires_at - ahead:",
        ":",
        f"{EVENTS}::test_a_key_that_was_made_for_a_day_is_not_told_of_a_month_before[sqlite]",
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_defect_makes_its_test_fail(mutant: Mutant, tmp_path: Path) -> None:
    assert_caught(mutant, tmp_path)
