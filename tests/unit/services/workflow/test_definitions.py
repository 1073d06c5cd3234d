"""Definitions: kept by hash, inspected against the registered actions."""

from __future__ import annotations

import pytest
from tests.doubles.assembly import Assembly
from tests.unit.services.flows import Flows

from squall.core.errors import InvalidError
from squall.services.workflow.definitions import key_of

pytestmark = pytest.mark.anyio


async def test_actions_are_looked_up_for_inspection(squall: Assembly) -> None:
    definitions = Flows(squall).definitions
    text = "version: 1.0\ntasks:\n  a: {action: core.greet}\n  b: {action: core.noop}\n  c: {action: no.such}\n"
    assert [each["message"] for each in await definitions.inspect(text)] == [
        'Action "core.greet" is missing required input "who".',
        'The action "no.such" is not registered in the database.',
    ]


async def test_a_graph_is_read_once(squall: Assembly) -> None:
    definitions = Flows(squall).definitions
    text = "version: 1.0\ntasks:\n  a: {action: core.noop}\n"
    key, graph = definitions.read(text)
    assert key == key_of(text)
    assert await definitions.graph(key) is graph
    with pytest.raises(InvalidError, match="is gone"):
        await definitions.graph("nosuch")
