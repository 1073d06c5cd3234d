"""The documents of held matches."""

from __future__ import annotations

from squall.core.event.gates.records import HeldMatch, held_document
from squall.testing.samples import NOON


def test_a_held_match_shows_its_event_and_those_of_a_correlation() -> None:
    held = HeldMatch(id="h", rule="r1", rule_ref="p.r", instance="i", held_at=NOON)
    shown = held_document(held)
    assert (shown["id"], shown["rule"], shown["trigger_instance_id"]) == ("h", "p.r", "i")
    assert "events" not in shown
    several = HeldMatch(id="h", rule="r1", rule_ref="p.r", instance="i", events=["a", "i"], held_at=NOON)
    assert held_document(several)["events"] == ["a", "i"]
