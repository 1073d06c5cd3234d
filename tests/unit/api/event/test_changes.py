"""What a client of an event stream gets for a row of the event table, by the row's kind."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.doubles.assembly import Assembly, assembled

from squall.api.event.changes import Changes, Filter
from squall.api.execution.views import Views
from squall.api.output.tails import StreamSources
from squall.core.event import events
from squall.core.event.events import ANNOUNCEMENT, EXECUTION, Announcement, Change, Event
from squall.core.event.rules.records import TriggerInstance
from squall.services.event.rules.views import RuleViews
from squall.services.execution.waiting import Waiting
from squall.testing.samples import NOON, sample_id

pytestmark = pytest.mark.anyio

ALL = ("*",)


@pytest.fixture
async def squall(tmp_path: Path) -> AsyncIterator[Assembly]:
    async with assembled(tmp_path) as made:
        yield made


@pytest.fixture
def changes(squall: Assembly) -> Changes:
    waiting = Waiting(
        squall.store,
        squall.clock,
        squall.launcher.waiting,
        lambda _: "",
        lambda _: "",
        lambda: 1,
        squall.running.runners(),
    )
    views = Views(
        squall.content,
        squall.binding.reveal,
        waiting,
        RuleViews(squall.store, squall.content, squall.binding),
        "http://x",
    )
    return Changes(
        StreamSources(squall.executions, squall.outputs, squall.feeds, views, squall.clock.now, heartbeat=1.0)
    )


async def added(squall: Assembly, change: Change, document: bytes = b"") -> Event:
    row = await squall.store.tx(lambda tx: tx.events.add(change, document))
    (event,) = await squall.store.read(lambda tx: tx.events.after(row - 1, 1))
    return event


def rule(name: str = "st2.rule__create") -> Change:
    return Change(kind="rule", name=name, resource="p.r", at=NOON)


def names(frames: list[bytes]) -> list[str]:
    return [frame.split(b"\n")[0].decode().removeprefix("event: ") for frame in frames]


async def test_a_stored_document_is_sent_as_it_is(squall: Assembly, changes: Changes) -> None:
    event = await added(squall, rule(), b'{"ref":"p.r"}')
    assert await changes.frames(Filter(ALL), event) == [b'event: st2.rule__create\ndata: {"ref":"p.r"}\n\n']
    assert await changes.frames(Filter(("st2.rule__*",)), event) != []


async def test_a_client_that_names_other_events_gets_none_of_a_new_kind(squall: Assembly, changes: Changes) -> None:
    event = await added(squall, rule(), b"{}")
    for patterns in (events.DEFAULT_PATTERNS, ("st2.execution__*",), ("st2.rule__delete",), ()):
        assert await changes.frames(Filter(patterns), event) == []


async def test_an_execution_is_two_events_and_never_a_stored_document(squall: Assembly, changes: Changes) -> None:
    execution = await squall.request("core.noop")
    (event,) = await squall.store.read(lambda tx: tx.events.of(EXECUTION, execution.id))
    assert names(await changes.frames(Filter(ALL), event)) == [events.LIVEACTION_CREATE, events.EXECUTION_CREATE]


async def test_a_row_that_refers_to_what_is_gone_is_no_event(squall: Assembly, changes: Changes) -> None:
    gone = Change(kind=EXECUTION, name=events.EXECUTION_CREATE, resource=sample_id(77), at=NOON, status="requested")
    for change in (gone, rule(), Announcement("general", 1).change(sample_id(77), sample_id(77), NOON)):
        assert await changes.frames(Filter(ALL), await added(squall, change)) == []


@pytest.mark.parametrize(
    "wanted", [Filter(ALL, actions=frozenset({"core.local"})), Filter(ALL, executions=frozenset({sample_id(5)}))]
)
async def test_a_filter_on_executions_holds_all_kinds_back_but_announcements(
    squall: Assembly, changes: Changes, wanted: Filter
) -> None:
    announcement = Announcement("general", 1)
    told = await added(squall, announcement.change(sample_id(1), sample_id(1), NOON), announcement.document({}))
    assert told.kind == ANNOUNCEMENT
    assert names(await changes.frames(wanted, told)) == ["st2.announcement__general"]
    assert await changes.frames(wanted, await added(squall, rule(), b"{}")) == []


async def test_an_instance_is_sent_with_the_status_of_its_row(squall: Assembly, changes: Changes) -> None:
    instance = TriggerInstance(trigger="p.t", occurred_at=NOON, id="a" * 24, payload={"n": 1}, status="processed")
    await squall.store.tx(lambda tx: tx.instances.add(instance))
    row = Change(
        kind="trigger_instance", name="st2.trigger_instance__create", resource="a" * 24, at=NOON, status="pending"
    )
    (frame,) = await changes.frames(Filter(ALL), await added(squall, row))
    document = json.loads(frame.split(b"data: ")[1])
    assert (document["status"], document["payload"]) == ("pending", {"n": 1})


async def test_a_large_payload_is_left_out(squall: Assembly, changes: Changes) -> None:
    instance = TriggerInstance(trigger="p.t", occurred_at=NOON, id="a" * 24, payload={"n": "x" * 20_000})
    await squall.store.tx(lambda tx: tx.instances.add(instance))
    row = Change(kind="trigger_instance", name="st2.trigger_instance__create", resource="a" * 24, at=NOON)
    (frame,) = await changes.frames(Filter(ALL), await added(squall, row))
    assert "payload" not in json.loads(frame.split(b"data: ")[1])


async def test_an_instance_that_is_gone_has_no_event(squall: Assembly, changes: Changes) -> None:
    row = Change(kind="trigger_instance", name="st2.trigger_instance__create", resource="a" * 24, at=NOON)
    assert await changes.frames(Filter(ALL), await added(squall, row)) == []


@pytest.mark.parametrize(
    ("patterns", "selects"),
    [(("st2.execution__*",), False), (("st2.trigger_instance__update",), True), (("*",), True)],
)
def test_a_filter_knows_whether_it_selects_frequent_events(patterns: tuple[str, ...], selects: bool) -> None:
    assert Filter(patterns).selects_frequent is selects
