"""The tests of FastMCP's `Guard` can fail: each of these defects makes its test fail."""

from pathlib import Path

import pytest

from tests.mutants import Mutant, assert_caught

GUARD = "integrations/fastmcp/guard.py"
COVERAGE = "tests/mcp/test_coverage.py"
TOOLS = "tests/mcp/test_tools.py"
ABOVE = "tests/mcp/test_above.py"
STARTING = "tests/mcp/test_starting.py"

MUTANTS = [
    Mutant(
        "everything is listed",
        GUARD,
        "    return [each for each in components if not _hopeless(_checks(each))]\n",
        "    return [*components]\n",
        f"{TOOLS}::test_what_a_key_may_not_use_is_not_listed",
    ),
    Mutant(
        "what is given a context is listed to everybody",
        GUARD,
        "for each in mcp_functions(component) for function in each for check",
        "for function, *_ in mcp_functions(component) for check",
        f"{TOOLS}::test_what_is_given_a_context_is_listed_to_who_may_use_it_too",
    ),
    Mutant(
        "what is not listed can be called",
        GUARD,
        "    if served and problem is not None:\n",
        "    if False:\n",
        f"{TOOLS}::test_a_call_without_the_permission_is_refused_in_json_rpc",
    ),
    Mutant(
        "one of several names does for all of them",
        "asgi/permission_check.py",
        "        return self.all_of <= held and (not self.any_of or not self.any_of.isdisjoint(held))\n",
        "        return self.all_of <= held\n",
        f"{TOOLS}::test_what_a_key_may_not_use_is_not_listed",
    ),
    Mutant(
        "what is refused within a mounted server is told by its own guard",
        GUARD,
        "        if problem is None or _depth.get() > 1:\n",
        "        if problem is None:\n",
        f"{TOOLS}::test_a_server_that_is_mounted_keeps_its_tools_to_itself_too",
    ),
    Mutant(
        "tools are counted by the name that the inner server has for them",
        GUARD,
        "    if served and _depth.get() <= 1:\n",
        "    if served:\n",
        f"{TOOLS}::test_a_server_that_is_mounted_keeps_its_tools_to_itself_too",
    ),
    Mutant(
        "what a key holds on some resources alone counts for nothing",
        "asgi/permission_check.py",
        "        held = permissions.union(permissions.limited) if isinstance(permissions, Granted) else permissions\n"
        "        return",
        "        held = permissions\n        return",
        f"{TOOLS}::test_a_key_for_some_resources_sees_the_tool_and_is_asked_for_which",
    ),
    Mutant(
        "FastMCP is not told apart from its app's framework",
        "asgi/refusals.py",
        '        if framework == "fastmcp":\n',
        "        if False:\n",
        f"{TOOLS}::test_without_a_guard_a_tool_is_refused_all_the_same",
    ),
    Mutant(
        "a cache may stand beside the guard",
        GUARD,
        "    if caching is not None and any(",
        "    if False and any(",
        f"{TOOLS}::test_a_cache_that_would_answer_one_key_with_what_another_may_see_is_said_at_once",
    ),
    Mutant(
        "a guard above FastMCP's decorator is not said",
        GUARD,
        "    await look_over(server)\n",
        "",
        f"{ABOVE}::test_a_guard_above_the_decorator_is_said_with_its_line_and_nothing_is_answered",
    ),
    Mutant(
        "a guard above is not seen where FastMCP gives the function a context",
        "asgi/routes/mcp_tools.py",
        "[component.fn, *filter(None, map(injected, [component.fn, *wrapped_by(component.fn)]))]",
        "[component.fn]",
        f"{STARTING}::test_a_permission_that_no_key_can_have_keeps_the_app_from_starting[around-read_with_a_context]",
    ),
    Mutant(
        "what is wrong with tools does not keep the app from starting",
        "asgi/routes/handlers.py",
        "                yield from (Handler(name, each[-1], each[:-1]) for name, each in mcp_tools(state, path))\n",
        "                pass\n",
        f"{STARTING}::test_a_guard_above_the_decorator_keeps_the_app_from_starting",
    ),
    Mutant(
        "the router of FastMCP's app does not know its server",
        "asgi/routes/handlers.py",
        "        yield Within(path, app.router, listed, app.state)\n",
        "        yield Within(path, app.router, listed)\n",
        f"{STARTING}::test_it_is_said_wherever_the_server_stands[around]",
    ),
    Mutant(
        "servers that are mounted in another are not looked over",
        "asgi/routes/mcp_tools.py",
        "                waiting.append(within.server)\n",
        "                pass\n",
        f"{STARTING}::test_it_is_said_wherever_the_server_stands[in_another]",
    ),
    Mutant(
        "what would wait to be listed keeps all from being looked at",
        "asgi/routes/mcp_tools.py",
        "            for component in at_once(listing()) or ():\n",
        "            for component in at_once(listing()):  # type: ignore[union-attr]\n",
        f"{STARTING}::test_what_would_wait_to_be_listed_is_left_to_the_first_message",
    ),
    Mutant(
        "a function that another tool guards may not be open",
        "integrations/fastmcp/above.py",
        " if id(function) not in wrapped]",
        "]",
        f"{ABOVE}::test_a_function_may_be_one_tool_as_it_is_and_another_one_guarded",
    ),
    Mutant(
        "nobody is told how long to wait",
        "asgi/responses/mcp.py",
        '    data = members if wait is None else {**members, "retry_after": wait}\n',
        "    data = members\n",
        f"{TOOLS}::test_a_tools_limit_is_the_keys_alone_and_is_told_with_the_wait",
    ),
    Mutant(
        "tools are told to be routes where nothing counts them so",
        "coverage/fastmcp_tools.py",
        "        told = [*_told(server, each)] if _has_guard(server) else []\n",
        "        told = [*_told(server, each)]\n",
        f"{COVERAGE}::test_what_is_not_seen_is_said_not_to_be_seen",
    ),
    Mutant(
        "what is mounted is not spoken of",
        "coverage/fastmcp_tools.py",
        "        if not told or len(server.providers) > 1 or server.transforms:\n",
        "        if False:\n",
        f"{COVERAGE}::test_what_is_not_seen_is_said_not_to_be_seen",
    ),
    Mutant(
        "tools that are exempt are told to be guarded in part",
        "coverage/needs.py",
        "seen.is_fixed and seen.sample in exempt.paths",
        'seen.is_fixed and (seen.text or "/") in exempt.paths',
        f"{COVERAGE}::test_a_server_whose_app_is_exempt_is_told_to_be_open",
    ),
    Mutant(
        "a tool that is made from another asks for nothing",
        "asgi/routes/mcp_tools.py",
        '        component = getattr(component, "parent_tool", None)\n',
        "        component = None\n",
        f"{TOOLS}::test_a_tool_that_is_made_from_another_asks_for_the_same",
    ),
    Mutant(
        "arguments are completed for everybody",
        GUARD,
        '        if context.method != "completion/complete":\n',
        "        if True:\n",
        f"{TOOLS}::test_arguments_are_completed_for_who_may_use_what_they_are_for",
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_the_defect_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    assert_caught(mutant, tmp_path)
