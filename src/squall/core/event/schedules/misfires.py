"""Decides about the fires since a server last looked: which happen, and why others do not."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from squall.core.event.schedules.fire import SECOND, Fire
from squall.core.event.schedules.lateness import Policy
from squall.core.event.schedules.schedule import Schedule, fires_between, last_fire

ON_TIME = 10 * SECOND
"""A fire that is not later than this (µs) is on time: it happens under every policy."""

MOST_SINGLE = 500
"""The missed fires that are listed one by one; later ones of the same call are one record for each reason."""


class Missed(msgspec.Struct, frozen=True):
    """A fire that does not happen, at its nominal time `at` (µs since 1970), and why.

    If `last` is later than `at`, the record stands for all fires from `at` to `last`.
    """

    at: int
    last: int
    reason: str


class Due(msgspec.Struct, frozen=True):
    """The fires of an interval: those that happen, and those that do not, both in their order.

    `until` (µs since 1970) is the time up to which all fires are decided: the `last` of the next call.
    """

    happens: tuple[Fire, ...]
    missed: tuple[Missed, ...]
    until: int


def due(schedule: Schedule, policy: Policy, last: int, now: int) -> Due:
    """Decides about all fires after `last` and not after `now` (µs since 1970): each happens or is missed.

    `last` is the `until` of the call before. It never decreases, also if the clock goes back, so no fire happens twice.
    """
    if now <= last:
        return Due((), (), last)
    late_until = max(last, now - ON_TIME - 1)
    oldest = max(last, now - policy.window - 1)
    on_time = tuple(fires_between(schedule, late_until, now))
    most = {"skip": 0, "once": 1 - min(len(on_time), 1), "all": max(policy.most - len(on_time), 0)}[policy.misfire]
    late = tuple(reversed(list(_newest(schedule, min(oldest, late_until), late_until, most))))
    happens = (*late, *on_time)
    missed_until = late[0].at - 1 if late else late_until
    return Due(happens, tuple(_missed(schedule, policy, last, missed_until, oldest, happens)), now)


def _newest(schedule: Schedule, after: int, until: int, most: int) -> Iterator[Fire]:
    span = SECOND
    for _ in range(most):
        each = last_fire(schedule, after, until, span)
        if each is None:
            return
        yield each
        span = max(until - each.at + 1, SECOND)
        until = each.at - 1


def _missed(
    schedule: Schedule, policy: Policy, last: int, until: int, oldest: int, happens: tuple[Fire, ...]
) -> Iterator[Missed]:
    for count, each in enumerate(fires_between(schedule, last, until)):
        if count == MOST_SINGLE:
            yield from _together(schedule, policy, each.at - 1, min(oldest, until), oldest, happens)
            yield from _together(schedule, policy, max(each.at - 1, oldest), until, oldest, happens)
            return
        yield Missed(each.at, each.at, _reason(policy, each.at, oldest, happens))


def _together(
    schedule: Schedule, policy: Policy, last: int, until: int, oldest: int, happens: tuple[Fire, ...]
) -> Iterator[Missed]:
    first = next(fires_between(schedule, last, until), None)
    if first is not None:
        final = last_fire(schedule, first.at, until) or first
        reason = _reason(policy, first.at, oldest, happens)
        yield Missed(first.at, final.at, f"{reason} This stands for all fires behind the first {MOST_SINGLE}.")


def _reason(policy: Policy, at: int, oldest: int, happens: tuple[Fire, ...]) -> str:
    if at <= oldest:
        return f"The server missed it, and it is older than the misfire window of {policy.window // SECOND} s."
    if policy.misfire == "skip" or not happens:
        return f"The server missed it, and the misfire policy is {policy.misfire}."
    if policy.misfire == "once":
        return f"The server missed it, and the fire of {happens[0].local} stands for it (misfire once)."
    return f"The server missed it, and only the newest {policy.most} fires happen (misfire all)."
