"""Facts as bytes."""

from __future__ import annotations

import msgspec
import pytest

from squall.core.workflow.conducting.facts import (
    AnyFact,
    ItemChanged,
    Staged,
    StatusChanged,
    decode_facts,
    encode_facts,
)


def test_facts_are_small() -> None:
    assert len(encode_facts([ItemChanged(3, 17, "running")])) < 20


def test_facts_come_back_as_they_were() -> None:
    facts: list[AnyFact] = [StatusChanged("running"), Staged("a", 0, 1, {"b__t0": 2}, True, 1.5)]
    assert decode_facts(encode_facts(facts)) == facts


def test_what_is_no_fact_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_facts(msgspec.msgpack.encode([["zz", 1]]))
