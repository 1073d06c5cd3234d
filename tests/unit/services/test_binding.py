"""Parameters are bound to an execution, and what is secret stays sealed until the run."""

from __future__ import annotations

import msgspec
import pytest

from squall.core.execution import ExecutionFilter
from squall.core.secret import is_sealed
from squall.testing.assembly import Assembly
from squall.testing.samples import sample_action

pytestmark = pytest.mark.anyio


async def test_an_execution_keeps_the_action_it_was_requested_with(squall: Assembly) -> None:
    made = await squall.request("core.greet", parameters={"who": "ada"})
    pack, _ = squall.source.packs[0]
    squall.source.packs = [(pack, [sample_action("core.other")])]
    await squall.content.register()
    action, runner = await squall.content.snapshot(made.snapshot)
    assert squall.binding.run(made, action, runner)["cmd"] == "echo hello ada 60"


async def test_secrets_are_sealed_wherever_they_stand_and_revealed_for_the_run(squall: Assembly) -> None:
    parameters = {"cmd": "true", "password": "hunter2", "options": {"token": "t0k3n", "shown": "x"}}
    made = await squall.request(parameters=parameters)
    assert made.parameters["cmd"] == "true"
    assert is_sealed(made.parameters["password"])
    assert is_sealed(made.parameters["options"]["token"])
    assert made.parameters["options"]["shown"] == "x"
    kept = msgspec.json.encode((await squall.executions.find(ExecutionFilter(), None, 0, True))[0])
    assert b"hunter2" not in kept
    assert b"t0k3n" not in kept
    action, runner = await squall.content.snapshot(made.snapshot)
    assert squall.binding.run(made, action, runner) == {**parameters, "timeout": 60}
    assert set(squall.binding.secrets(made)) == {b"hunter2", b"t0k3n"}
