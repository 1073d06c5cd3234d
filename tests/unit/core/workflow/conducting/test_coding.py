"""A workflow's state as bytes."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.core.workflow.conducting.staging import Stage

from squall.core.workflow.conducting.facts import ContextAdded, decode_facts, encode_facts
from squall.core.workflow.conducting.snapshots import restored, snapshot


@pytest.mark.parametrize("number", [1, 2**63, 2**64, -(2**63) - 1, 2**128])
def test_a_number_of_any_width_comes_back_from_the_facts(number: int) -> None:
    facts: list[Any] = [ContextAdded({"serial": number}, 3)]
    assert decode_facts(encode_facts(facts)) == facts


def test_a_snapshot_keeps_wide_numbers_and_everything_else() -> None:
    text = (
        "version: 1.0\ntasks:\n  a: {with: 'x in <% [1, 2] %>', action: core.noop, "
        "next: [{publish: ['n': '{{ 2 ** 128 }}'], do: b}]}\n  b: {action: core.noop}\noutput: [{n: <% ctx().n %>}]\n"
    )
    stage = Stage(text)
    stage.end("a", item=0, result={"n": 2**70})
    stage.end("a", item=1)
    state = restored(stage.graph, snapshot(stage.state))
    assert snapshot(state) == snapshot(stage.state)
    assert state.items == stage.state.items
    assert snapshot(stage.replayed()) == snapshot(state)
    stage.end("b")
    assert stage.conductor.result() == {"output": {"n": 2**128}}


def test_an_error_with_a_wide_number_is_listed_once() -> None:
    stage = Stage("version: 1.0\ntasks:\n  a: {action: core.noop}\n")
    stage.end("a", "failed", {"serial": 2**128})
    assert [error["result"] for error in stage.state.errors] == [{"serial": 2**128}]
