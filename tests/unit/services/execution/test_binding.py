"""Parameters are bound to an execution, and what is secret stays sealed until the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.doubles.assembly import Assembly
from tests.schema_shapes import HIDDEN, SHAPES, Shape

from squall.adapters.packs.configs import ConfigFiles
from squall.core.access.secret import Sealed, masked, sealed_form
from squall.core.content.keyvalue import SYSTEM, USER
from squall.core.errors import InvalidError
from squall.core.execution.execution import Execution, ExecutionFilter
from squall.services.content.keys import NewValue
from squall.services.content.pack_configs import PackConfigs
from squall.services.execution.binding import Binding, Bound
from squall.testing.samples import sample_action, sample_execution, sample_pack, sample_runner

pytestmark = pytest.mark.anyio

RUNNER = sample_runner(runner_parameters={})


async def test_an_execution_keeps_the_action_it_was_requested_with(squall: Assembly) -> None:
    made = await squall.request("core.greet", parameters={"who": "ada"})
    pack, _ = squall.source.packs[0]
    squall.source.packs = [(pack, [sample_action("core.other")])]
    await squall.registration.register()
    action, runner = await squall.content.snapshot(made.snapshot)
    assert (await squall.binding.run(made, action, runner)).values["cmd"] == "echo hello ada 60"


async def test_secrets_are_sealed_wherever_they_stand_and_revealed_for_the_run(squall: Assembly) -> None:
    parameters = {"cmd": "true", "password": "hunter2", "options": {"token": "t0k3n", "shown": "x"}}
    made = await squall.request(parameters=parameters)
    assert made.parameters["cmd"] == "true"
    assert isinstance(made.parameters["password"], Sealed)
    assert isinstance(made.parameters["options"]["token"], Sealed)
    assert made.parameters["options"]["shown"] == "x"
    found = await squall.executions.find(ExecutionFilter(), None, 0, True)
    kept = msgspec.json.encode(found[0], enc_hook=sealed_form)
    assert b"hunter2" not in kept
    assert b"t0k3n" not in kept
    action, runner = await squall.content.snapshot(made.snapshot)
    assert (await squall.binding.run(made, action, runner)).values == {**parameters, "timeout": 60}
    assert set((await squall.binding.run(made, action, runner)).secrets) == {b"hunter2", b"t0k3n"}


async def test_what_only_looks_like_a_sealed_value_reaches_the_run_as_it_was_given(squall: Assembly) -> None:
    stolen = {"$sealed": squall.vault.seal("stolen")}
    values: list[dict[str, Any]] = [{"a": {"$sealed": "junk"}}, stolen, {"$$sealed": "x"}, {"list": [[stolen]]}]
    for value in values:
        made = await squall.request(parameters={"cmd": "true", "options": value})
        again = await squall.executions.re_run(made.id, {}, None, None)
        for each in (made, again):
            execution = await squall.executions.get(each.id)
            assert (await bound(squall, execution)).values["options"] == value
            assert masked(execution.parameters)["options"] == value


@pytest.mark.parametrize("value", [{"$value": 1, "$from": 5}, {"$value": {}, "$from": ["x"]}])
async def test_a_secret_that_looks_like_what_an_envelope_holds_comes_back_as_it_was(
    squall: Assembly, value: dict[str, Any]
) -> None:
    squall.source.packs[0][1].append(
        sample_action("core.hidden", parameters={"whole": {"type": "object", "secret": True}})
    )
    await squall.registration.register()
    made = await squall.request("core.hidden", parameters={"cmd": "true", "whole": value})
    assert made.parameters["whole"] != value
    assert (await bound(squall, made)).values["whole"] == value


async def bound(squall: Assembly, execution: Execution) -> Bound:
    action, runner = await squall.content.snapshot(execution.snapshot)
    return await squall.binding.run(execution, action, runner)


async def kept(squall: Assembly) -> bytes:
    found = await squall.executions.find(ExecutionFilter(), None, 0, True)
    return msgspec.json.encode(found[0], enc_hook=sealed_form)


async def test_templates_read_keys_of_both_scopes_and_a_missing_one_is_empty(squall: Assembly) -> None:
    await squall.keys.put(SYSTEM, "", "a.b", NewValue(value="everybody's"))
    await squall.keys.put(USER, "bob", "k", NewValue(value="bob's"))
    text = "{{ st2kv.system.a.b }}, {{ st2kv.user.k }}, {{ st2kv.system.nosuch }}"
    made = await squall.request(parameters={"cmd": text}, user="bob")
    assert made.parameters["cmd"] == "everybody's, bob's, "


async def test_a_decrypted_key_stays_secret_and_so_does_what_is_made_of_it(squall: Assembly) -> None:
    await squall.keys.put(SYSTEM, "", "pw", NewValue(value="hunter2", secret=True))
    made = await squall.request(parameters={"cmd": "login -p {{ st2kv.system.pw | decrypt_kv }}"})
    assert masked(made.parameters) == {"cmd": "********"}
    assert b"hunter2" not in await kept(squall)
    found = await bound(squall, made)
    assert found.values["cmd"] == "login -p hunter2"
    assert set(found.secrets) == {b"hunter2", b"login -p hunter2"}


@pytest.mark.parametrize(
    "template",
    [
        "{{{{ '{}' | decrypt_kv }}}}",
        "{{{{ ['{}'] | map('decrypt_kv') | first }}}}",
        "{{% set x = '{}' | decrypt_kv %}}{{{{ x }}}}",
    ],
)
async def test_a_ciphertext_in_the_template_itself_stays_secret(squall: Assembly, template: str) -> None:
    await squall.keys.put(SYSTEM, "", "pw", NewValue(value="hunter2", secret=True))
    ciphertext = (await squall.keys.get(SYSTEM, "", "pw")).value
    for _ in range(2):
        made = await squall.request(parameters={"cmd": template.format(ciphertext)})
        assert masked(made.parameters) == {"cmd": "********"}
        assert b"hunter2" not in await kept(squall)
        assert (await bound(squall, made)).values["cmd"] == "hunter2"


async def test_a_parameter_rendered_from_a_secret_one_is_sealed_and_masked(squall: Assembly) -> None:
    given = {"cmd": "login {{ password }} {{ options.token }}", "password": "hunter2", "options": {"token": "t0k3n"}}
    made = await squall.request(parameters=given)
    assert masked(made.parameters)["cmd"] == "********"
    kept_now = await kept(squall)
    assert b"hunter2" not in kept_now
    assert b"t0k3n" not in kept_now
    found = await bound(squall, made)
    assert found.values["cmd"] == "login hunter2 t0k3n"
    assert set(found.secrets) == {b"hunter2", b"t0k3n", b"login hunter2 t0k3n"}


async def test_what_came_from_a_secret_is_still_one_when_it_is_run_again(squall: Assembly) -> None:
    await squall.keys.put(SYSTEM, "", "pw", NewValue(value="hunter2", secret=True))
    first = await squall.request(parameters={"cmd": "login {{ st2kv.system.pw | decrypt_kv }}"})
    again = await squall.executions.re_run(first.id, {"timeout": 5}, None, None)
    assert masked(again.parameters) == {"cmd": "********", "timeout": 5}
    found = await bound(squall, again)
    assert found.values["cmd"] == "login hunter2"
    assert b"hunter2" in found.secrets


async def test_the_default_of_a_secret_parameter_is_masked_too(squall: Assembly) -> None:
    pack, _ = squall.source.packs[0]
    parameters = {"cmd": {"default": "echo {{ token }}"}, "token": {"type": "string", "secret": True, "default": "d3f"}}
    squall.source.packs = [(pack, [sample_action("core.local", parameters=parameters)])]
    await squall.registration.register()
    found = await bound(squall, await squall.request(parameters={}))
    assert found.values["cmd"] == "echo d3f"
    assert b"d3f" in found.secrets


async def test_an_error_does_not_quote_what_came_from_a_secret(squall: Assembly) -> None:
    with pytest.raises(InvalidError) as caught:
        await squall.request(parameters={"cmd": "x", "password": "hunter2", "timeout": "{{ password }}"})
    assert "timeout" in str(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_the_marker_of_use_none_is_nothing(squall: Assembly) -> None:
    made = await squall.request(parameters={"cmd": "x", "password": "{{ none | use_none }}"})
    assert made.parameters["password"] is None


async def test_nobody_reads_anothers_keys_by_what_a_context_says(squall: Assembly) -> None:
    await squall.keys.put(USER, "bob", "k", NewValue(value="bob's"))
    context = {"user": "bob", "api_user": "bob"}
    made = await squall.request(parameters={"cmd": "[{{ st2kv.user.k }}]"}, user="eve", context=context)
    assert made.parameters["cmd"] == "[]"


async def test_a_template_sees_the_configuration_and_what_it_makes_of_its_secrets_is_sealed(
    squall: Assembly, tmp_path: Path
) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "config.schema.yaml").write_text("token: {secret: true}\n")
    (tmp_path / "core.yaml").write_text("region: eu\ntoken: config-secret\n")
    squall.source.packs = [(sample_pack("core", path=str(tmp_path / "core")), squall.source.packs[0][1])]
    await squall.registration.register()
    configs = PackConfigs(squall.content, ConfigFiles(tmp_path, squall.vault.open), squall.keys, squall.vault)
    binding = Binding(squall.vault, squall.keys, squall.content, configs)
    action, runner = sample_action(parameters={"open": {}, "closed": {}, "later": {"default": "{{ closed }}!"}}), RUNNER
    given = {"open": "in {{ config_context.region }}", "closed": "by {{ config_context.token }}"}
    stored = await binding.request(action, runner, given, {"user": "ada"})
    assert stored["open"] == "in eu"
    assert isinstance(stored["closed"], Sealed)
    execution = sample_execution(parameters=stored, context={"user": "ada"})
    bound = await binding.run(execution, action, runner)
    assert (bound.values["closed"], bound.values["later"]) == ("by config-secret", "by config-secret!")
    assert {b"config-secret", b"by config-secret"} <= set(bound.secrets)


async def test_a_template_sees_the_parent_that_its_context_names(squall: Assembly) -> None:
    action = sample_action(parameters={"of": {}})
    context = {"user": "ada", "parent": {"execution_id": "e1"}}
    assert await squall.binding.request(action, RUNNER, {"of": "{{ parent.execution_id }}"}, context) == {"of": "e1"}


async def test_a_template_sees_the_pack_and_the_user_of_its_execution_when_it_is_requested_and_when_it_runs(
    squall: Assembly,
) -> None:
    text = "{{ action_context.pack }} {{ action_context.user }} {{ action_context.mine }}"
    await declared(squall, {"given": {}, "later": {"default": text}})
    context = {"mine": "own", "pack": "another"}
    made = await squall.request(parameters={"given": text}, user="ada", context=context)
    assert made.parameters["given"] == "core ada own"
    assert (await bound(squall, made)).values["later"] == "core ada own"


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
async def test_every_part_that_a_schema_marks_is_sealed_shown_masked_and_masked_in_output(
    squall: Assembly, shape: Shape
) -> None:
    await declared(squall, {"x": shape.schema})
    made = await squall.request(parameters={"x": shape.value})
    assert HIDDEN.encode() not in await kept(squall)
    assert masked(made.parameters) == {"x": shape.masked}
    found = await bound(squall, made)
    assert found.values["x"] == shape.value
    assert HIDDEN.encode() in found.secrets


@pytest.mark.parametrize("immutable", [False, True])
async def test_asterisks_for_a_secret_parameter_leave_its_default_in_use(squall: Assembly, immutable: bool) -> None:
    await declared(squall, {"x": {"secret": True, "default": "real-default", "immutable": immutable}})
    made = await squall.request(parameters={"x": "********"})
    assert made.parameters == {}
    found = await bound(squall, made)
    assert found.values["x"] == "real-default"
    assert b"real-default" in found.secrets


async def declared(squall: Assembly, parameters: dict[str, Any]) -> None:
    """Gives the action of these tests these parameters."""
    pack, _ = squall.source.packs[0]
    action = sample_action("core.local", parameters={**parameters, "cmd": {"default": "true"}})
    squall.source.packs = [(pack, [action])]
    await squall.registration.register()
