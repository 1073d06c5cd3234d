"""The line through samples: growth is found in noise, and noise alone is no growth."""

from __future__ import annotations

import random

import pytest
from tests.growth.growth import MEMORY, Sample, fit, growing, measured

MIB = 1024 * 1024
SECONDS = 600


def samples(name: str, growth: float, noise: float = 0.0, level: float = 100.0) -> list[Sample]:
    """Samples of a value that grows by `growth` after the warm-up, with noise from a fixed seed."""
    rng = random.Random(1)
    return [
        Sample(at, {name: level + growth * at / SECONDS / 0.8 + rng.uniform(-noise, noise)})
        for at in range(SECONDS + 1)
    ]


def test_a_line_through_points_of_a_line_is_that_line() -> None:
    line = fit([(at, 3.0 + 2 * at) for at in range(1, 11)])
    assert (line.first, line.last, line.growth) == pytest.approx((5, 23, 18))
    assert line.noise == pytest.approx(0, abs=1e-9)


def test_one_point_makes_no_line() -> None:
    with pytest.raises(ValueError, match="1 points make no line"):
        fit([(0.0, 1.0)])


def test_growth_of_memory_by_more_than_three_mib_is_told() -> None:
    name = "memory of the server 7"
    assert growing(measured(samples(name, 1.5 * MEMORY, noise=2 * MIB, level=80 * MIB)))
    assert not growing(measured(samples(name, 0.5 * MEMORY, noise=2 * MIB, level=80 * MIB)))


def test_one_lost_descriptor_in_two_minutes_is_told_beside_descriptors_that_come_and_go() -> None:
    [text] = growing(measured(samples("descriptors of the server 7", growth=5, noise=3)))
    assert text.startswith("descriptors of the server 7: 101 to 107, may grow by 3")
    assert not growing(measured(samples("descriptors of the server 7", growth=0, noise=3)))


def test_what_grows_in_the_warm_up_only_is_no_growth() -> None:
    filling = [Sample(at, {"threads of the server 7": float(min(at, 120))}) for at in range(SECONDS)]
    assert not growing(measured(filling))


def test_a_process_that_lived_for_a_part_of_the_time_has_no_line() -> None:
    some = [Sample(at, {"threads of an evaluator 8": 1.0} if at > 300 else {}) for at in range(SECONDS)]
    assert measured(some) == {}
