"""What usage tells of a key: how often, when last, from where, with what outcome, by which secret."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from gatepost import Actor, APIKeyMiddleware, APIKeys, BadInputError, KeyNotFoundError, Outcome, SecretState, requires
from gatepost.base import AccessDeniedError, Usage
from gatepost.compiled import Cell
from tests.usage.requests import answering, ask

TODAY: Callable[[], date] = lambda: datetime.now(UTC).date()  # noqa: E731


async def by(keys: APIKeys, key_id: str | None, name: str) -> dict[Any, int]:
    """Counts by one of the groups, once what was counted is written."""
    await keys.flush_usage()
    return {getattr(line, name): line.count for line in await keys.usage(key_id, by=name)}


async def test_requests_are_counted_with_their_outcome_last_moment_and_address(keys: APIKeys) -> None:
    protected = APIKeyMiddleware(answering, keys)
    issued = await keys.create("a key")
    before = datetime.now(UTC) - timedelta(seconds=5)
    for _ in range(3):
        await ask(protected, issued.secret)
    await keys.flush_usage()
    for _ in range(2):
        await ask(protected, issued.secret, client=("2001:db8::7", 1))
    await keys.flush_usage()
    [line] = await keys.usage(issued.key.id, by=("day", "route", "outcome", "secret"))
    assert (line.count, line.day, line.route, line.outcome) == (5, TODAY(), "", Outcome.VALID)
    assert (line.secret_state, line.secret_hint) == (SecretState.CURRENT, issued.key.hint)
    assert line.last_address == "2001:db8::7"
    assert before < line.last_at < datetime.now(UTC) + timedelta(seconds=5)
    assert (await keys.get(issued.key.id)).last_used_at == line.last_at
    [listed] = (await keys.list()).items
    assert listed.last_used_at == line.last_at


async def test_refusals_count_for_the_key_whose_secret_was_right_but_are_no_use_of_it(keys: APIKeys) -> None:
    protected = APIKeyMiddleware(answering, keys)
    issued = await keys.create("a key")
    await keys.deactivate(issued.key.id)
    await ask(protected, issued.secret)
    assert await by(keys, issued.key.id, "outcome") == {Outcome.DEACTIVATED: 1}
    assert (await keys.get(issued.key.id)).last_used_at is None


async def test_who_still_calls_with_a_secret_that_was_rotated_out_is_told_by_secret(keys: APIKeys) -> None:
    protected = APIKeyMiddleware(answering, keys)
    issued = await keys.create("a key")
    await ask(protected, issued.secret)
    first = await keys.rotate(issued.key.id, grace=3600)
    await ask(protected, issued.secret)
    await ask(protected, first.secret)
    await keys.flush_usage()
    lines = {line.secret_state: line for line in await keys.usage(issued.key.id, by="secret")}
    assert {state: line.count for state, line in lines.items()} == {SecretState.CURRENT: 1, SecretState.OLD: 2}
    assert lines[SecretState.OLD].secret_hint == issued.key.hint
    await keys.end_grace(issued.key.id)
    for _ in range(3):
        await ask(protected, issued.secret)
    assert await by(keys, issued.key.id, "outcome") == {Outcome.VALID: 3, Outcome.INVALID: 3}
    [gone] = [line for line in await keys.usage(issued.key.id, by="secret") if line.secret_state is SecretState.GONE]
    assert (gone.count, gone.secret_hint) == (5, None), "the secret is known no more, but was the key's"


async def test_invented_secrets_share_one_count_and_cost_no_io(sqlite_keys: APIKeys) -> None:
    keys, protected = sqlite_keys, APIKeyMiddleware(answering, sqlite_keys)
    issued = await keys.create("a key")
    await keys.serve()
    lookups = keys._opened().lookup.counts.lookups
    for number in range(200):
        invented = issued.secret[:-8] + f"{number:08}"
        assert (await ask(protected, invented))[0]["status"] == 401
    await ask(protected, None)
    assert keys._opened().lookup.counts.lookups == lookups
    assert keys.uses is not None
    assert len(keys.uses) == 2, "one for what is invalid, one for what is missing"
    assert await by(keys, None, "outcome") == {Outcome.INVALID: 200, Outcome.MISSING: 1}
    assert await by(keys, issued.key.id, "outcome") == {}


async def test_an_app_that_verifies_secrets_itself_uses_their_keys(sqlite_keys: APIKeys) -> None:
    keys = sqlite_keys
    issued = await keys.create("a key", project="acme")
    for _ in range(2):
        assert (await keys.verify(issued.secret, address="192.0.2.9")).valid
    assert (await keys.verify(issued.secret, project="other")).outcome is Outcome.PROJECT_DENIED
    assert (await keys.verify(issued.secret, count=False)).valid
    assert not (await keys.verify("no secret at all")).valid
    await keys.flush_usage()
    lines = {(line.outcome, line.route): line for line in await keys.usage(issued.key.id, by=("outcome", "route"))}
    assert {of: line.count for of, line in lines.items()} == {
        (Outcome.VALID, ""): 2,
        (Outcome.PROJECT_DENIED, ""): 1,
    }
    assert lines[Outcome.VALID, ""].last_address == "192.0.2.9"
    assert (await keys.get(issued.key.id)).last_used_at is not None
    assert await by(keys, None, "outcome") == {Outcome.INVALID: 1}


async def test_what_lacks_a_permission_or_is_of_another_project_is_told_and_is_a_use(sqlite_keys: APIKeys) -> None:
    keys = sqlite_keys

    @requires("FILE_UPLOAD")
    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        await answering(scope, receive, send)

    protected = APIKeyMiddleware(guarded, keys, project="acme")
    weak, foreign = await keys.create("weak", project="acme"), await keys.create("foreign", project="other")
    may = await keys.create("may", ["FILE_UPLOAD"], project="acme")
    for issued in (weak, foreign, may, weak, weak):
        await ask(protected, issued.secret)
    assert await by(keys, weak.key.id, "outcome") == {Outcome.PERMISSION_DENIED: 3}
    assert await by(keys, foreign.key.id, "outcome") == {Outcome.PROJECT_DENIED: 1}
    assert await by(keys, may.key.id, "outcome") == {Outcome.VALID: 1}
    assert all([(await keys.get(each.key.id)).last_used_at for each in (weak, foreign, may)])


async def test_a_request_that_fails_in_the_app_is_counted_too(sqlite_keys: APIKeys) -> None:
    async def failing(_scope: Any, _receive: Any, _send: Any) -> None:
        raise RuntimeError("a fault of the app's")

    protected = APIKeyMiddleware(failing, sqlite_keys)
    issued = await sqlite_keys.create("a key")
    for _ in range(4):
        with pytest.raises(RuntimeError, match="a fault of the app's"):
            await ask(protected, issued.secret)
    assert await by(sqlite_keys, issued.key.id, "outcome") == {Outcome.VALID: 4}


@pytest.mark.parametrize("end_connections", [True, False])
async def test_a_websocket_counts_when_its_handshake_is_answered(sqlite_keys: APIKeys, end_connections: bool) -> None:
    keys, counted = sqlite_keys, []

    async def chat(_scope: Any, _receive: Any, send: Any) -> None:
        counted.append(len(keys.uses or ()))
        await send({"type": "websocket.accept"})
        counted.append(len(keys.uses or ()))
        await send({"type": "websocket.send", "text": "hello"})

    protected = APIKeyMiddleware(chat, keys, end_connections=end_connections)
    issued = await keys.create("a key")
    await ask(protected, issued.secret, type="websocket")
    assert counted == [0, 1]
    assert await by(keys, issued.key.id, "outcome") == {Outcome.VALID: 1}


async def test_usage_can_be_switched_off(ready_sqlite_url: str) -> None:
    async with APIKeys(ready_sqlite_url, usage=False) as keys:
        issued = await keys.create("a key")
        await ask(APIKeyMiddleware(answering, keys), issued.secret)
        assert keys.uses is None
        await keys.flush_usage()
        assert await keys.usage(issued.key.id) == []
    with pytest.raises(BadInputError, match="usage must be True or False, not 'yes'"):
        APIKeys(usage="yes")  # type: ignore[arg-type]


async def test_no_use_is_a_change(keys: APIKeys) -> None:
    issued = await keys.create("a key")
    protected = APIKeyMiddleware(answering, keys)
    await ask(protected, issued.secret)
    before, key = await keys._database.read_position(), await keys.get(issued.key.id)
    events = (await keys.events()).items
    keys._database.doorbell.nudged.clear()
    for _ in range(3):
        await ask(protected, issued.secret)
        await keys.flush_usage()
    after = await keys._database.read_position()
    assert (after.seq, after.nonce) == (before.seq, before.nonce)
    assert (await keys.events()).items == events
    used = await keys.get(issued.key.id)
    assert (used.updated_at, used.version) == (key.updated_at, key.version)
    assert used == key, "two keys are the same though one was used since"
    assert not keys._database.doorbell.nudged.is_set()


async def test_usage_outlives_its_key_for_who_may_see_all_projects(keys: APIKeys) -> None:
    issued = await keys.create("a key", project="acme")
    await ask(APIKeyMiddleware(answering, keys), issued.secret)
    await keys.flush_usage()
    await keys.delete(issued.key.id)
    await ask(APIKeyMiddleware(answering, keys), issued.secret)
    assert await by(keys, issued.key.id, "outcome") == {Outcome.VALID: 1, Outcome.INVALID: 1}
    limited = Actor("ann", project="acme", permissions=frozenset({"ACCESS_READ"}))
    with pytest.raises(KeyNotFoundError):
        await keys.usage(issued.key.id, actor=limited)
    with pytest.raises(KeyNotFoundError):
        await keys.usage("0" * 12)


async def test_an_actor_sees_the_usage_of_the_keys_that_it_reaches(sqlite_keys: APIKeys) -> None:
    keys = sqlite_keys
    mine, other = await keys.create("mine", project="acme"), await keys.create("other", project="other")
    for issued in (mine, other):
        await ask(APIKeyMiddleware(answering, keys), issued.secret)
    await ask(APIKeyMiddleware(answering, keys), None)
    await keys.flush_usage()
    ann = Actor("ann", project="acme", permissions=frozenset({"ACCESS_READ"}))
    assert [line.count for line in await keys.usage(mine.key.id, actor=ann)] == [1]
    assert list(await keys.usage_by_day([mine.key.id, other.key.id], actor=ann)) == [mine.key.id]
    assert list(await keys.usage(None, actor=ann)) == [], "that tells of other projects too"
    with pytest.raises(KeyNotFoundError):
        await keys.usage(other.key.id, actor=ann)
    with pytest.raises(AccessDeniedError):
        await keys.usage(mine.key.id, actor=Actor("bob", permissions=frozenset()))
    own = Actor("its own", key_id=mine.key.id, project="acme")
    assert [line.count for line in await keys.usage(mine.key.id, actor=own)] == [1]
    with pytest.raises(AccessDeniedError):
        await keys.prune(actor=ann)


async def test_days_and_groups_are_what_was_asked_for(keys: APIKeys) -> None:
    issued = await keys.create("a key")
    assert keys.uses is not None
    now = keys.uses.clock()
    for days, route, outcome, count in (
        (0, "/a", Outcome.VALID, 1),
        (1, "/a", Outcome.VALID, 2),
        (1, "/b", Outcome.VALID, 4),
        (1, "/b", Outcome.EXPIRED, 8),
        (2, "/b", Outcome.EXPIRED, 16),
    ):
        for _ in range(count):
            keys.uses.count(outcome, issued.key.id, bytes(32), now - days * 86400, route, None)
    await keys.flush_usage()
    today = TODAY()

    def day(number: int) -> date:
        return today - timedelta(days=number)

    async def told(**which: Any) -> list[tuple[Any, ...]]:
        lines = await keys.usage(issued.key.id, **which)
        return [(*(getattr(line, name) for name in which.get("by", ("day",))), line.count) for line in lines]

    assert await told() == [(day(0), 1), (day(1), 14), (day(2), 16)]
    assert await told(by=("route",)) == [("/b", 28), ("/a", 3)]
    assert await told(by=()) == [(31,)]
    assert await told(by=("outcome", "route"), since=day(1), until=day(0)) == [
        (Outcome.EXPIRED, "/b", 8),
        (Outcome.VALID, "/b", 4),
        (Outcome.VALID, "/a", 2),
    ]
    assert await keys.usage_by_day([issued.key.id, "0" * 12], days=3) == {issued.key.id: [16, 14, 1]}


@pytest.mark.parametrize(
    ("which", "said"),
    [
        ({"by": "week"}, "by must be of day, route, outcome, secret, not 'week'"),
        ({"by": 7}, "by must be of day, route, outcome, secret, not '7'"),
        ({"by": ("day", None)}, "by must be of day"),
        ({"since": "yesterday"}, "since must be a datetime.date, a day in UTC, not 'yesterday'"),
        ({"until": datetime(2026, 11, 29, tzinfo=UTC)}, "until must be a datetime.date"),
    ],
)
async def test_odd_input_is_one_clear_error(sqlite_keys: APIKeys, which: dict[str, Any], said: str) -> None:
    issued = await sqlite_keys.create("a key")
    with pytest.raises(BadInputError, match=said):
        await sqlite_keys.usage(issued.key.id, **which)


async def test_odd_numbers_of_days_and_months_are_clear_errors(sqlite_keys: APIKeys) -> None:
    for days in (0, 367, 1.5, "7", True):
        with pytest.raises(BadInputError, match="days must be a whole number, 1 to 366"):
            await sqlite_keys.usage_by_day([], days=days)  # type: ignore[arg-type]
    for days in (0, 3661, "7"):
        with pytest.raises(BadInputError, match="days must be a whole number, 1 to 3660"):
            await sqlite_keys.prune(days=days)  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match="months must be a whole number, 1 to 1200, not 0"):
        await sqlite_keys.prune(months=0)


async def test_old_days_become_months_and_old_months_go_and_no_total_changes_before_that(keys: APIKeys) -> None:
    issued = await keys.create("a key")
    assert keys.uses is not None
    now = keys.uses.clock()
    ages = [0, 1, 91, *range(130, 1000, 3)]
    for age in ages:
        keys.uses.count(
            Outcome.VALID, issued.key.id, bytes(32), now - age * 86400, f"/{age % 2}", (f"192.0.2.{age % 250}", 1)
        )
    await keys.flush_usage()
    last_used = (await keys.get(issued.key.id)).last_used_at

    async def lines(*groups: str) -> list[Usage]:
        return list(await keys.usage(issued.key.id, by=groups))

    before = await lines("route")
    kept = await keys.prune(days=92, months=1200)
    assert kept.removed == 0
    assert await lines("route") == before, "counts, last moments and addresses"
    days = [line.day for line in await lines("day") if not line.by_month and line.day]
    months = [line.day for line in await lines("day") if line.by_month and line.day]
    assert len(days) == len(ages) - kept.rolled_up
    assert {day.day for day in months} == {1}
    assert min(days) > max(months)
    assert min(days) >= (TODAY() - timedelta(days=92)).replace(day=1)
    assert await keys.prune(days=92, months=1200) == type(kept)(0, 0), "done is done"

    gone = await keys.prune(days=92, months=12)
    assert gone.removed > 0
    oldest = min(line.day for line in await lines("day") if line.day)
    today = TODAY()
    assert oldest == date(today.year - 1, today.month, 1)
    assert (await keys.get(issued.key.id)).last_used_at == last_used


async def test_what_comes_late_for_a_month_that_is_rolled_up_is_added_to_it(keys: APIKeys) -> None:
    issued = await keys.create("a key")
    assert keys.uses is not None
    for count in (1, 2):
        for _ in range(count):
            keys.uses.count(Outcome.VALID, issued.key.id, bytes(32), keys.uses.clock() - 200 * 86400, "", None)
        await keys.flush_usage()
        assert (await keys.prune()).rolled_up == 1
    [line] = await keys.usage(issued.key.id)
    assert (line.count, line.by_month) == (3, True)


async def test_pruning_forgets_the_last_uses_of_keys_that_are_gone(keys: APIKeys) -> None:
    here, gone = await keys.create("a key"), await keys.create("another")
    await keys.delete(gone.key.id)
    assert keys.uses is not None
    for each in (here, gone):
        keys.uses.count(Outcome.VALID, each.key.id, bytes(32), keys.uses.clock(), "", None)
    await keys.flush_usage()

    async def rows() -> list[str]:
        async with keys._database._reading("") as connection:
            return list(await connection.scalars(text("SELECT key_id FROM gatepost_last_used")))

    assert sorted(await rows()) == sorted([here.key.id, gone.key.id])
    await keys.prune()
    assert await rows() == [here.key.id]


async def test_a_memory_hit_is_not_counted_in_a_cell_of_another_day(sqlite_keys: APIKeys) -> None:
    issued = await sqlite_keys.create("a key")
    protected = APIKeyMiddleware(answering, sqlite_keys)
    for _ in range(3):
        await ask(protected, issued.secret)
    uses = sqlite_keys.uses
    assert uses is not None
    uses.since, uses.until = uses.since - 86400, uses.until - 86400
    [old] = uses.cells.values()
    uses.cells = {digest: Cell(0.0, None) for digest in uses.cells}
    [other] = uses.cells.values()
    for _ in range(2):
        await ask(protected, issued.secret)
    assert (old.count, other.count) == (5, 0)
