from __future__ import annotations

import pytest

from squall.core.errors import TooManyError
from squall.services.access import braking
from squall.services.access.braking import Brake


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def brake(clock: Clock) -> Brake:
    return Brake(clock)


def attempt(brake: Brake, user: str, address: str, right: bool) -> int:
    """Makes one attempt. Returns the seconds after which the next one may come if it was refused, else 0."""
    try:
        with brake.attempt(user, address) as running:
            running.has_begun = True
            running.was_right = right
    except TooManyError as error:
        return error.retry_after
    return 0


def test_each_failure_after_three_doubles_the_wait_up_to_a_limit(brake: Brake, clock: Clock) -> None:
    waits = []
    for _ in range(12):
        waits.append(attempt(brake, "ada", "10.0.0.1", False))
        clock.now += waits[-1]
    assert waits == [0, 0, 0, 1, 0, 2, 0, 4, 0, 8, 0, 8]


def test_a_refused_attempt_counts_for_nothing(brake: Brake, clock: Clock) -> None:
    for _ in range(500):
        attempt(brake, "ada", "10.0.0.1", False)
    clock.now += 1
    assert attempt(brake, "ada", "10.0.0.1", True) == 0


def test_guesses_from_one_address_never_keep_the_user_out_at_another(brake: Brake) -> None:
    for _ in range(500):
        attempt(brake, "ada", "10.0.0.1", False)
    assert attempt(brake, "ada", "10.0.0.1", True) > 0
    assert attempt(brake, "ada", "10.0.0.2", True) == 0


def test_guesses_of_one_user_keep_no_other_user_out_at_the_same_address(brake: Brake) -> None:
    for _ in range(500):
        attempt(brake, "ada", "10.0.0.1", False)
    assert attempt(brake, "bob", "10.0.0.1", True) == 0


def test_a_success_forgets_the_failures_of_user_and_address(brake: Brake) -> None:
    for right in (False, False, True, False, False):
        assert attempt(brake, "ada", "10.0.0.1", right) == 0
    assert attempt(brake, "ada", "10.0.0.1", True) == 0


def test_an_address_that_tries_many_users_is_refused_but_not_who_logged_in_there_before(
    brake: Brake, clock: Clock
) -> None:
    assert attempt(brake, "ada", "10.0.0.1", True) == 0
    waits = [attempt(brake, f"user{number}", "10.0.0.1", False) for number in range(braking._BUDGET + 10)]
    assert not any(waits[: braking._BUDGET])
    assert all(waits[braking._BUDGET :])
    assert attempt(brake, "ada", "10.0.0.1", True) == 0
    clock.now += waits[-1]
    assert attempt(brake, "new", "10.0.0.1", True) == 0


def test_attempts_at_once_cannot_be_more_than_may_fail(brake: Brake) -> None:
    first, second, third = (brake.attempt("ada", "10.0.0.1") for _ in range(3))
    with first, second, third:
        assert attempt(brake, "ada", "10.0.0.1", True) > 0
    assert attempt(brake, "ada", "10.0.0.1", True) == 0


def test_an_attempt_that_ends_before_its_check_counts_for_nothing_and_one_after_it_as_a_failure(brake: Brake) -> None:
    for _ in range(20):
        with brake.attempt("ada", "10.0.0.1"):
            pass
    for _ in range(3):
        with brake.attempt("ada", "10.0.0.1") as running:
            running.has_begun = True
    assert attempt(brake, "ada", "10.0.0.1", True) > 0


def test_what_is_remembered_is_bounded_and_refused_attempts_remember_nothing(
    brake: Brake, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(500):
        attempt(brake, f"user{number}", "10.0.0.1", False)
    assert len(brake._pairs) == braking._BUDGET
    monkeypatch.setattr(braking, "_MOST_KEYS", 10)
    for number in range(50):
        attempt(brake, "ada", f"10.0.1.{number}", False)
    assert (len(brake._pairs), len(brake._spent), len(brake._running)) == (10, 10, 0)


def test_the_failures_of_an_address_count_together_until_it_has_not_failed_for_a_while(
    brake: Brake, clock: Clock
) -> None:
    def failures(user: str, address: str) -> int:
        with brake.attempt(user, address) as running:
            return running.failures

    for user in ("ada", "bob", "ada"):
        attempt(brake, user, "10.0.0.1", False)
    assert (failures("eve", "10.0.0.1"), failures("ada", "10.0.0.2")) == (3, 0)
    clock.now += braking._FORGET
    assert failures("eve", "10.0.0.1") == 3
    clock.now += 1
    assert failures("eve", "10.0.0.1") == 0
