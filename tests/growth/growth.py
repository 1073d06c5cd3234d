"""What a server holds, second by second, and whether it grows: a line through the samples by least squares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

WARM_UP = 0.2
"""The part of the time at its beginning that does not count: caches fill, processes start. It is at least
`LEAST_WARM_UP`."""
LEAST_WARM_UP = 120.0
"""Seconds."""
MEMORY = 3 * 1024 * 1024
"""The most bytes by which the resident memory of one process may grow in the measured time."""


class Sample(NamedTuple):
    """The values of one moment, by name, such as `descriptors of the server`; `at` is in seconds, monotonic."""

    at: float
    values: Mapping[str, float]


class Line(NamedTuple):
    """The line through the samples of one value: its values at the begin and the end of the measured time, and the mean
    distance (root of the mean square) of the samples from it."""

    first: float
    last: float
    noise: float

    @property
    def growth(self) -> float:
        """By how much the value grew, in its own unit."""
        return self.last - self.first


def fit(points: Sequence[tuple[float, float]]) -> Line:
    """Returns the least-squares line through points of different times. Raises `ValueError` for fewer than two."""
    if len(points) < 2:
        raise ValueError(f"{len(points)} points make no line")
    count = len(points)
    mean_at = sum(at for at, _ in points) / count
    mean = sum(value for _, value in points) / count
    spread = sum((at - mean_at) ** 2 for at, _ in points)
    slope = sum((at - mean_at) * (value - mean) for at, value in points) / spread
    noise = (sum((value - mean - slope * (at - mean_at)) ** 2 for at, value in points) / count) ** 0.5
    return Line(mean + slope * (points[0][0] - mean_at), mean + slope * (points[-1][0] - mean_at), noise)


def measured(samples: Sequence[Sample]) -> dict[str, Line]:
    """Returns the line of each value after the warm-up. A value that is missing in more than a tenth of the samples has
    none: its process did not live long enough."""
    begin = samples[0].at + max(LEAST_WARM_UP, WARM_UP * (samples[-1].at - samples[0].at))
    late = [sample for sample in samples if sample.at >= begin]
    points: dict[str, list[tuple[float, float]]] = {}
    for sample in late:
        for name, value in sample.values.items():
            points.setdefault(name, []).append((sample.at, value))
    return {name: fit(found) for name, found in points.items() if len(found) >= 0.9 * len(late)}


def allowed(name: str, line: Line) -> float:
    """Returns by how much a value may grow: memory by `MEMORY`, a count by two and by half of its noise."""
    return MEMORY if name.startswith("memory") else 2 + line.noise / 2


def growing(lines: Mapping[str, Line]) -> list[str]:
    """Returns a sentence for each value that grows by more than it may."""
    return [
        f"{name}: {line.first:,.0f} to {line.last:,.0f}, may grow by {allowed(name, line):,.0f}"
        f" (noise {line.noise:,.1f})"
        for name, line in lines.items()
        if line.growth > allowed(name, line)
    ]
