"""The decision of `absent`, from state to state: a rule fires if no event comes for a time."""

from __future__ import annotations

import msgspec


class Absence(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a rule with `absent`. `since` (µs) is the time of the last event, whose instance is `instance`, or
    when the rule was enabled. `due` is when it fires. After it `fired`, it waits for the next event."""

    since: int
    due: int
    instance: str = ""
    fired: bool = False


def begun(within: int, now: int) -> Absence:
    """Returns the state of a rule that is enabled now."""
    return Absence(since=now, due=now + within)


def came(state: Absence | None, instance: str, at: int, within: int, now: int) -> Absence:
    """Returns the state after an event of the time `at`. Each event pushes `due` out; a late one pulls nothing in."""
    at = min(at, now)
    # A time in the future is from before the clock was set back.
    if state is not None and at < state.since <= now:
        return state
    if state is not None and state.instance == instance:
        return state
    return Absence(since=at, due=at + within, instance=instance)
