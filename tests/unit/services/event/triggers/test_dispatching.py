"""Storing events: once for each source, with a row of their evaluation, within limits."""

from __future__ import annotations

from typing import Any

import pytest
from tests.doubles.reacting import Reacting

from squall.core.errors import InvalidError, TooLargeError
from squall.core.event.rules.records import PENDING, PROCESSING_FAILED, TriggerInstance
from squall.core.execution.trace import TraceFilter
from squall.ports import Tx
from squall.services.event.triggers import dispatching
from squall.services.event.triggers.dispatching import DEEPEST, Event
from squall.services.lanes import RULES

pytestmark = pytest.mark.anyio


async def traces(reacting: Reacting) -> list[str]:
    found = await reacting.squall.store.read(lambda tx: tx.traces.find(TraceFilter(), None, 0))
    return [trace.id for trace in found]


async def test_an_event_is_stored_with_the_row_of_its_evaluation_and_a_hint(reacting: Reacting) -> None:
    await reacting.add_type()
    with reacting.squall.bus.subscribe(RULES) as hints:
        instance = await reacting.dispatch({"n": 1})
        assert await hints.wait(0)
    assert await reacting.stored() == [instance]
    assert (instance.status, instance.number, instance.type, instance.payload) == (PENDING, 1, "p.t", {"n": 1})
    assert await reacting.squall.store.read(lambda tx: tx.queue.holds(RULES, instance.id))
    [event] = await reacting.squall.store.read(lambda tx: tx.events.of("trigger_instance", instance.id))
    assert event.name == "st2.trigger_instance__create"


async def test_an_event_with_the_same_source_is_stored_once(reacting: Reacting) -> None:
    await reacting.add_type()
    first = await reacting.dispatch({"n": 1}, source="timer/7", trace_tag="a")
    again = await reacting.dispatch({"n": 2}, source="timer/7", trace_tag="b")
    other = await reacting.dispatch({"n": 3}, source="timer/8")
    assert again == first
    assert [each.id for each in await reacting.stored()] == [first.id, other.id]
    assert await reacting.waiting() == 2
    assert await traces(reacting) == [first.trace]


async def test_a_repeated_source_adds_nothing_to_an_existing_trace(reacting: Reacting) -> None:
    await reacting.add_type()
    first = await reacting.dispatch(trace_tag="a")
    joined = await reacting.dispatch(trace=first.trace, source="s")
    await reacting.dispatch(trace=first.trace, source="s")
    trace = await reacting.squall.store.read(lambda tx: tx.traces.get(first.trace))
    assert trace is not None
    assert sorted(part.object_id for part in trace.parts) == [first.id, joined.id]


async def test_an_unknown_trace_is_replaced_by_a_new_one(reacting: Reacting) -> None:
    await reacting.add_type()
    instance = await reacting.dispatch(trace="f" * 24)
    assert await traces(reacting) == [instance.trace] != ["f" * 24]


async def test_an_event_below_too_many_rules_is_stored_but_not_evaluated(reacting: Reacting) -> None:
    await reacting.add_type()
    last, too_deep = await reacting.dispatch(depth=DEEPEST), await reacting.dispatch(depth=DEEPEST + 1)
    assert (last.status, too_deep.status) == (PENDING, PROCESSING_FAILED)
    assert "a loop is likely" in too_deep.reason
    assert await reacting.waiting() == 1


async def test_a_rule_that_fires_itself_ends(reacting: Reacting) -> None:
    await reacting.add_type()
    await reacting.add_rule("loop")
    await reacting.dispatch()
    for depth in range(1, DEEPEST + 2):
        await reacting.evaluate()
        [*_, execution] = await reacting.executions()
        assert execution.context["trace_context"]["depth"] == depth
        trace = execution.context["trace_context"]
        await reacting.dispatch(depth=trace["depth"], trace=trace["id_"])
    assert await reacting.evaluate() == 0
    assert len(await reacting.executions()) == DEEPEST + 1
    assert len(await traces(reacting)) == 1


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ("x" * 100, TooLargeError),
        ([["x" * 60], "x" * 60], TooLargeError),
        ("[" * 201, InvalidError),
        ("{" * 201, InvalidError),
    ],
)
async def test_a_payload_that_is_too_large_or_too_deep_is_refused(
    reacting: Reacting, monkeypatch: pytest.MonkeyPatch, payload: Any, error: type[Exception]
) -> None:
    await reacting.add_type()
    monkeypatch.setattr(dispatching, "LARGEST", 100)
    if payload in ("[" * 201, "{" * 201):
        nested: Any = None
        for _ in range(201):
            nested = [nested] if payload[0] == "[" else {"a": nested}
        payload = nested
    with pytest.raises(error, match="payload"):
        await reacting.dispatch(payload)
    assert await reacting.stored() == []


async def test_a_payload_must_fit_the_schema_of_its_type(reacting: Reacting) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    await reacting.add_type("p.s", payload_schema=schema)
    assert (await reacting.dispatch({"n": 1}, "p.s")).payload == {"n": 1}
    with pytest.raises(InvalidError, match=r'not dispatching a trigger "p\.s"'):
        await reacting.dispatch({"n": "one"}, "p.s")


async def test_an_event_of_an_unknown_trigger_is_refused(reacting: Reacting) -> None:
    with pytest.raises(InvalidError, match=r'Trigger type with reference "p\.none" doesn\'t exist'):
        await reacting.dispatch(trigger="p.none")


async def test_an_event_names_its_trigger_by_type_and_parameters(reacting: Reacting) -> None:
    url = {"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]}
    await reacting.add_type("core.st2.webhook", parameters_schema=url)
    trigger = await reacting.triggers.put({"type": "core.st2.webhook", "parameters": {"url": "push"}})
    for written in ("push", "/push/"):
        instance = await reacting.dispatch({"body": {}}, "core.st2.webhook", parameters={"url": written})
        assert instance.trigger == trigger.ref
    assert (await reacting.dispatch({"body": {}}, trigger.ref)).type == "core.st2.webhook"


async def test_what_belongs_to_an_event_is_written_with_it_or_not_at_all(reacting: Reacting) -> None:
    await reacting.add_type()

    async def also(tx: Tx, instance: TriggerInstance) -> None:
        raise LookupError(instance.id)

    with pytest.raises(LookupError):
        await reacting.dispatching.dispatch(Event(trigger="p.t", payload={}, trace_tag="x"), also)
    assert (await reacting.stored(), await traces(reacting), await reacting.waiting()) == ([], [], 0)


async def test_a_trace_with_a_late_tag_begins_with_the_first_match(reacting: Reacting) -> None:
    await reacting.add_type()
    await reacting.add_rule("odd", criteria={"trigger.odd": {"type": "eq", "pattern": True}})
    await reacting.dispatch({"odd": False}, late_tag="webhook-a")
    matched = await reacting.dispatch({"odd": True}, late_tag="webhook-b")
    await reacting.evaluate()
    [trace] = await reacting.squall.store.read(lambda tx: tx.traces.find(TraceFilter(), None, 0))
    assert (trace.tag, trace.id) == ("webhook-b", (await reacting.instances.get(matched.id)).trace)


async def test_an_event_of_a_type_with_parameters_is_refused_with_what_has_events(reacting: Reacting) -> None:
    await reacting.add_type("p.hook", parameters_schema={"type": "object", "properties": {"url": {"type": "string"}}})
    with pytest.raises(InvalidError, match=r'"p\.hook" is a trigger type with parameters'):
        await reacting.dispatch(trigger="p.hook")
