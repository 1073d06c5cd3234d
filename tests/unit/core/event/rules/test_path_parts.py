"""The budget of steps, and the weight of values that operators compare. `test_paths.py` has the parts themselves."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.event.rules.path_parts import Steps, StepsError


def spent(value: Any) -> int:
    """Returns the smallest budget in which a value can be compared."""
    for most in range(100):
        try:
            Steps(most).spend_on(value)
        except StepsError:
            continue
        return most
    raise AssertionError("more than 100 steps")


@pytest.mark.parametrize(
    ("value", "steps"),
    [
        (None, 0),
        (5, 0),
        ("x" * 255, 0),
        ("x" * 2560, 10),
        ([], 1),
        ([1, 2, 3], 4),
        ({"a": {"b": 1}, "c": "x" * 512}, 3 + 2 + 2),
        ([[[]]], 5),
    ],
)
def test_a_value_weighs_what_it_costs_to_compare(value: Any, steps: int) -> None:
    assert spent(value) == steps


def test_steps_end() -> None:
    steps = Steps(2)
    steps.spend(2)
    with pytest.raises(StepsError):
        steps.spend(1)
