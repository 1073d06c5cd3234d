"""The decisions of `throttle`, from state to state. Times are in µs; `now` is the server's clock, which people may set
back.

`first` and `last` limit how often a rule fires, so they go by the clock. `count` asks how close events are to each
other, so it goes by the times of the events.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """The match that fires at `due`. `instance` and `number` are those of its event, `events` the instances of a
    correlation; `count` is the number of matches since the span began."""

    instance: str
    number: int
    events: list[str] = []
    due: int
    count: int = 1


class Fires(NamedTuple):
    """A decision: the rule fires, or `reason` says why not."""

    fires: bool
    reason: str = ""


def first(start: int | None, within: int, now: int) -> tuple[int, Fires]:
    """Decides for mode `first`. `start` is when the rule last fired, None if it never did. Returns the next state.

    If the clock was set back behind `start`, the rule is quiet for one more span from now.
    """
    if start is None or now >= start + within:
        return now, Fires(True)
    begin = min(start, now)
    return begin, Fires(False, f"throttled: it fired already; it is quiet for {_seconds(begin + within - now)} more")


def last(waiting: Waiting | None, match: Waiting, within: int, now: int) -> Waiting:
    """Returns the next state of mode `last`: the newest match waits until the span of the first one is over.

    If the clock was set back, it waits for one span from now at most.
    """
    latest = now + within
    if waiting is None:
        return msgspec.structs.replace(match, due=latest)
    due = min(waiting.due, latest)
    if match.number == waiting.number:
        return msgspec.structs.replace(waiting, due=due)
    newest = match if match.number > waiting.number else waiting
    return msgspec.structs.replace(newest, due=due, count=waiting.count + 1)


Counted = list[tuple[int, int]]
"""The state of mode `count`: number and time of each counted event, by time."""


def nth(counted: Counted, number: int, at: int, count: int, within: int, now: int) -> tuple[Counted, Fires]:
    """Decides for mode `count`: the rule fires for an event that is one of `count` within a span shorter than `within`.
    Then it counts anew. Returns the next state."""
    present = max(now, at)
    # A time in the future is from before the clock was set back.
    known = {each: time for each, time in counted if time <= present}
    known[number] = at
    newest = max(known.values())
    kept = sorted(((each, time) for each, time in known.items() if time > newest - within), key=_by_time)
    if len(kept) >= count:
        return [], Fires(True)
    return kept, Fires(False, f"throttled: {len(kept)} of {count} events within {_seconds(within)}")


def _by_time(event: tuple[int, int]) -> tuple[int, int]:
    return event[1], event[0]


def _seconds(microseconds: int) -> str:
    return f"{max(microseconds, 0) / 1_000_000:g} s"
