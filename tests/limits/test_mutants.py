"""The safety tests can fail: each of these defects, put into a copy of the source, makes its test fail."""

from pathlib import Path

import pytest

from tests.mutants import Mutant, assert_caught

SCRIPT = "tests/limits/test_script.py"
REFERENCE = f"{SCRIPT}::test_the_script_answers_what_the_reference_does_whatever_is_asked_and_however_its_clock_steps"
ENDS = f"{SCRIPT}::test_all_that_is_kept_has_an_end"
MIDDLEWARE = "tests/limits/test_middleware.py"
REFUSED_LATER = "tests/limits/test_refused_later.py"
QUOTAS = "tests/limits/test_quotas.py"
AUTHORITY = "tests/limits/test_authority.py"
ESCALATION = f"{AUTHORITY}::test_a_key_lets_none_be_used_more_than_it_may_be_itself[sqlite]"

MUTANTS = [
    Mutant(
        "two limits of one name are in one answer",
        "limits/demand.py",
        "_told_apart(bucket, taken) if bucket.limit.name in names else bucket",
        "bucket",
        f"{MIDDLEWARE}::test_limits_of_one_name_are_told_apart_in_an_answer[Python]",
    ),
    Mutant(
        "a limit is told apart by a name that another of the app's has",
        "limits/demand.py",
        "taken = names | {bucket.limit.name for bucket in others}",
        "taken = set(names)",
        f"{MIDDLEWARE}::test_limits_of_one_name_are_told_apart_in_an_answer[Python]",
    ),
    Mutant(
        "a key that is limited makes one that is not",
        "keys/making.py",
        '        authority.check_limits(limits_of(row["limits"]))\n',
        "",
        ESCALATION,
    ),
    Mutant(
        "a key that is limited imports one that is not",
        "keys/importing.py",
        '        authority.check_limits(limits_of(row["limits"]))\n',
        "",
        ESCALATION,
    ),
    Mutant(
        "a key that is limited lifts another's limits",
        "keys/changing/edits.py",
        "        authority.check_limits(after.limits)\n",
        "",
        ESCALATION,
    ),
    Mutant(
        "a key that is limited is told secrets of others that are not",
        "rules/authority.py",
        "        self.check_limits(subject.limits)\n",
        "",
        ESCALATION,
    ),
    Mutant(
        "a stronger key is let be used more",
        "keys/changing/edits.py",
        " and _goes_on(before, after)",
        "",
        f"{AUTHORITY}::test_letting_a_stronger_key_be_used_more_needs_all_that_it_may_do",
    ),
    Mutant(
        "a limit of a stronger key begins anew by another name",
        "keys/changing/edits.py",
        "before.limits) and all(",
        "before.limits) or all(",
        f"{AUTHORITY}::test_a_limit_that_would_begin_anew_needs_all_that_the_key_may_do",
    ),
    Mutant(
        "quotas of a stronger key trade names",
        "keys/changing/edits.py",
        "at_most(kept.get(bucket.name, NO_LIMITS), Limits([bucket.limit]))",
        "bucket.name in kept",
        f"{AUTHORITY}::test_two_quotas_that_trade_names_are_counted_anew",
    ),
    Mutant(
        "who waited for limits is let in with what was known before",
        "asgi/second_look.py",
        "or keys.stands(digest, key):",
        "or True:",
        f"{MIDDLEWARE}::test_who_waited_for_limits_while_the_key_was_switched_off_is_refused_and_has_spent_nothing[Python]",
    ),
    Mutant(
        "what is refused at the second look has spent",
        "asgi/second_look.py",
        "            await undo(taken, scope)",
        "            pass",
        f"{MIDDLEWARE}::test_who_waited_for_limits_while_the_key_was_switched_off_is_refused_and_has_spent_nothing[Python]",
    ),
    Mutant(
        "a reset empties slots",
        "limits/demand.py",
        "return 0 if isinstance(limit, Slots) else limits.resets",
        "return limits.resets",
        f"{MIDDLEWARE}::test_a_reset_frees_no_slot_that_a_request_holds",
    ),
    Mutant(
        "how many workers there are is asked though Redis counts",
        "limits/rates.py",
        "self._part(rate, cost, self._members.known)",
        "self._part(rate, cost, self._members())",
        f"{MIDDLEWARE}::test_where_redis_counts_nobody_asks_how_many_workers_there_are",
    ),
    Mutant(
        "what a check took stays taken where another refuses",
        "limits/request.py",
        "        self._taken.append(taken)",
        "        pass",
        f"{MIDDLEWARE}::test_what_several_checks_took_is_given_back_when_one_refuses[Python]",
    ),
    Mutant(
        "what is refused later gets the whole unit back",
        "limits/limiter.py",
        "elapsed = self._rates.now() - taken.at",
        "elapsed = 0",
        f"{REFUSED_LATER}::test_requests_that_were_held_and_are_refused_let_no_more_in[Python-here]",
    ),
    Mutant(
        "what is refused later gets the whole unit back where Redis counts",
        "limits/shared.py",
        "rest = cost * rate.interval - elapsed",
        "rest = cost * rate.interval",
        f"{REFUSED_LATER}::test_requests_that_were_held_and_are_refused_let_no_more_in[Python-by all]",
    ),
    Mutant(
        "who gives back cuts what others took",
        "limits/rates.py",
        "        rest = cost * rate.interval * members - elapsed\n",
        "        rest = cost * rate.interval * members - elapsed\n        self.take(name, rate, 0)\n",
        f"{REFUSED_LATER}::test_who_gives_back_leaves_what_others_took",
    ),
    Mutant(
        "a unit is given back as large as it would be now",
        "limits/limiter.py",
        "rate, cost, elapsed, taken.members)",
        "rate, cost, elapsed, self._members.known)",
        f"{REFUSED_LATER}::test_as_much_is_given_back_as_was_taken_when_there_were_more_workers_or_fewer[1-4]",
    ),
    Mutant(
        "limits of anybody are those of the caller",
        "asgi/limits.py",
        " and limits.key.id == key.id else None",
        " else None",
        f"{MIDDLEWARE}::test_limits_of_an_outer_caller_are_not_those_of_an_inner_one[Python]",
    ),
    Mutant(
        "one worker leases all that is left",
        "database/quotas/quotas.py",
        "wanted = max(least, min(wanted, (units - used) // REST_PART))",
        "wanted = min(wanted, units - used)",
        f"{QUOTAS}::test_who_comes_near_the_end_leases_a_part_of_what_is_left[sqlite]",
    ),
    Mutant(
        "a rate is kept for ever",
        "redis/limits.lua",
        "redis.call('SET', key, back, 'PX', math.ceil((back - now) / 1000) + 1)",
        "redis.call('SET', key, back)",
        ENDS,
    ),
    Mutant(
        "slots are kept for ever",
        "redis/limits.lua",
        "redis.call('PEXPIRE', key, math.ceil(lives / 1000) + 1)",
        "",
        ENDS,
    ),
    Mutant(
        "microseconds are lost in a text",
        "redis/limits.lua",
        "redis.call('SET', key, back, 'PX'",
        "redis.call('SET', key, '' .. back, 'PX'",
        REFERENCE,
    ),
    Mutant(
        "slots that are over count",
        "redis/limits.lua",
        "redis.call('ZREMRANGEBYSCORE', key, '-inf', now)",
        "",
        REFERENCE,
    ),
    Mutant(
        "what one limit refuses another has taken",
        "redis/limits.lua",
        "if let_in > 0 and cost ~= 0 then",
        "if cost ~= 0 then",
        REFERENCE,
    ),
    Mutant(
        "a clock that was set back locks out",
        "redis/limits.lua",
        "return math.max(now, math.min(back, now + 2 * full))",
        "return math.max(now, back)",
        REFERENCE,
    ),
    Mutant(
        "names of a cluster's limits lie at many nodes",
        "redis/tier.py",
        'b"gatepost:{" + urlsafe_b64encode(counts) + b"}:"',
        'b"gatepost:" + urlsafe_b64encode(counts) + b":"',
        f"{SCRIPT}::test_in_a_cluster_all_limits_of_a_request_are_taken_or_none",
    ),
    Mutant(
        "a quota is leased beyond its end",
        "database/quotas/quotas.py",
        "quotas.c.used + _WANTED <= _UNITS,",
        "_UNITS > 0,",
        f"{QUOTAS}::test_who_comes_near_the_end_leases_a_part_of_what_is_left[sqlite]",
    ),
    Mutant(
        "a period never ends",
        "database/quotas/quotas.py",
        "    database_now() < quotas.c.ends,\n",
        "",
        f"{QUOTAS}::test_a_period_that_is_over_by_the_databases_clock_gives_nothing[sqlite]",
    ),
    Mutant(
        "a lease of before the edit goes on",
        "limits/leases.py",
        "or lease.units != quota.units:",
        "or False:",
        f"{QUOTAS}::test_an_edited_quota_is_leased_anew_and_a_lower_one_binds_at_once[sqlite]",
    ),
    Mutant(
        "what limits refuse is let in",
        "asgi/limits.py",
        "        if not taken.let_in:\n            self._refusal_log",
        "        if False:\n            self._refusal_log",
        f"{MIDDLEWARE}::test_no_more_requests_are_let_in_than_the_limit_says[Python-plain]",
    ),
    Mutant(
        "a key with limits is taken for one with networks alone",
        "base/record.py",
        "    if limits or limits.resets < 0:",
        "    if False:",
        f"{MIDDLEWARE}::test_no_more_requests_are_let_in_than_the_limit_says[Python-plain]",
    ),
    Mutant(
        "a reset counts on",
        "base/limits.py",
        "return Limits(self, self.resets + 1)",
        "return Limits(self, self.resets)",
        f"{MIDDLEWARE}::test_a_reset_begins_anew_everywhere_when_the_call_returns[Python]",
    ),
    Mutant(
        "what is refused for its permissions has spent",
        "limits/request.py",
        "        self.has_end = self._is_refused = True",
        "        self.has_end = self._is_refused = False",
        f"{MIDDLEWARE}::test_what_is_refused_earlier_spends_nothing[Python]",
    ),
    Mutant(
        "slots are not free at the end",
        "limits/request.py",
        "            self._limiter.free(taken)",
        "            pass",
        f"{MIDDLEWARE}::test_slots_are_taken_for_as_long_as_a_request_lasts_however_it_ends[Python]",
    ),
    Mutant(
        "keys of nobody share an owner",
        "limits/policies.py",
        "return self._bind_everybody or (self._by_owner and key.owner is not None)",
        "return True",
        f"{MIDDLEWARE}::test_the_keys_of_an_owner_share_its_limit_and_keys_of_nobody_have_none[Python]",
    ),
    Mutant(
        "each key of an owner counts apart",
        "limits/policies.py",
        '"owner": owner, "key"',
        '"owner": owner and key.id, "key"',
        f"{MIDDLEWARE}::test_the_keys_of_an_owner_share_its_limit_and_keys_of_nobody_have_none[Python]",
    ),
    Mutant(
        "an edit of limits is not waited for",
        "keys/editing.py",
        "    if not (takes_away(before, key) or",
        "    if before.limits != key.limits or not (takes_away(before, key) or",
        f"{MIDDLEWARE}::test_an_edit_of_limits_is_true_everywhere_when_the_call_returns[Python]",
    ),
    Mutant(
        "what is used up is asked for again and again",
        "limits/leases.py",
        "and cost >= lease.short_of:\n",
        "and cost >= lease.short_of:\n            lease.used_up_until = 0.0\n",
        f"{QUOTAS}::test_what_is_used_up_is_asked_for_once_a_second_and_told_until_when[sqlite]",
    ),
    Mutant(
        "a charge leases step by step",
        "limits/leases.py",
        "        if here < cost:\n            used",
        "        while here < cost:\n            await self._fetch(name, quota, 1)\n            here += 9\n"
        "            used",
        f"{QUOTAS}::test_an_app_may_charge_afterwards_down_to_nothing[sqlite]",
    ),
    Mutant(
        "a unit for each lease",
        "limits/leases.py",
        "wanted = max(cost, quota.units // LEASE_PART)",
        "wanted = cost",
        f"{QUOTAS}::test_a_lease_is_one_statement_and_a_request_none[sqlite]",
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_defect_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    assert_caught(mutant, tmp_path)
