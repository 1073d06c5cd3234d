"""The decision of `correlate`, from state to state. Place 0 is the rule's own event, place n the n-th entry."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from squall.core.event.gates.settings import ANY, SEQUENCE

MOST_EVENTS = 32
"""The most events that a group keeps for each place: the newest ones."""


class Arrived(msgspec.Struct, frozen=True, array_like=True):
    """An event of a group: `number` is its order of storing, `at` its time (µs), `places` those that it can take."""

    number: int
    at: int
    instance: str
    places: tuple[int, ...]


class Correlated(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a group: its events in the order of storing, and the number of the event that last completed it."""

    events: tuple[Arrived, ...] = ()
    completed: int = 0


class Progress(msgspec.Struct, frozen=True):
    """The decision about an event. `complete` has one event for each place; it is empty while some are missing, and
    `reason` says which."""

    state: Correlated
    complete: tuple[Arrived, ...] = ()
    reason: str = ""


def correlate(kind: str, places: int, within: int, state: Correlated, event: Arrived, now: int) -> Progress:
    """Adds an event to a group. The events of one `complete` came within a span shorter than `within`.

    An event may take several places, but in a sequence only one. Events of a complete group are used up. If several
    sets would do, the newest events are taken.
    """
    if event.number == state.completed:
        return Progress(state, reason="correlated: this event has completed its group already")
    present = max(now, event.at)
    # A time in the future is from before the clock was set back.
    known = {each.number: each for each in state.events if each.at <= present}
    known[event.number] = event
    newest = max(each.at for each in known.values())
    events = _newest([known[number] for number in sorted(known) if known[number].at > newest - within], places)
    chosen = _sequence(events, places) if kind == SEQUENCE else _chosen(events, places, kind)
    if chosen:
        return Progress(Correlated(completed=event.number), tuple(chosen))
    return Progress(msgspec.structs.replace(state, events=events), reason=_missing(kind, places, events))


def _missing(kind: str, places: int, events: Sequence[Arrived]) -> str:
    """Returns the events for which a group waits, in words. Event 0 is that of the rule's own trigger."""
    reached = {place for each in events for place in each.places}
    missing = [str(place) for place in range(places) if place not in reached]
    if not missing:
        return "correlated: all events came, but not in the order of the list"
    if kind == ANY:
        return f"correlated: waits for event {' or '.join(missing) if 0 in reached else '0'}"
    return f"correlated: waits for event{'s' if len(missing) > 1 else ''} {' and '.join(missing)}"


def _newest(events: Sequence[Arrived], places: int) -> tuple[Arrived, ...]:
    """Returns the events that are among the newest `MOST_EVENTS` of one of their places."""
    room = [MOST_EVENTS] * places
    kept: list[Arrived] = []
    for event in reversed(events):
        if any(room[place] > 0 for place in event.places):
            kept.append(event)
        for place in event.places:
            room[place] -= 1
    return tuple(reversed(kept))


def _chosen(events: Sequence[Arrived], places: int, kind: str) -> list[Arrived]:
    taken: dict[int, Arrived] = {place: event for event in events for place in event.places}
    if kind != ANY:
        return [taken[place] for place in range(places)] if len(taken) == places else []
    others = [event for event in events if any(event.places)]
    return [taken[0], others[-1]] if 0 in taken and others else []


def _sequence(events: Sequence[Arrived], places: int) -> list[Arrived]:
    """Returns the chain of events, one for each place in order, that begins latest; empty if there is none."""
    chains: list[list[Arrived]] = [[] for _ in range(places + 1)]
    for event in events:
        for place in sorted(event.places, reverse=True):
            if place == 0 or chains[place]:
                chains[place + 1] = [*chains[place], event]
    return chains[places]
