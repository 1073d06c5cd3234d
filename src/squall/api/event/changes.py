"""The events that a client of an event stream gets for one row of the event table."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from squall.api.output.forms.frames import event_frame, frame
from squall.api.output.tails import StreamSources
from squall.core.errors import NotFoundError
from squall.core.event import events
from squall.core.event.events import Event
from squall.core.event.rules.changes import instance_document
from squall.core.execution.execution import FINAL, as_of

LIVEACTION = {
    events.EXECUTION_CREATE: events.LIVEACTION_CREATE,
    events.EXECUTION_UPDATE: events.LIVEACTION_UPDATE,
}
"""The liveaction event that clients get before an execution event, by the name of the execution event."""


class Filter(NamedTuple):
    """The events that a client requests: patterns of names, actions and executions. An empty set of actions or
    executions matches all."""

    patterns: tuple[str, ...]
    actions: frozenset[str] = frozenset()
    executions: frozenset[str] = frozenset()

    def selects(self, name: str) -> bool:
        """Returns True if the client requests events of this name."""
        return events.matches(name, self.patterns)

    @property
    def selects_frequent(self) -> bool:
        """True if the client requests events of a frequent kind."""
        return any(map(self.selects, events.FREQUENT_NAMES))

    def holds(self, execution_id: str, action: str) -> bool:
        """Returns True if the client requests this execution."""
        if self.executions and execution_id not in self.executions:
            return False
        return not self.actions or action in self.actions

    def holds_document(self, kind: str) -> bool:
        """Returns True if the client requests documents of a kind other than executions. Every client gets
        announcements; a filter on executions or actions drops all other kinds."""
        return kind == events.ANNOUNCEMENT or not (self.actions or self.executions)


class Changes:
    """The builder of a row's events, by the row's kind."""

    def __init__(self, sources: StreamSources) -> None:
        self._executions = sources.executions
        self._feeds = sources.feeds
        self._views = sources.views

    async def frames(self, filter_: Filter, event: Event) -> list[bytes]:
        """Returns the events of one row that match the filter, without ids: none, one, or for an execution two, the
        liveaction's first. A row whose resource no longer exists has none."""
        if event.kind == events.EXECUTION:
            return await self._of_execution(filter_, event)
        if not filter_.selects(event.name) or not filter_.holds_document(event.kind):
            return []
        document = await self._document(event)
        return [frame(event.name, document)] if document else []

    async def _document(self, event: Event) -> bytes:
        if event.kind == events.TRIGGER_INSTANCE:
            instance = await self._feeds.instance(event.resource)
            return instance_document(instance, event.status) if instance is not None else b""
        document = await self._feeds.document(event.id)
        if event.kind == events.RULE and document:
            return msgspec.json.encode(await self._views.rules.masked(msgspec.json.decode(document)))
        return document

    async def _of_execution(self, filter_: Filter, event: Event) -> list[bytes]:
        liveaction = LIVEACTION.get(event.name, "")
        if not filter_.selects(event.name) and not filter_.selects(liveaction):
            return []
        try:
            execution = await self._executions.get(event.resource, event.status in FINAL)
        except NotFoundError:
            return []
        if not filter_.holds(execution.id, execution.action):
            return []
        snapshot = as_of(execution, event.status)
        frames = []
        # Liveaction events carry no execution's id, so a filter on executions drops them, as StackStorm's does.
        if filter_.selects(liveaction) and not filter_.executions:
            frames.append(event_frame(liveaction, self._views.liveaction(snapshot)))
        if filter_.selects(event.name):
            frames.append(event_frame(event.name, await self._views.execution(snapshot)))
        return frames
