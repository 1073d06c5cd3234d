"""The life of an execution: requested, claimed, canceled, ended, requested again."""

from __future__ import annotations

from typing import Any

import pytest
from tests.doubles.assembly import Assembly

from squall.core.errors import InvalidError
from squall.core.event.events import EXECUTION
from squall.core.execution.execution import Execution, ExecutionFilter
from squall.services.lanes import CHANGED, RUN
from squall.testing.samples import sample_action, sample_id

pytestmark = pytest.mark.anyio


async def rows(squall: Assembly, lane: str) -> int:
    return (await squall.store.read(lambda tx: tx.queue.depths())).get(lane, 0)


async def told(squall: Assembly, execution: Execution) -> list[tuple[str, str]]:
    found = await squall.store.read(lambda tx: tx.events.of(EXECUTION, execution.id))
    return [(event.name.removeprefix("st2.execution__"), event.status) for event in found]


async def everything(squall: Assembly) -> list[Execution]:
    found, _, _ = await squall.executions.find(ExecutionFilter(), None, 0, True)
    return found


# -- requests


async def test_a_request_is_kept_queued_and_told_at_once(squall: Assembly) -> None:
    made = await squall.request(parameters={"cmd": "echo {{ 1 + 1 }}"}, context={"trace_context": {"trace_tag": "t"}})
    assert await squall.executions.get(made.id) == made
    assert (made.status, made.tree, made.parent, made.attempt) == ("requested", made.id, None, 0)
    assert (made.start, made.end, made.delay, made.user) == (squall.clock.now(), None, None, "ada")
    assert made.parameters == {"cmd": "echo 2"}
    assert made.context == {"trace_context": {"trace_tag": "t"}, "user": "ada", "pack": "core"}
    assert [(entry.at, entry.status) for entry in made.log] == [(squall.clock.now(), "requested")]
    assert await rows(squall, RUN) == 1
    assert await told(squall, made) == [("create", "requested")]


async def test_a_request_may_be_somebody_elses(squall: Assembly) -> None:
    made = await squall.request(user="bob")
    assert (made.user, made.context["user"]) == ("bob", "bob")


async def test_whom_to_tell_of_the_end_is_the_requests_or_the_actions_to_say(squall: Assembly) -> None:
    own, other = {"on-complete": {"routes": ["own"]}}, {"on-failure": {"routes": ["other"]}}
    squall.source.packs[0][1].append(sample_action("core.loud", runner_type="noop", notify=own))
    await squall.registration.register()
    assert (await squall.request("core.loud")).notify == own
    made = await squall.request("core.loud", notify=other)
    assert (await squall.executions.get(made.id)).notify == other
    assert (await squall.executions.re_run(made.id, {}, None, None)).notify == other


async def test_hints_are_given_when_the_request_is_kept(squall: Assembly) -> None:
    with squall.bus.subscribe(RUN) as runs, squall.bus.subscribe(CHANGED) as changes:
        made = await squall.request()
        assert await runs.wait(0) == {made.id}
        assert await changes.wait(0) == {made.tree}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"action": "core.nosuch"}, 'Action "core.nosuch" cannot be found.'),
        ({"parameters": {}}, "'cmd' is a required property"),
        ({"parameters": {"cmd": "x", "bogus": 1}}, "Additional properties are not allowed ('bogus' was unexpected)"),
        ({"parameters": {"cmd": 1}}, 'Value "1" must either be a string or None. Got "int".'),
        ({"parameters": {"cmd": "{{ nosuch }}"}}, 'Dependency unsatisfied in variable "nosuch"'),
        ({"delay": -1}, "-1 is less than the minimum of 0"),
        ({"context": {"parent": {"execution_id": sample_id(9)}}}, "there is no execution"),
    ],
)
async def test_a_wrong_request_leaves_nothing_behind(squall: Assembly, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidError) as caught:
        await squall.request(**changes)
    assert message in str(caught.value)
    assert await everything(squall) == []
    assert await rows(squall, RUN) == 0
    assert await squall.store.read(lambda tx: tx.events.bounds()) == (0, 0)


async def test_a_disabled_action_is_not_run(squall: Assembly) -> None:
    pack, _ = squall.source.packs[0]
    squall.source.packs = [(pack, [sample_action("core.local", enabled=False)])]
    await squall.registration.register()
    with pytest.raises(InvalidError, match=r'Unable to execute. Action "core.local" is disabled.'):
        await squall.request()


async def test_a_secret_is_in_no_file_of_the_store(squall: Assembly) -> None:
    made = await squall.request(parameters={"cmd": "true", "password": "hunter2hunter2"})
    ((task, execution, _),) = await squall.claim()
    await squall.finish(task, execution)
    await squall.executions.re_run(made.id, {}, None, None)
    await squall.store.close()
    folder = squall.journal._root.parent
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert any(b"core.local" in file.read_bytes() for file in files)
    assert not [file for file in files if b"hunter2" in file.read_bytes()]


# -- delay


async def test_a_delayed_execution_is_answered_as_requested_and_waits_its_time(squall: Assembly) -> None:
    made = await squall.request(delay=1500)
    assert (made.status, made.delay) == ("requested", 1500)
    assert (await squall.executions.get(made.id)).status == "delayed"
    squall.clock.advance(1.499)
    assert await squall.claim() == []
    squall.clock.advance(0.001)
    ((_, execution, _),) = await squall.claim()
    assert [entry.status for entry in execution.log] == ["requested", "delayed", "scheduled", "running"]
    assert await told(squall, made) == [
        ("create", "requested"),
        ("update", "delayed"),
        ("update", "scheduled"),
        ("update", "running"),
    ]


async def test_no_delay_is_no_delay(squall: Assembly) -> None:
    assert (await squall.request(delay=0)).delay is None
    assert len(await squall.claim()) == 1


# -- canceling
