"""What an output schema marks secret in a result is encrypted in the store, and plain for whoever may see it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.doubles.assembly import Assembly
from tests.schema_shapes import HIDDEN, SHAPES, Shape
from tests.unit.services.flows import Flows

from squall.core.access.secret import Sealed, masked, replace_sealed, to_stored
from squall.core.execution.execution import Execution
from squall.services.content.secret_results import SecretResults
from squall.testing.samples import sample_action

pytestmark = pytest.mark.anyio

TOKEN = {"token": {"type": "string", "secret": True}, "n": {"type": "integer"}}
GIVEN = {"token": HIDDEN, "n": 5}


async def ended(squall: Assembly, schema: dict[str, Any], result: Any) -> Execution:
    squall.source.packs[0][1].append(sample_action("core.give", runner_type="noop", output_schema=schema))
    await squall.registration.register()
    task, execution, _ = await squall.start(action="core.give")
    assert await squall.finish(task, execution, "succeeded", result)
    return await squall.executions.get(execution.id)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
async def test_every_part_that_the_schema_marks_is_sealed_in_the_row(squall: Assembly, shape: Shape) -> None:
    schema = {"properties": {}, **shape.schema}
    execution = await ended(squall, schema, shape.value)
    assert HIDDEN not in str(to_stored(execution.result))
    assert masked(execution.result) == shape.masked
    assert replace_sealed(execution.result, squall.binding.reveal) == shape.value


async def test_the_size_of_a_result_is_that_of_what_the_action_gave(squall: Assembly) -> None:
    execution = await ended(squall, TOKEN, GIVEN)
    assert execution.result == {"token": execution.result["token"], "n": 5}
    assert execution.result_size == len('{"token":"hidden-part","n":5}')


async def test_what_is_sealed_already_is_not_sealed_twice_and_a_whole_is_sealed_with_its_parts_in_plain_text(
    squall: Assembly,
) -> None:
    execution = await ended(squall, {"properties": {"token": {"secret": True}, "all": {"secret": True}}}, GIVEN)
    secrets = SecretResults(squall.vault)
    sealed = execution.result["token"]
    result = {"token": sealed, "all": {"part": [sealed]}}
    again = await squall.store.tx(lambda tx: secrets.sealed(tx, execution, result))
    assert again["token"] is sealed
    assert isinstance(again["all"], Sealed)
    assert replace_sealed(again, squall.binding.reveal) == {"token": HIDDEN, "all": {"part": [HIDDEN]}}


WORKFLOW = {
    "version": "1.0",
    "vars": [{"again": None}],
    "tasks": {
        "a": {
            "action": "flows.give",
            "next": [{"publish": [{"kept": "<% result().token %>"}], "do": "b"}],
        },
        "b": {
            "action": "flows.anything",
            "input": {"what": "<% ctx(kept) %>", "more": "<% task(a).result.n %>"},
            "next": [{"publish": [{"again": "<% task(a).result.token %>"}]}],
        },
    },
    "output": [{"token": "<% ctx(again) %>"}, {"n": "<% task(a).result.n %>"}],
}
CHAIN = """
chain:
  - {name: a, ref: flows.give, publish: {kept: "{{ a.token }}"}, on-success: b}
  - {name: b, ref: flows.anything, parameters: {what: "{{ kept }}", more: "{{ __results.a.n }}"}}
"""


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("text", [WORKFLOW, CHAIN], ids=["workflow", "chain"])
async def test_a_workflow_uses_the_secrets_of_results_and_keeps_them_encrypted(
    squall: Assembly, text: Any, restarts: bool
) -> None:
    flows = Flows(squall, used=text)
    pack, actions = squall.source.packs[-1]
    assert pack.ref == "flows"
    actions.append(sample_action("flows.give", runner_type="noop", output_schema=TOKEN))
    await squall.registration.register()
    made = await squall.request("flows.used")

    def act(execution: Execution) -> tuple[str, Any]:
        return "succeeded", GIVEN if execution.action == "flows.give" else None

    await flows.work(act, restarts=restarts)
    ending = await flows.get(made)
    assert ending.status == "succeeded", ending.result
    used = (await flows.children(made))[-1]
    action, runner = await squall.content.snapshot(used.snapshot)
    assert (await squall.binding.run(used, action, runner)).values["what"] == HIDDEN
    facts = await squall.store.read(lambda tx: tx.workflows.facts(made.id, 0))
    assert HIDDEN.encode() not in b"".join(facts)
    if text is CHAIN:
        assert HIDDEN not in str(to_stored([ending.result, used.parameters]))
        assert masked(ending.result)["tasks"][0]["result"] == {"token": "********", "n": 5}
        assert ending.result["published"] == {"kept": "********"}
