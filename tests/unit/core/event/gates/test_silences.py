"""Silences: what a body must say, and which events a silence covers."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.content.metadata_words import MetadataError
from squall.core.event.gates.silences import LONGEST, MOST_LONG, covers, document, first_over, make_silence
from squall.core.event.rules.reading import make_rule
from squall.core.timestamp import to_iso
from squall.testing.samples import NOON

RULE = make_rule({"name": "r", "pack": "p", "trigger": {"type": "p.t"}, "action": {"ref": "core.noop"}})
BODY = {"rule": "p.r", "reason": "works", "until": "2h"}


def silence(**changes: Any) -> Any:
    """A silence with these changes of its body."""
    return make_silence({**BODY, **changes}, "s1", "ada", NOON)


def test_the_end_is_a_time_or_a_span_from_now() -> None:
    assert silence().until == NOON + 7_200_000_000
    assert silence(until=to_iso(NOON + 5_000_000)).until == NOON + 5_000_000
    assert silence(until=to_iso(NOON + LONGEST)).until == NOON + LONGEST


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"rule": None}, "exactly one of rule, pack, trigger"),
        ({"pack": "p"}, "exactly one of rule, pack, trigger"),
        ({"reason": "  "}, "reason: 'reason' is a required property"),
        ({"reason": "x" * 1001}, "reason: a reason has at most 1000"),
        ({"until": None}, "until: 'until' is a required property"),
        ({"until": "soon"}, "until"),
        ({"until": "367d"}, "until: '367d' is not within the next 366 days"),
        ({"until": to_iso(NOON)}, "is not within the next 366 days"),
        ({"rule": "p.\n"}, "rule: "),
        ({"why": "x"}, "why"),
        ({"criteria": {"trigger.a": {"type": "eq", "pattern": "{{ x }}"}}}, "criteria.trigger.a.pattern: the pattern"),
        ({"criteria": {"trigger.a": {"type": "equal"}}}, "criteria.trigger.a.type"),
        (
            {"criteria": {"trigger.a": {"type": "search", "condition": "any", "pattern": {}}}},
            'a silence cannot use "search"',
        ),
        ({"criteria": {f"trigger.a{n}": {"type": "exists"} for n in range(21)}}, "at most 20 criteria"),
    ],
)
def test_a_fault_names_the_field_and_what_is_allowed(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(MetadataError) as error:
        silence(**changes)
    assert fault in str(error.value)


def test_a_silence_covers_the_events_that_meet_its_criteria() -> None:
    narrow = silence(criteria={"trigger.host": {"type": "startswith", "pattern": "db"}})
    assert covers(silence(), RULE, {}, NOON)
    assert covers(narrow, RULE, {"host": "db1"}, NOON)
    assert not covers(narrow, RULE, {"host": "web"}, NOON)
    assert not covers(narrow, RULE, {}, NOON)


def test_only_a_few_silences_that_take_long_are_compared() -> None:
    body = {"trigger..*": {"type": "eq", "pattern": 1}, "trigger..x": {"type": "nexists"}}
    payload = {"first": 1, "list": [[0]] * 20_000}
    long = [silence(criteria={**body, "trigger.no": {"type": "exists"}}) for _ in range(MOST_LONG)]
    fits = silence(criteria=body)
    brief = silence(criteria={"trigger.first": {"type": "eq", "pattern": 1}})
    assert covers(fits, RULE, payload, NOON)
    assert first_over([*long[1:], fits], RULE, payload, NOON) == fits
    assert first_over([*long, fits], RULE, payload, NOON) is None
    assert first_over([*long, fits, brief], RULE, payload, NOON) == brief


def test_a_silence_whose_expression_would_take_very_long_covers_nothing() -> None:
    endless = silence(criteria={"trigger.t": {"type": "regex", "pattern": "[ab]*a[ab]{900}"}})
    assert covers(endless, RULE, {"t": "a" * 1_000}, NOON)
    assert first_over([endless], RULE, {"t": "a" * 1_000_000}, NOON) is None


def test_a_document_can_be_sent_back() -> None:
    shown = document(silence())
    assert (shown["rule"], shown["author"], shown["count"]) == ("p.r", "ada", 0)
    assert make_silence(shown, "s2", "bob", NOON).reason == "works"
