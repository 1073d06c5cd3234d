"""The life cycle of a child: its states, and the state after each event. Standard library only.

    STARTING ── STARTED ──► RUNNING ── EXITED ──► LINGERING ── STORED ──► ENDED
       │ STOP                  │ STOP                 │ STOP                ▲
       ▼                       ▼                      ▼                     │ STORED
    CALLED_OFF ─ STARTED ─► STOPPING ─ EXITED ──► SWEEPING ─ NOTHING_LEFT ► GONE

A start that fails leads to GONE. A second STOP changes nothing.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final


class State(Enum):
    """The state of a child."""

    STARTING = auto()
    """The start is in progress; a fork server may have its request."""
    CALLED_OFF = auto()
    """The start is in progress; the child will be stopped as soon as its process exists."""
    RUNNING = auto()
    """Its first process lives."""
    STOPPING = auto()
    """Its first process lives, and the keeper is ending all its processes."""
    LINGERING = auto()
    """Its first process has exited. Other processes may hold its pipes open; their output counts for a short time."""
    SWEEPING = auto()
    """Its first process has exited, and the keeper is ending the other ones."""
    GONE = auto()
    """All its processes have ended; some of its output may not be stored yet."""
    ENDED = auto()
    """All its output is stored, and its end has been reported."""


class Event(Enum):
    """An event in the life of a child."""

    STARTED = auto()
    """Its process exists."""
    FAILED = auto()
    """Its process could not be started."""
    STOP = auto()
    """It must end: it was canceled, timed out, or exceeded its output limit."""
    EXITED = auto()
    """Its first process has exited, and the keeper has reaped it."""
    NOTHING_LEFT = auto()
    """None of its processes lives, or the keeper gave up on those that do."""
    STORED = auto()
    """All its output is stored."""


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
    """An event that cannot happen in this state: a defect of the keeper."""


def after(state: State, event: Event) -> State:
    """Returns the state after an event. Raises `IllegalEventError` if the event cannot happen in `state`."""
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise IllegalEventError(f"the event {event.name} cannot happen to a child that is {state.name}") from None


def possible(state: State, event: Event) -> bool:
    """Returns True if an event can happen in a state."""
    return event in TRANSITIONS[state]
