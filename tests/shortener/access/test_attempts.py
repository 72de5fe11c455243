"""How often an address may be wrong."""

import pytest

from hopline.clock import ManualClock
from hopline.shortener.access.attempts import MOST_ADDRESSES, Attempts


def fail(attempts: Attempts, address: str, times: int) -> None:
    for _ in range(times):
        attempts.failed(address)


def test_ten_failures_a_minute_and_then_the_rest_of_the_minute_is_waited() -> None:
    clock = ManualClock()
    attempts = Attempts(clock)

    fail(attempts, "192.0.2.1", 9)
    assert attempts.wait("192.0.2.1") == 0
    clock.advance(20)
    attempts.failed("192.0.2.1")

    assert attempts.wait("192.0.2.1") == 40
    assert attempts.wait("192.0.2.2") == 0
    clock.advance(40)
    assert attempts.wait("192.0.2.1") == 0
    attempts.failed("192.0.2.1")
    assert attempts.wait("192.0.2.1") == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2", True),
        ("", "not an address", True),
    ],
)
def test_an_address_is_what_one_customer_has(one: str, other: str, same: bool) -> None:
    attempts = Attempts(ManualClock(), limit=1)

    attempts.failed(one)

    assert (attempts.wait(other) > 0) is same


def test_the_table_has_a_bound_and_forgets_the_oldest() -> None:
    attempts = Attempts(ManualClock(), limit=1)
    addresses = [f"10.0.{n // 256}.{n % 256}" for n in range(MOST_ADDRESSES + 1)]

    for address in addresses:
        attempts.failed(address)

    assert attempts.wait(addresses[0]) == 0
    assert attempts.wait(addresses[1]) > 0
    assert attempts.wait(addresses[-1]) > 0
    assert len(attempts._failures) == MOST_ADDRESSES
