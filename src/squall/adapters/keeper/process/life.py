"""The life of a child: its states, and the state that each event leads to. Standard library only.

    STARTING ── STARTED ──► RUNNING ── EXITED ──► LINGERING ── STORED ──► ENDED
       │ STOP                  │ STOP                 │ STOP                ▲
       ▼                       ▼                      ▼                     │ STORED
    CALLED_OFF ─ STARTED ─► STOPPING ─ EXITED ──► SWEEPING ─ NOTHING_LEFT ► GONE

A start that fails leads to GONE. Stopping what is being stopped changes nothing.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final


class State(Enum):
    """Where a child is in its life."""

    STARTING = auto()
    """It is to be started; a fork server may have been asked for it."""
    CALLED_OFF = auto()
    """It is to be started, and to be stopped as soon as it is there."""
    RUNNING = auto()
    """Its first process lives."""
    STOPPING = auto()
    """Its first process lives, and all of its processes are being ended."""
    LINGERING = auto()
    """Its first process has exited; others may hold its pipes open, and what they print for a short time counts."""
    SWEEPING = auto()
    """Its first process has exited; all that is left of it is being ended."""
    GONE = auto()
    """Nothing of it is left but output that is not stored yet."""
    ENDED = auto()
    """All that it has printed is stored, and its end has been told."""


class Event(Enum):
    """What happens to a child."""

    STARTED = auto()
    """Its process is there."""
    FAILED = auto()
    """It could not be started."""
    STOP = auto()
    """It is to end: canceled, out of time, or beyond its output limit."""
    EXITED = auto()
    """Its first process has exited, and was waited for."""
    NOTHING_LEFT = auto()
    """None of its processes lives, or those that do are given up."""
    STORED = auto()
    """All that it has printed is stored."""


TRANSITIONS: Final[dict[State, dict[Event, State]]] = {
    State.STARTING: {
        Event.STARTED: State.RUNNING,
        Event.FAILED: State.GONE,
        Event.STOP: State.CALLED_OFF,
    },
    State.CALLED_OFF: {
        Event.STARTED: State.STOPPING,
        Event.FAILED: State.GONE,
        Event.STOP: State.CALLED_OFF,
    },
    State.RUNNING: {Event.STOP: State.STOPPING, Event.EXITED: State.LINGERING},
    State.STOPPING: {Event.STOP: State.STOPPING, Event.EXITED: State.SWEEPING},
    State.LINGERING: {Event.STOP: State.SWEEPING, Event.STORED: State.ENDED},
    State.SWEEPING: {Event.STOP: State.SWEEPING, Event.NOTHING_LEFT: State.GONE},
    State.GONE: {Event.STOP: State.GONE, Event.STORED: State.ENDED},
    State.ENDED: {},
}
LIVING: Final = frozenset({State.RUNNING, State.STOPPING})
"""The states in which the first process lives."""


class IllegalEventError(RuntimeError):
    """A defect of the keeper: an event that cannot happen in this state."""


def after(state: State, event: Event) -> State:
    """Returns the state that an event leads to. Raises `IllegalEventError`."""
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise IllegalEventError(f"the event {event.name} cannot happen to a child that is {state.name}") from None


def possible(state: State, event: Event) -> bool:
    """Returns whether an event can happen in a state."""
    return event in TRANSITIONS[state]
