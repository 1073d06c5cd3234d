"""The events that a client of an event stream gets for one row of the event table."""

from __future__ import annotations

from typing import NamedTuple

from squall.api.output.forms.frames import event_frame, frame
from squall.api.output.tails import StreamSources
from squall.core.errors import NotFoundError
from squall.core.event import events
from squall.core.event.events import Event
from squall.core.execution.execution import FINAL, as_of

LIVEACTION = {
    events.EXECUTION_CREATE: events.LIVEACTION_CREATE,
    events.EXECUTION_UPDATE: events.LIVEACTION_UPDATE,
}
"""The event of the liveaction that clients get before an event of its execution."""


class Filter(NamedTuple):
    """The events that a client wants: names, and of executions which. Empty sets of actions and executions hold all."""

    patterns: tuple[str, ...]
    actions: frozenset[str] = frozenset()
    executions: frozenset[str] = frozenset()

    def wants(self, name: str) -> bool:
        """Whether the client wants events of this name."""
        return events.matches(name, self.patterns)

    def holds(self, execution_id: str, action: str) -> bool:
        """Whether the execution is one of those the client wants."""
        if self.executions and execution_id not in self.executions:
            return False
        return not self.actions or action in self.actions

    def holds_document(self, kind: str) -> bool:
        """Whether the client wants documents of a kind other than executions. An announcement is for everybody; a
        filter on executions or actions drops every other kind."""
        return kind == events.ANNOUNCEMENT or not (self.actions or self.executions)


class Changes:
    """Builds the events of rows, by the row's kind."""

    def __init__(self, sources: StreamSources) -> None:
        self._executions = sources.executions
        self._feeds = sources.feeds
        self._views = sources.views

    async def frames(self, wanted: Filter, event: Event) -> list[bytes]:
        """Returns those events of one row that are wanted, without ids: none, one, or for an execution two, the
        liveaction's first. A row that refers to a resource that is gone has none."""
        if event.kind == events.EXECUTION:
            return await self._of_execution(wanted, event)
        if not wanted.wants(event.name) or not wanted.holds_document(event.kind):
            return []
        document = await self._feeds.document(event.id)
        return [frame(event.name, document)] if document else []

    async def _of_execution(self, wanted: Filter, event: Event) -> list[bytes]:
        liveaction = LIVEACTION.get(event.name, "")
        if not wanted.wants(event.name) and not wanted.wants(liveaction):
            return []
        try:
            execution = await self._executions.get(event.resource, event.status in FINAL)
        except NotFoundError:
            return []
        if not wanted.holds(execution.id, execution.action):
            return []
        then = as_of(execution, event.status)
        frames = []
        # Liveaction events carry no execution's id, so a filter on executions drops them, as StackStorm's does.
        if wanted.wants(liveaction) and not wanted.executions:
            frames.append(event_frame(liveaction, self._views.liveaction(then)))
        if wanted.wants(event.name):
            frames.append(event_frame(event.name, await self._views.execution(then)))
        return frames
