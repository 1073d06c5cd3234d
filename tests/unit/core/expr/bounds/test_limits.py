"""Budgets and sizes."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.expr.bounds.errors import LimitExceededError
from squall.core.expr.bounds.limits import (
    MAX_SIZE,
    Budget,
    Deadline,
    check_length,
    check_power,
    check_product,
    check_replace,
    check_value,
    is_large,
)


def test_a_budget_ends_after_its_steps() -> None:
    budget = Budget(steps=2)
    budget.step()
    budget.step()
    with pytest.raises(LimitExceededError, match="too many steps"):
        budget.step()


def test_a_budget_ends_at_its_deadline() -> None:
    now = [0.0]
    budget = Budget(Deadline(lambda: now[0], 2))
    budget.step()
    now[0] = 2.5
    with pytest.raises(LimitExceededError, match="more than 2 seconds"):
        budget.step()


@pytest.mark.parametrize(
    ("check", "args"),
    [
        (check_length, (MAX_SIZE + 1,)),
        (check_product, ("ab", MAX_SIZE)),
        (check_product, (MAX_SIZE, [1, 2])),
        (check_product, (1 << 600_000, 1 << 600_000)),
        (check_power, (2, 10**9)),
        (check_replace, ("a" * 10_000, "a", "b" * 10_000)),
    ],
)
def test_what_gets_too_large_is_refused(check: Any, args: tuple[Any, ...]) -> None:
    with pytest.raises(LimitExceededError):
        check(*args)


def test_shared_parts_count_as_often_as_they_are_written() -> None:
    some: list[Any] = [1] * 1000
    check_value([some] * 10)
    with pytest.raises(LimitExceededError):
        check_value([[some] * 1000] * 1000)


def test_ordinary_work_is_not_refused() -> None:
    check_product(3, 4)
    check_power(2, 64)
    check_replace("abc", "b", "xyz")
    check_value({"a": [1, "x", {"b": None}]})


@pytest.mark.parametrize(
    ("value", "large"),
    [
        ([0] * 10, False),
        ([0] * 11, True),
        ({"a": [0] * 9}, False),
        ({"a": [0] * 10}, True),
        ([["x" * 5], {"k": "x" * 5}], False),
        ([["x" * 6], {"k": "x" * 5}], True),
        ("x" * 11, True),
        (None, False),
        (10**100, False),
    ],
)
def test_a_value_is_large_by_its_parts_or_its_texts(value: object, large: bool) -> None:
    assert is_large(value, 10, 10) is large
