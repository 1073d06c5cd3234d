"""Documents of rules: masked, with descriptions, and of the rule that led to an execution."""

from __future__ import annotations

from typing import Any

import pytest
from tests.doubles.assembly import Assembly
from tests.doubles.explaining import Explainers

from squall.core.event.rules.records import EnforcementFilter
from squall.core.execution.execution import Execution, ExecutionFilter

pytestmark = pytest.mark.anyio
SECRET: dict[str, Any] = {"ref": "core.local", "parameters": {"cmd": "x", "password": "open sesame"}}


async def started(squall: Assembly) -> list[Execution]:
    executions, _, _ = await squall.executions.find(ExecutionFilter(), None, 0, True)
    return executions


async def test_secret_parameters_are_masked_unless_they_are_requested(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    rule = await use.add("r", action=SECRET)
    assert (await use.views.rule(rule))["action"]["parameters"] == {"cmd": "x", "password": "********"}
    assert (await use.views.rule(rule, show_secrets=True))["action"]["parameters"] == SECRET["parameters"]


async def test_a_rule_whose_action_does_not_exist_is_shown_as_it_is(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    rule = await use.add("r", action={"ref": "core.nosuch", "parameters": {"password": "x"}})
    assert (await use.views.view(rule))["action"] == {"ref": "core.nosuch", "parameters": {"password": "x"}}


async def test_a_document_that_is_sent_back_keeps_the_secrets(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    rule = await use.add("r", action=SECRET)
    shown = await use.views.rule(rule)
    assert (await use.views.with_stored_secrets(shown, rule))["action"]["parameters"] == SECRET["parameters"]
    other = {**shown, "action": {**shown["action"], "ref": "core.noop"}}
    assert await use.views.with_stored_secrets(other, rule) == other
    assert await use.views.with_stored_secrets([], rule) == []


async def test_a_view_has_the_descriptions(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    await use.types.create({"name": "d", "pack": "p", "description": "A type."})
    rule = await use.add("r", trigger={"type": "p.d"})
    assert (await use.views.view(rule))["trigger"]["description"] == "A type."


async def test_an_execution_keeps_the_documents_of_its_rule(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    rule = await use.add("r", action=SECRET)
    instance = await use.event(n=6)
    await use.rules.delete(rule.id)
    (execution,) = await started(squall)
    assert execution.origin is not None
    documents = await use.views.origin(execution.origin, True)
    assert set(documents) == {"rule", "trigger", "trigger_type", "trigger_instance"}
    assert documents["rule"]["action"]["parameters"]["password"] == "********"
    assert documents["trigger_instance"]["id"] == instance.id
    assert "trigger_instance" not in await use.views.origin(execution.origin, False)


async def test_executions_are_found_by_rule_trigger_and_instance(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    await use.add("r")
    await use.add("s")
    instance = await use.event(n=6)
    await squall.request()

    async def found(**where: str) -> int:
        return (await squall.executions.find(ExecutionFilter(**where), None, 0, False))[1]  # type: ignore[arg-type]

    assert await found(rule="r") == 1
    assert await found(rule="p.r") == 0
    assert await found(trigger="t") == await found(trigger_type="t") == await found(trigger_instance=instance.id) == 2
    assert await found(rule="") == 1
    assert await squall.executions.distinct(["rule", "trigger", "trigger_type"]) == {
        "rule": ["r", "s"],
        "trigger": ["t"],
        "trigger_type": ["t"],
    }


@pytest.mark.parametrize("parameters", [{"cmd": "{{ trigger.gone }}"}, {"cmd": "x", "nosuch": 1}])
async def test_parameters_that_do_not_fit_give_a_failed_execution(
    squall: Assembly, parameters: dict[str, object]
) -> None:
    use = await Explainers(squall).begin()
    await use.add("r", action={"ref": "core.local", "parameters": {**parameters, "password": "open sesame"}})
    await use.event(n=6)
    (execution,) = await started(squall)
    (enforcement,) = await squall.store.read(lambda tx: tx.enforcements.find(EnforcementFilter(), None, 0))
    assert (execution.status, enforcement.status, enforcement.execution_id) == ("failed", "failed", execution.id)
    assert execution.result["error"] == enforcement.failure_reason
    assert execution.parameters["cmd"] == parameters["cmd"]
    assert "open sesame" not in repr(execution.parameters)
    assert await squall.claim() == []


async def test_an_action_that_does_not_exist_gives_no_execution(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    await use.add("r", action={"ref": "core.nosuch"})
    await use.event(n=6)
    (enforcement,) = await squall.store.read(lambda tx: tx.enforcements.find(EnforcementFilter(), None, 0))
    assert (enforcement.status, enforcement.execution_id) == ("failed", None)
    assert await started(squall) == []


async def test_documents_without_executions_are_removed(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    await use.add("r")
    await use.event(n=6)
    (execution,) = await started(squall)
    assert execution.origin is not None
    key = execution.origin.documents
    await squall.store.tx(lambda tx: tx.retention.drop_snapshots([], 0))
    assert await squall.store.read(lambda tx: tx.enforcements.origin(key))
    await squall.store.tx(lambda tx: tx.retention.purge([execution.tree]))
    await squall.store.tx(lambda tx: tx.retention.drop_snapshots([], 0))
    assert not await squall.store.read(lambda tx: tx.enforcements.origin(key))
