"""Each condition that a compiled memory hit asks has a test: without it, or with it turned round, that test fails."""

from pathlib import Path

import pytest

from tests.mutants import Mutant, assert_caught

HIT = "tests/compiled/test_hit.py::test_"
BOUNDS = "tests/compiled/test_bounds.py::test_"
TEMPORARY = "tests/compiled/test_temporary.py::test_"
COROUTINE = "tests/compiled/test_coroutine.py::test_"

TELLS = f"{HIT}the_app_is_told_and_nothing_but_memory_is_asked[compiled]"
MOMENT = f"{HIT}the_moment_itself_is_too_late[compiled]"
SECOND = f"{HIT}a_second_secret_is_noticed[compiled]"
FOUND = f"{HIT}code_that_is_not_handed_the_request_finds_it_while_it_is_served[compiled]"
NESTED = f"{HIT}a_request_within_another_puts_that_one_back[compiled]"
LEFT = f"{COROUTINE}nothing_is_left_of_requests[compiled]"

COMPARED = "memcmp(PyBytes_AS_STRING(each), PyBytes_AS_STRING(name), (size_t)PyBytes_GET_SIZE"


def where(form: int) -> str:
    """The test of one form of header, by its number."""
    return f"{HIT}where_a_secret_stands_and_how[compiled-form{form}-{401 if form in range(3, 7) or form > 7 else 204}]"


def stream(number: int, streams: bool) -> str:
    """The test of one response, by its number."""
    return f"{HIT}a_response_is_a_stream_from_its_first_sign_on[compiled-messages{number}-{streams}]"


LIMITS = "tests/compiled/test_limits.py::test_"
LIMITS_LEFT = f"{LIMITS}nothing_is_left_of_limited_requests[rate-compiled]"

MUTANTS = [
    # may it be believed
    Mutant(
        "the lease is not asked",
        "compiled/memory.c",
        "!is_before(now, self->freshness, word.until) || !is_before",
        "!is_before",
        f"{HIT}a_lease_that_has_ended_lets_nobody_in[compiled]",
    ),
    Mutant(
        "the time in memory is not asked",
        "compiled/memory.c",
        " || !is_before(now, record, word.until)",
        "",
        f"{HIT}a_record_whose_time_in_memory_is_over_lets_nobody_in[compiled]",
    ),
    Mutant(
        "expiry is not asked",
        "compiled/memory.c",
        " && is_before(now, record, end)",
        "",
        f"{HIT}a_record_that_is_not_usable_any_more_lets_nobody_in[compiled]",
    ),
    Mutant(
        "expiry by this machine's clock",
        "compiled/memory.c",
        "now += PyFloat_AsDouble(offset);",
        "PyFloat_AsDouble(offset);",
        f"{HIT}expiry_is_judged_by_the_databases_clock[compiled--1.0]",
    ),
    Mutant(
        "the moment itself still counts", "compiled/memory.c", "return now < moment;", "return now <= moment;", MOMENT
    ),
    Mutant(
        "the clock that was given is not asked",
        "compiled/memory.c",
        "if (self->clock == NULL) {",
        "if (1) {",
        f"{HIT}a_clock_that_was_given_is_asked[compiled]",
    ),
    Mutant(
        "a clock that fails is believed",
        "compiled/memory.c",
        "if (now == -1.0 && PyErr_Occurred()) {",
        "if (now == -1.0) {\n        PyErr_Clear();\n        return 1;",
        f"{HIT}a_clock_that_was_given_is_asked[compiled]",
    ),
    Mutant(
        "a moment that is none is believed",
        "compiled/memory.c",
        "if (moment == -1.0 && PyErr_Occurred()) {\n        return 0;",
        "if (moment == -1.0 && PyErr_Occurred()) {\n        PyErr_Clear();\n        return 1;",
        f"{HIT}moments_that_are_none_are_errors[compiled]",
    ),
    # what is left of a temporary secret
    Mutant(
        "what is left of a temporary secret outlives the record that it was worked out from",
        "compiled/memory.c",
        "PyDict_GetItemWithError(self->records, made_from) == parent",
        "PyDict_GetItemWithError(self->records, made_from) != NULL",
        f"{TEMPORARY}beside_another_record_it_is_worked_out_anew[compiled]",
    ),
    Mutant(
        "where a temporary secret is from is not asked",
        "compiled/memory.c",
        "&& is_false(record, word.is_bound) && is_false(record, word.is_limited)",
        "&& is_false(record, word.is_limited)",
        f"{TEMPORARY}of_a_page_it_is_for_python_to_ask_where_a_request_is_from[compiled]",
    ),
    Mutant(
        "nothing is taken from the limits of a temporary secret",
        "compiled/memory.c",
        "&& is_false(record, word.is_bound) && is_false(record, word.is_limited)",
        "&& is_false(record, word.is_bound)",
        f"{TEMPORARY}what_has_limits_is_taken_from_them[compiled]",
    ),
    Mutant(
        "a temporary secret does not end",
        "compiled/memory.c",
        "&& may_be_used(self, record, word.ends_at, asked);",
        "&& may_be_used(self, parent, word.ends_at, asked);",
        f"{TEMPORARY}it_ends_by_itself[compiled]",
    ),
    Mutant(
        "a temporary secret is counted as itself",
        "compiled/memory.c",
        "Py_SETREF(*digest, made_from);",
        "Py_DECREF(made_from);",
        f"{TEMPORARY}it_is_known_and_counted_by_the_secret_that_it_was_made_from[compiled]",
    ),
    Mutant(
        "what a temporary secret was made from is kept for ever",
        "compiled/memory.c",
        "    Py_XDECREF(parent);\n",
        "",
        f"{TEMPORARY}nothing_is_left_of_requests[compiled]",
    ),
    # is the request within the bounds of its key
    Mutant(
        "whoever was asked about before is let in",
        "compiled/let_in.c",
        "PyDict_GetItemWithError(judged, host) == Py_True",
        "PyDict_GetItemWithError(judged, host) != NULL",
        f"{BOUNDS}elsewhere_it_is_refused[compiled-client0]",
    ),
    Mutant(
        "where it is from is not asked",
        "compiled/let_in.c",
        "if (found->key == NULL || !is_within_bounds(self, found->key, scope)) {",
        "if (found->key == NULL || !is_within_bounds(self, found->key, scope) * 0) {",
        f"{BOUNDS}elsewhere_it_is_refused[compiled-client0]",
    ),
    Mutant(
        "the proxy is judged in place of its client",
        "compiled/let_in.c",
        "self->bounded = bounded == Py_None ? NULL : Py_NewRef(bounded);",
        'PyObject *base = PyImport_ImportModule("gatepost.base");\n'
        '        self->bounded = PyObject_GetAttrString(base, "BoundedRecord");',
        f"{BOUNDS}the_peer_is_not_who_is_judged_where_proxies_are_trusted[compiled]",
    ),
    Mutant(
        "the end of a key with bounds is not asked",
        "compiled/memory.c",
        "&& is_before(now, record, end)",
        "&& (end != word.usable_until || is_before(now, record, end))",
        f"{BOUNDS}a_record_that_has_ended_lets_nobody_in[compiled]",
    ),
    # what a request shows
    Mutant(
        "a second header is not noticed",
        "compiled/let_in.c",
        "            if (carrier != NULL) {\n                return NULL;\n            }\n",
        "",
        SECOND,
    ),
    Mutant(
        "the header stays",
        "compiled/let_in.c",
        "(!self->strip || strip(scope, found->headers, found->place) == 0) && ",
        "",
        TELLS,
    ),
    Mutant(
        "the header goes though it is to stay",
        "compiled/let_in.c",
        "!self->strip || ",
        "",
        f"{HIT}the_headers_stay_where_they_are_to[compiled]",
    ),
    Mutant(
        "another header goes",
        "compiled/let_in.c",
        "PySequence_DelItem(kept, place)",
        "PySequence_DelItem(kept, 0)",
        TELLS,
    ),
    Mutant(
        "the server's own list is changed",
        "compiled/let_in.c",
        "PyObject *kept = PySequence_List(headers);",
        "PyObject *kept = Py_NewRef(headers);",
        TELLS,
    ),
    Mutant("any scheme will do", "compiled/let_in.c", ' || memcmp(text, "Bearer ", 7) != 0', "", where(5)),
    Mutant(
        "no scheme will do",
        "compiled/let_in.c",
        "        *length -= 7;\n        return text + 7;\n",
        "",
        f"{HIT}a_bearers_secret_is_a_hit[compiled]",
    ),
    Mutant(
        "a name that only begins so will do",
        "compiled/let_in.c",
        f"PyBytes_GET_SIZE(each) == PyBytes_GET_SIZE(name)\n            && {COMPARED}(name)) == 0",
        f"{COMPARED}(each)) == 0",
        where(12),
    ),
    Mutant(
        "any name of that length will do",
        "compiled/let_in.c",
        f"\n            && {COMPARED}(name)) == 0",
        "",
        where(11),
    ),
    Mutant(
        "WebSockets are requests",
        "compiled/let_in.c",
        "\n        || (type != word.http && PyUnicode_Compare(type, word.http) != 0)",
        "",
        f"{HIT}a_websocket_has_a_user_of_its_own[compiled]",
    ),
    # what the app is told
    Mutant("no key", "compiled/let_in.c", "PyDict_SetItem(scope, word.api_key, key) != 0 || ", "", TELLS),
    Mutant(
        "permissions that were there count",
        "compiled/let_in.c",
        "PyDict_SetItem(scope, word.permissions, permissions) != 0",
        "PyDict_SetDefault(scope, word.permissions, permissions) == NULL",
        f"{HIT}what_stood_in_the_scope_is_replaced_but_for_a_user_that_is_the_apps[compiled]",
    ),
    Mutant(
        "the user is always gatepost's",
        "compiled/let_in.c",
        "PyDict_SetItem(scope, self->user, key)",
        'PyDict_SetItemString(scope, "user", key)',
        f"{HIT}what_stood_in_the_scope_is_replaced_but_for_a_user_that_is_the_apps[compiled]",
    ),
    # the request while it is served, and after
    Mutant(
        "the request is not held",
        "compiled/let_in.c",
        "PyContextVar_Set(self->variable, (PyObject *)served)",
        "PyContextVar_Set(self->variable, Py_None)",
        FOUND,
    ),
    Mutant(
        "it is held to the end of the context", "compiled/request.c", "        served_empty(self->served);\n", "", FOUND
    ),
    Mutant(
        "the outer request is not put back",
        "compiled/request.c",
        " && (self->outer == Py_None || PyObject_Not(self->outer) == 1)",
        "",
        NESTED,
    ),
    Mutant(
        "a stream is left to itself",
        "compiled/request.c",
        "!ends_later && self->served->items[STREAM] == Py_None\n",
        "!ends_later\n",
        stream(4, True),
    ),
    Mutant(
        "a failure is none",
        "compiled/request.c",
        "raised == NULL ? Py_None : raised",
        "Py_None",
        f"{HIT}a_request_that_failed_is_not_served_any_more[compiled]",
    ),
    Mutant(
        "the response is not watched",
        "compiled/request.c",
        "self->served->watched == NULL ? self->send : (PyObject *)self->served",
        "self->send",
        f"{HIT}who_is_not_watched_gets_the_servers_own_send[compiled]",
    ),
    Mutant(
        "events are not looked for",
        "compiled/served.c",
        "return tells_its_length(message);",
        "return 1;",
        stream(4, True),
    ),
    Mutant(
        "more to come is no stream",
        "compiled/served.c",
        "return more == Py_False || ",
        "return more != NULL || ",
        stream(6, True),
    ),
    Mutant(
        "what belongs to a stream is not given to it",
        "compiled/served.c",
        "self->items[STREAM] != Py_None || !PyDict",
        "self->items[STREAM] == NULL || !PyDict",
        f"{HIT}a_stream_whose_key_dies_is_cut[compiled]",
    ),
    # the coroutine
    Mutant(
        "closed, the app goes on",
        "compiled/request.c",
        "status = close_inner(self);",
        "PyErr_SetNone(PyExc_GeneratorExit);",
        f"{COROUTINE}an_app_that_fails_when_it_is_closed_is_told_of[compiled]",
    ),
    Mutant(
        "it runs within itself",
        "compiled/request.c",
        "    if (self->runs) {\n",
        "    if (0) {\n",
        f"{COROUTINE}it_does_not_run_within_itself[compiled]",
        crashes=True,  # it calls itself until the stack is full
    ),
    Mutant(
        "lost, it says nothing",
        "compiled/request.c",
        "    if (self->state == NEW) {\n        if (PyErr_Warn",
        "    if (0) {\n        if (PyErr_Warn",
        f"{COROUTINE}one_that_is_never_awaited_is_told_of[compiled]",
    ),
    Mutant(
        "lost, the app goes on",
        "compiled/request.c",
        "    if (self->state == OVER) {\n        return;",
        "    if (self->state != NEW) {\n        return;",
        f"{COROUTINE}lost_it_ends_the_app_at_once[compiled]",
    ),
    Mutant("a reference too many", "compiled/let_in.c", "    Py_CLEAR(found->key);\n", "", LEFT),
    Mutant("limits that are not let go of", "compiled/served.c", "    Py_CLEAR(self->limits);\n", "", LIMITS_LEFT),
    Mutant("a digest that is not let go of", "compiled/request.c", " do(self->digest)", "", LIMITS_LEFT),
    Mutant(
        "a key with limits is let in without",
        "compiled/request.c",
        "is_limited(self->let_in, found.key) ? begin_asking(self, &found) :",
        "0 ? begin_asking(self, &found) :",
        f"{LIMITS}whom_its_limits_refuse_no_app_sees_and_who_answers_sees_no_secret[compiled]",
    ),
    Mutant(
        "a key with limits may come from anywhere",
        "compiled/let_in.c",
        "!= self->bounded && !is_limited(self, key)) {",
        "!= self->bounded) {",
        f"{LIMITS}a_key_with_limits_is_held_against_its_networks_too[compiled]",
    ),
    Mutant(
        "who has waited is let in with another secret",
        "compiled/request.c",
        "PyObject_RichCompareBool(found.digest, self->digest, Py_EQ) == 1",
        "1",
        f"{LIMITS}another_secret_that_is_put_there_while_limits_are_asked_is_judged_for_itself[compiled]",
    ),
    Mutant(
        "who has waited is let in though the key was switched off",
        "compiled/let_in.c",
        "    found->key = memory_hit_usable(hit, found->digest, self->bounded, self->limited, &found->now);\n",
        "    static PyObject *kept;\n"
        "    if (kept == NULL)\n"
        "        kept = memory_hit_usable(hit, found->digest, self->bounded, self->limited, &found->now);\n"
        "    found->key = Py_XNewRef(kept);\n",
        f"{LIMITS}who_waited_while_the_key_was_switched_off_is_refused_and_has_spent_nothing[compiled]",
    ),
    Mutant(
        "who answers for limits sees the secret",
        "asgi/hits.py",
        "    take(scope)  #",
        "    #",
        f"{LIMITS}whom_its_limits_refuse_no_app_sees_and_who_answers_sees_no_secret[compiled]",
        stays_compiled=True,
    ),
    Mutant(
        "who was let in by limits alone has spent",
        "asgi/hits.py",
        "        await undo(answer, scope)\n",
        "",
        f"{LIMITS}who_waited_while_the_key_was_switched_off_is_refused_and_has_spent_nothing[compiled]",
        stays_compiled=True,
    ),
    Mutant(
        "who waited and whose app fails when it is called has no end",
        "compiled/request.c",
        "            continue;\n",
        "            if (begun != 0)\n                break;\n            continue;\n",
        f"{LIMITS}slots_are_free_though_the_app_fails_when_it_is_called[compiled-True]",
    ),
    Mutant(
        "a request that fails while limits are asked keeps the secret",
        "compiled/request.c",
        "        strip_failed(self->let_in, self->scope);\n",
        "",
        f"{LIMITS}who_is_cancelled_while_limits_are_asked_was_not_let_in[rate-compiled]",
    ),
    Mutant(
        "slots are held for ever",
        "compiled/request.c",
        "int ends_later = limits == NULL ? 0 : limits_end(self);",
        "int ends_later = 0;",
        f"{LIMITS}slots_are_free_whatever_way_a_request_ends[compiled]",
    ),
    Mutant(
        "nothing is told of limits",
        "compiled/served.c",
        "if (self->limits == NULL || !may_begin(args[0])) {",
        "if (1) {",
        f"{LIMITS}the_fields_are_added_to_whatever_headers_a_response_has[compiled-headers0]",
    ),
    Mutant(
        "what an answered cancellation gave is lost",
        "compiled/request.c",
        "*result = value == NULL ? Py_NewRef(Py_None) : PyObject_GetAttr(value, word.value);",
        "*result = Py_NewRef(Py_None);",
        f"{LIMITS}a_cancellation_that_the_limiter_answers_lets_in_with_its_answer[compiled]",
    ),
    Mutant("an object too many", "compiled/request.c", " do(self->outer)", "", LEFT),
    Mutant("memory that is lost", "compiled/let_in.c", "    Py_DECREF(token);\n", "", LEFT),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_defect_makes_its_test_fail(mutant: Mutant, tmp_path: Path) -> None:
    assert_caught(mutant, tmp_path)
