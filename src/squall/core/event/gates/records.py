"""The records of rules over time as the store has them: states of groups, and held matches."""

from __future__ import annotations

from typing import Any

import msgspec

from squall.core.timestamp import to_iso

THROTTLE = "throttle"
CORRELATE = "correlate"
ABSENT = "absent"
FIRING = "firing"
GATES = (THROTTLE, CORRELATE, ABSENT, FIRING)
"""What a state belongs to: one of the keys of a rule, or a complete correlation that is about to fire."""

MOST_STATES = 1_000
"""The most groups of one rule for which a throttle or a correlation keeps a state."""

MOST_HELD = 1_000
"""The most matches of one rule that are held."""


class GateState(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one group of a rule: `gate` is one of `GATES`, `body` its JSON. At `until` (µs; 0: never) the state
    loses its meaning; `touched` (µs) is its last change."""

    id: str
    rule: str
    gate: str
    key: str
    until: int = 0
    touched: int
    body: bytes


class Firing(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a state `firing`: the instance that completed a correlation, and those of all places."""

    instance: str
    events: list[str]


class HeldMatch(msgspec.Struct, frozen=True, kw_only=True):
    """A match that waits for a person. `instance` is that of its event, `events` are those of a correlation."""

    id: str
    rule: str
    rule_ref: str
    instance: str
    events: list[str] = []
    held_at: int


def held_document(held: HeldMatch) -> dict[str, Any]:
    """Returns a held match as the API shows it."""
    events = {"events": held.events} if held.events else {}
    return {
        "id": held.id,
        "rule": held.rule_ref,
        "trigger_instance_id": held.instance,
        **events,
        "held_at": to_iso(held.held_at),
    }
