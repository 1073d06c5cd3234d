"""Reads traces and adds executions to them. Every execution belongs to one trace."""

from __future__ import annotations

from typing import Any

from squall.core.errors import InvalidError, NotFoundError
from squall.core.execution.execution import Execution
from squall.core.execution.policy import retried
from squall.core.execution.trace import Trace, TraceFilter, execution_part
from squall.ports import Clock, Store, Tx


class Traces:
    """The use cases of traces."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def join(self, tx: Tx, execution: Execution) -> None:
        """Adds a new execution to the trace of its parent or of the execution it retries; else to the trace in its
        context; else to a new trace.

        A tag always begins a new trace, as in StackStorm. Raises `InvalidError` if the context's trace does not exist.
        """
        part = execution_part(execution)
        trace_id, tag = _trace_reference(execution.context)
        origin = execution.parent or retried(execution.context)[0]
        if origin is not None:
            trace_id = await tx.traces.of_execution(origin)
        elif trace_id is not None and not await tx.traces.known(trace_id):
            raise InvalidError(f'context.trace_context.id_: there is no trace "{trace_id}".')
        if trace_id is not None:
            await tx.traces.join(trace_id, part)
            return
        tag = tag if tag is not None else f"execution-{execution.id}"
        await tx.traces.add(Trace(id=self._clock.new_id(), tag=tag, start=execution.start, parts=(part,)))

    async def get(self, trace_id: str) -> Trace:
        """Returns one trace. Raises `NotFoundError`."""
        trace = await self._store.read(lambda tx: tx.traces.get(trace_id))
        if trace is None:
            raise NotFoundError(f'Unable to identify resource with id "{trace_id}".')
        return trace

    async def find(self, where: TraceFilter, limit: int | None, offset: int, cap: int) -> tuple[list[Trace], int]:
        """Returns a page of traces, and the number of matches (at most `cap`)."""

        async def work(tx: Tx) -> tuple[list[Trace], int]:
            return list(await tx.traces.find(where, limit, offset)), await tx.traces.count(where, cap)

        return await self._store.read(work)


def _trace_reference(context: dict[str, Any]) -> tuple[str | None, str | None]:
    """Returns the id and the tag of the trace in a context. Raises `InvalidError`."""
    reference = context.get("trace_context")
    if reference is None:
        return None, None
    if not isinstance(reference, dict):
        raise InvalidError(f"context.trace_context: {reference!r} is not of type 'object'")
    trace_id, tag = reference.get("id_"), reference.get("trace_tag")
    for name, value in (("id_", trace_id), ("trace_tag", tag)):
        if value is not None and not isinstance(value, str):
            raise InvalidError(f"context.trace_context.{name}: {value!r} is not of type 'string'")
    return trace_id or None, tag or None
