"""Traces: every execution is part of one."""

from __future__ import annotations

from typing import Any

import pytest
from tests.doubles.assembly import Assembly

from squall.core.errors import InvalidError, NotFoundError
from squall.core.execution.execution import Execution
from squall.core.execution.trace import Trace, TraceFilter

pytestmark = pytest.mark.anyio


async def find(squall: Assembly, **where: Any) -> list[Trace]:
    return (await squall.traces.find(TraceFilter(**where), None, 0, 100))[0]


async def trace_of(squall: Assembly, execution: Execution) -> Trace:
    (found,) = await find(squall, execution=execution.id)
    return found


async def test_an_execution_begins_a_trace_of_its_own(squall: Assembly) -> None:
    made = await squall.request()
    trace = await trace_of(squall, made)
    assert (trace.tag, trace.start) == (f"execution-{made.id}", made.start)
    assert [(part.object_id, part.ref, part.cause_id) for part in trace.parts] == [(made.id, "core.local", "")]
    assert await squall.traces.get(trace.id) == trace


async def test_a_tag_names_a_new_trace_each_time(squall: Assembly) -> None:
    made = [await squall.request(context={"trace_context": {"trace_tag": "mine"}}) for _ in range(2)]
    found = await find(squall, tag="mine", newest_first=False)
    assert [[part.object_id for part in trace.parts] for trace in found] == [[execution.id] for execution in made]


async def test_an_execution_joins_the_trace_whose_id_it_names(squall: Assembly) -> None:
    first = await squall.request()
    trace = await trace_of(squall, first)
    second = await squall.request(context={"trace_context": {"id_": trace.id}})
    assert {part.object_id for part in (await squall.traces.get(trace.id)).parts} == {first.id, second.id}


async def test_children_are_part_of_their_parents_trace_and_caused_by_it(squall: Assembly) -> None:
    parent = await squall.request(context={"trace_context": {"trace_tag": "mine"}})
    context = {"parent": {"execution_id": parent.id}, "trace_context": {"trace_tag": "mine"}}
    child = await squall.request(context=context)
    trace = await trace_of(squall, child)
    part = next(part for part in trace.parts if part.object_id == child.id)
    assert (part.cause_kind, part.cause_id) == ("action_execution", parent.id)
    assert len(await find(squall)) == 1


async def test_what_is_run_again_stays_in_its_trace(squall: Assembly) -> None:
    first = await squall.request()
    again = await squall.executions.re_run(first.id, {}, None, None)
    trace = await trace_of(squall, first)
    assert again.context["trace_context"] == {"id_": trace.id}
    assert {part.object_id for part in trace.parts} == {first.id, again.id}


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ({"id_": "0" * 24}, "context.trace_context.id_: there is no trace"),
        ({"id_": 7}, "context.trace_context.id_: 7 is not of type 'string'"),
        ({"trace_tag": []}, "context.trace_context.trace_tag"),
        ("x", "context.trace_context: 'x' is not of type 'object'"),
    ],
)
async def test_a_wrong_trace_refuses_the_execution(squall: Assembly, named: Any, told: str) -> None:
    with pytest.raises(InvalidError) as caught:
        await squall.request(context={"trace_context": named})
    assert told in str(caught.value)
    assert await find(squall) == []
    assert (await squall.store.read(lambda tx: tx.queue.depths())) == {}


async def test_a_trace_goes_with_the_last_of_its_executions(squall: Assembly) -> None:
    first = await squall.request()
    again = await squall.executions.re_run(first.id, {}, None, None)
    trace = await trace_of(squall, first)
    await squall.store.tx(lambda tx: tx.retention.purge([first.id]))
    assert [part.object_id for part in (await squall.traces.get(trace.id)).parts] == [again.id]
    await squall.store.tx(lambda tx: tx.retention.purge([again.id]))
    with pytest.raises(NotFoundError):
        await squall.traces.get(trace.id)
