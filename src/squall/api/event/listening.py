"""The one loop that reads the feed of all events: for the event stream and for the stream of a page."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import NamedTuple

from squall.core.event.events import Event
from squall.services.event.feeds import Feeds
from squall.services.event.ring import Cursor, Item
from squall.services.output.outputs import Outputs


class Missed(NamedTuple):
    """Changes that were read from the event table, up to the row `until`. `forgotten`: the table no longer has older
    changes. `live`: the listener was too slow for the feed, so output of the meantime is missing."""

    events: Sequence[Event]
    until: int
    forgotten: bool
    live: bool


async def listened(
    feeds: Feeds, outputs: Outputs, cursor: Cursor, row: int | None, heartbeat: float, frequent: bool
) -> AsyncGenerator[Missed | Sequence[Item], None]:
    """Yields the items and missed changes for a listener, from the change after `row` on (None: from the present on),
    until the server stops. Yields an empty sequence if nothing came for `heartbeat` seconds. `frequent`: the
    listener wants events of the frequent kinds. The cursor's row is that
    of the last items which the listener has finished with."""
    if row is not None:
        events, forgotten = await feeds.events_between(row, cursor.row, frequent)
        yield Missed(events, cursor.row, forgotten, False)
    while not outputs.stopping:
        start = cursor.row
        items, lost = await cursor.next(heartbeat)
        if lost and items:
            until = items[0].row - (items[0].event is not None)
            events, forgotten = await feeds.events_between(start, until, frequent)
            yield Missed(events, until, forgotten, True)
        yield items
        if items:
            cursor.row = items[-1].row
