"""Failed sign-ins are slowed by where they come from, in bounded memory."""

from gatepost.intake import throttle
from gatepost.intake.throttle import Throttle

HERE = "192.0.2.1"


class Clock:
    """Seconds, as the test says."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def fail(slowed: Throttle, address: str | None, times: int) -> None:
    for _ in range(times):
        slowed.fail(address)


def test_after_five_failures_the_wait_doubles_from_one_second_to_a_minute() -> None:
    clock = Clock()
    slowed = Throttle(clock)
    waits = []
    for _ in range(13):
        waits.append(slowed.wait_seconds(HERE))
        slowed.fail(HERE)
    assert waits == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60]


def test_the_wait_ends_and_an_attempt_is_taken_again() -> None:
    clock = Clock()
    slowed = Throttle(clock)
    fail(slowed, HERE, 6)
    clock.now += 1.5
    assert slowed.wait_seconds(HERE) == 0.5
    clock.now += 0.5
    assert slowed.wait_seconds(HERE) == 0


def test_a_success_clears_the_failures() -> None:
    slowed = Throttle(Clock())
    fail(slowed, HERE, 9)
    slowed.succeed(HERE)
    assert slowed.wait_seconds(HERE) == 0
    slowed.fail(HERE)
    assert slowed.wait_seconds(HERE) == 0


def test_failures_are_forgotten_after_a_quarter_of_an_hour() -> None:
    clock = Clock()
    slowed = Throttle(clock)
    fail(slowed, HERE, 9)
    clock.now += throttle.FORGET_SECONDS + 1
    slowed.fail(HERE)
    assert slowed.wait_seconds(HERE) == 0


def test_addresses_of_one_ipv6_network_are_one_and_others_are_apart() -> None:
    slowed = Throttle(Clock())
    for host in range(6):
        slowed.fail(f"2001:db8:1:2::{host}")
    assert slowed.wait_seconds("2001:db8:1:2:ffff::9") > 0
    assert slowed.wait_seconds("2001:db8:1:3::1") == 0


def test_an_ipv4_address_written_in_ipv6_is_the_same() -> None:
    slowed = Throttle(Clock())
    fail(slowed, f"::ffff:{HERE}", 5)
    assert slowed.wait_seconds(HERE) > 0


def test_where_the_server_tells_no_addresses_nobody_waits_for_another() -> None:
    slowed = Throttle(Clock())
    fail(slowed, None, 50)
    slowed.succeed(None)
    assert slowed.wait_seconds(None) == 0
    assert slowed.wait_seconds("testclient") == 0


def test_so_many_addresses_are_remembered_and_no_more() -> None:
    slowed = Throttle(Clock())
    fail(slowed, HERE, 6)
    for number in range(throttle.ADDRESSES_MAX - 1):
        slowed.fail(f"client {number}")
    assert slowed.wait_seconds(HERE) > 0
    slowed.fail("one more")
    assert slowed.wait_seconds(HERE) == 0
