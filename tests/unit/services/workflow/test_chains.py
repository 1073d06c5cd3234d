"""Action chains over a real store."""

from __future__ import annotations

from typing import Any

import pytest
from tests.doubles.assembly import Assembly
from tests.unit.services.flows import Between, Flows

from squall.core.access.secret import Sealed
from squall.core.content.keyvalue import SYSTEM
from squall.core.execution.execution import Execution
from squall.ports import Tx
from squall.services.content.keys import NewValue
from squall.services.execution.executions import Request
from squall.services.lanes import ADVANCE

pytestmark = pytest.mark.anyio

CHAIN = """
vars: {greeting: hello}
chain:
  - name: c1
    ref: core.greet
    parameters: {who: "{{ greeting }} {{ x }}"}
    publish: {out: "{{ c1.stdout }}"}
    on-success: c2
  - {name: c2, ref: core.greet, parameters: {who: "got {{ out }}"}, on-failure: c3}
  - {name: c3, ref: core.noop}
"""


def act(execution: Execution) -> tuple[str, Any]:
    return "succeeded", {"stdout": f"{execution.context['chain']['name']} {execution.parameters.get('who')}"}


async def started(squall: Assembly, text: str) -> tuple[Flows, Execution]:
    flows = Flows(squall, chained=text)
    await squall.registration.register()
    return flows, await squall.request("flows.chained", parameters={"x": "world"})


async def test_nodes_run_one_after_the_other_and_see_what_came_before(squall: Assembly) -> None:
    flows, made = await started(squall, CHAIN)
    await flows.work(act)
    done = await flows.get(made)
    assert done.status == "succeeded"
    assert done.result["published"] == {"out": "c1 hello world"}
    assert [(task["id"], task["state"]) for task in done.result["tasks"]] == [("c1", "succeeded"), ("c2", "succeeded")]
    first, second = await flows.children(made)
    assert second.parameters == {"who": "got c1 hello world"}
    assert first.context["chain"]["on_success"] == "c2"
    assert first.context["parent"] == {"execution_id": made.id, "user": "ada", "pack": "flows"}


async def test_a_failure_goes_to_its_node_and_nothing_is_published(squall: Assembly) -> None:
    flows, made = await started(squall, CHAIN.replace("on-failure: c3", "on-failure: c3, publish: {never: 1}"))
    await flows.work(lambda execution: ("failed", {}) if execution.context["chain"]["name"] == "c2" else act(execution))
    done = await flows.get(made)
    assert (done.status, [task["id"] for task in done.result["tasks"]]) == ("succeeded", ["c1", "c2", "c3"])
    assert "never" not in done.result["published"]


async def test_a_chain_ends_as_its_last_node_does(squall: Assembly) -> None:
    flows, made = await started(squall, CHAIN)
    await flows.work(lambda execution: ("timeout", {}))
    assert (await flows.get(made)).status == "timeout"


async def test_each_node_runs_once_and_in_order_although_the_clock_is_set_back(squall: Assembly) -> None:
    flows, made = await started(squall, CHAIN.replace("on-failure: c3", "on-success: c3"))

    def act_and_set_back(execution: Execution) -> tuple[str, Any]:
        squall.clock.advance(-3_600)
        return act(execution)

    await flows.work(act_and_set_back, most=10, restarts=True)
    done = await flows.get(made)
    assert (done.status, [task["id"] for task in done.result["tasks"]]) == ("succeeded", ["c1", "c2", "c3"])
    assert len(await flows.children(made)) == 3


async def test_a_chain_that_an_older_version_began_goes_on_in_the_order_of_times(squall: Assembly) -> None:
    flows, made = await started(squall, CHAIN)
    for _ in range(2):
        await flows.advance()
        for task, execution, _ in await squall.claim():
            await squall.finish(task, execution, *act(execution))
        squall.clock.advance(1)

    async def forget_the_order(tx: Tx) -> None:
        record = await tx.workflows.get(made.id)
        assert record is not None
        await tx.workflows.keep(made.id, record.seq, b"")

    await squall.store.tx(forget_the_order)
    await flows.work(act)
    assert [task["id"] for task in (await flows.get(made)).result["tasks"]] == ["c1", "c2"]


NESTED = "chain:\n  - {name: c1, ref: flows.inner}\n"
INNER = "version: 1.0\ntasks:\n  only: {action: core.noop}\n"


async def test_a_node_that_ends_while_its_chain_is_advanced_keeps_its_end(squall: Assembly) -> None:
    store = squall.store
    squall.store = between = Between(store)
    flows = Flows(squall, chained=NESTED, inner=INNER)
    await squall.registration.register()
    made = await squall.request("flows.chained", parameters={"x": "world"})
    await flows.advance()
    (child,) = await flows.children(made)
    assert child.status == "running"
    await squall.control.ask(made.id, "pausing", "ada")

    async def end_child(tx: Tx) -> None:
        current = await tx.executions.get(child.id)
        assert current is not None
        await squall.transitions.conclude(tx, current, "succeeded", {}, squall.clock.now())

    tasks = await store.tx(lambda tx: tx.queue.claim(ADVANCE, "w1", squall.clock.now(), 1, 9))
    between.work = end_child
    await flows.chains.advance(await flows.get(made), list(tasks))
    assert (await flows.get(child)).status == "succeeded"
    assert (await flows.get(made)).status == "paused"


async def test_the_server_that_loses_a_step_of_a_chain_leaves_its_rows_for_later(squall: Assembly) -> None:
    store = squall.store
    squall.store = between = Between(store)
    flows = Flows(squall, chained=CHAIN)
    await squall.registration.register()
    made = await squall.request("flows.chained", parameters={"x": "world"})
    await flows.advance()
    ((task, execution, _),) = await squall.claim()
    await squall.finish(task, execution, *act(execution))
    tasks = await store.tx(lambda tx: tx.queue.claim(ADVANCE, "w2", squall.clock.now(), 1, 9))

    async def other_step(tx: Tx) -> None:
        record = await tx.workflows.get(made.id)
        assert record is not None and await tx.workflows.append(made.id, record.seq + 1, b"")

    between.work = other_step
    await flows.chains.advance(await flows.get(made), list(tasks))
    assert await squall.claim() == [], "no second child was requested"
    await flows.work(act)
    assert (await flows.get(made)).status == "succeeded"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "chain:\n  - {name: c1, ref: core.noop, on-failure: c4}\n",
            'Unable to find node with name "c4" referenced in "on-failure" in task "c1".',
        ),
        (
            "chain:\n  - {name: c1, ref: core.nosuch}\n",
            'Failed to run task "c1". Action "core.nosuch" cannot be found.',
        ),
        (
            'chain:\n  - {name: c1, ref: core.greet, parameters: {who: "{{ nosuch }}"}}\n',
            'Failed rendering value for action parameter "who" in task "c1"',
        ),
    ],
)
async def test_what_is_wrong_is_the_result(squall: Assembly, text: str, told: str) -> None:
    flows, made = await started(squall, text)
    await flows.work(act)
    done = await flows.get(made)
    assert done.status == "failed"
    assert done.result["error"].startswith(told)


async def test_a_chain_rests_between_nodes_and_goes_on(squall: Assembly) -> None:
    flows, made = await started(squall, CHAIN)
    await flows.advance()
    await squall.control.ask(made.id, "pausing", "ada")
    await flows.work(act)
    assert (await flows.get(made)).status == "paused"
    assert len(await flows.children(made)) == 1
    await squall.control.ask(made.id, "resuming", "ada")
    await flows.work(act, restarts=True)
    assert (await flows.get(made)).status == "succeeded"


async def paused_and_resumed(squall: Assembly, flows: Flows, made: Execution) -> None:
    """Pauses a chain behind its first node, and resumes it."""
    await flows.advance()
    await squall.control.ask(made.id, "pausing", "ada")
    await flows.work(act)
    await squall.control.ask(made.id, "resuming", "ada")
    await flows.advance()


@pytest.mark.parametrize("earlier", [False, True], ids=["never paused", "paused and resumed before"])
async def test_a_chain_goes_on_when_its_pending_node_ends(squall: Assembly, earlier: bool) -> None:
    flows, made = await started(squall, CHAIN)
    await (paused_and_resumed(squall, flows, made) if earlier else flows.advance())
    [(task, child, _)] = await squall.claim()
    await squall.finish(task, child, "pending", None)
    await flows.advance()
    assert (await flows.get(made)).status == "paused"
    child = await flows.get(child)
    await squall.store.tx(lambda tx: squall.transitions.conclude(tx, child, *act(child), squall.clock.now()))
    await flows.work(act)
    assert (await flows.get(made)).status == "succeeded"


async def test_a_chain_that_is_paused_a_second_time_stays_paused_when_its_node_ends(squall: Assembly) -> None:
    flows, made = await started(squall, CHAIN.replace("on-failure: c3", "on-success: c3"))
    await paused_and_resumed(squall, flows, made)
    await squall.control.ask(made.id, "pausing", "ada")
    await flows.work(act)
    assert ((await flows.get(made)).status, len(await flows.children(made))) == ("paused", 2)


async def test_a_chain_is_canceled_with_its_node(squall: Assembly) -> None:
    flows, made = await started(squall, CHAIN)
    await flows.advance()
    [(task, child, _)] = await squall.claim()
    await squall.control.cancel(made.id, "ada")
    await flows.advance()
    assert (await flows.get(child)).status == "canceling"
    await squall.finish(task, child, "canceled", None)
    await flows.work(act)
    assert (await flows.get(made)).status == "canceled"


async def test_nodes_tell_whom_they_or_their_chain_name_unless_they_are_skipped(squall: Assembly) -> None:
    own, chains = {"on-success": {"routes": ["own"]}}, {"on-complete": {"routes": ["hubot"]}}
    text = CHAIN.replace("on-failure: c3", "on-success: c3").replace(
        "{name: c2,", "{name: c2, notify: {on-success: {routes: [own]}},"
    )
    flows = Flows(squall, chained=text)
    await squall.registration.register()
    parameters = {"x": "world", "skip_notify": ["c3"]}
    made = await squall.executions.request(
        Request(action="flows.chained", parameters=parameters, user="ada", notify=chains)
    )
    await flows.work(act)
    told = {child.context["chain"]["name"]: child.notify for child in await flows.children(made)}
    assert told == {"c1": chains, "c2": own, "c3": {}}


async def test_templates_of_a_chain_see_the_keys_of_the_datastore(squall: Assembly) -> None:
    await squall.keys.put(SYSTEM, "", "where", NewValue(value="the moon"))
    flows, made = await started(squall, CHAIN.replace("{{ greeting }} {{ x }}", "{{ st2kv.system.where }}"))
    await flows.work(act)
    first, *_ = await flows.children(made)
    assert first.parameters == {"who": "the moon"}


SECRETIVE = """
vars: {token: "{{ st2kv.system.token | decrypt_kv }}", open: "nothing of it"}
chain:
  - name: c1
    ref: core.greet
    parameters: {who: "with {{ token }}"}
    publish: {kept: "{{ token }}!", plain: "{{ open }}"}
    on-success: c2
  - {name: c2, ref: core.greet, parameters: {who: "{{ kept }}"}, on-success: c3}
  - {name: c3, ref: core.greet, parameters: {who: "{{ secret }}"}, on-success: c4}
  - {name: c4, ref: core.greet, parameters: {who: "{{ open }}"}}
"""


async def test_what_a_chain_makes_from_secrets_is_sealed_for_its_nodes_and_masked_in_its_result(
    squall: Assembly,
) -> None:
    await squall.keys.put(SYSTEM, "", "token", NewValue(value="t0ps3cret", encrypted=False, secret=True))
    flows = Flows(squall, chained=SECRETIVE)
    await squall.registration.register()
    made = await squall.request("flows.chained", parameters={"x": "world", "secret": "hunter2-x"})
    seen: dict[str, tuple[Any, tuple[bytes, ...]]] = {}

    def look(execution: Execution) -> tuple[str, Any]:
        return "succeeded", {"stdout": ""}

    await flows.work(look)
    for child in await flows.children(made):
        action, runner = await squall.content.snapshot(child.snapshot)
        bound = await squall.binding.run(child, action, runner)
        seen[child.context["chain"]["name"]] = bound.values["who"], bound.secrets
        hidden = child.context["chain"]["name"] != "c4"
        assert ("t0ps3cret" in repr(child.parameters), "hunter2-x" in repr(child.parameters)) == (False, False)
        assert isinstance(child.parameters["who"], Sealed) is hidden
    assert {name: value for name, (value, _) in seen.items()} == {
        "c1": "with t0ps3cret", "c2": "t0ps3cret!", "c3": "hunter2-x", "c4": "nothing of it",
    }  # fmt: skip
    assert b"t0ps3cret" in seen["c1"][1]
    assert b"t0ps3cret" in seen["c2"][1]
    assert (await flows.get(made)).result["published"] == {"kept": "********", "plain": "nothing of it"}


async def test_keys_that_are_no_text_become_text_in_parameters_and_variables(squall: Assembly) -> None:
    text = """
vars: {ports: {80: web}}
chain:
  - name: c1
    ref: flows.anything
    parameters: {what: {443: tls, null: x}, more: ["{{ {2: ports} }}"]}
    publish: {seen: {1: "{{ range(2) }}"}}
"""
    flows, made = await started(squall, text)
    await flows.work(act)
    [child] = await flows.children(made)
    assert child.parameters == {"what": {"443": "tls", "null": "x"}, "more": [{"2": {"80": "web"}}]}
    done = await flows.get(made)
    assert (done.status, done.result["published"]) == ("succeeded", {"seen": {"1": [0, 1]}})


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ('parameters: {what: ["{{ dict }}"]}', ('parameter "what" in task "c1"', "{{ dict }}")),
        ("parameters: {what: .nan}", ('task "c1"', "nan is not a number")),
        ('publish: {seen: ["{{ dict }}"]}', ('task "c1", variable "seen"', "{{ dict }}")),
    ],
)
async def test_a_value_that_cannot_be_stored_fails_the_chain_at_once(
    squall: Assembly, part: str, names: tuple[str, ...]
) -> None:
    flows, made = await started(squall, f"chain:\n  - name: c1\n    ref: flows.anything\n    {part}\n")
    await flows.work(act)
    done = await flows.get(made)
    assert done.status == "failed"
    assert all(name in done.result["error"] for name in names)
    assert await flows.rows(ADVANCE) == 0


@pytest.mark.parametrize("wrong", ["vars: [1]", "default: 80"])
async def test_a_chain_that_is_no_chain_fails_with_the_reason(squall: Assembly, wrong: str) -> None:
    flows, made = await started(squall, f"{wrong}\nchain:\n  - {{name: c1, ref: core.noop}}\n")
    await flows.work(act)
    done = await flows.get(made)
    assert (done.status, wrong.split(":")[0] in done.result["error"]) == ("failed", True)
