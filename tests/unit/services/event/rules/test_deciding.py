"""Deciding: which rules match, with which requests."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest
from tests.doubles.reacting import Reacting

from squall.core.access.secret import MASK, Sealed
from squall.core.content.keyvalue import SYSTEM
from squall.core.errors import ForbiddenError, KeyFileError
from squall.core.expr.bounds.evaluator import Answer
from squall.services.content.keys import NewValue
from squall.services.content.templates import Templates
from squall.services.event.rules import deciding, explanations
from squall.services.execution.binding import Binding
from squall.services.execution.executions import Prepared, Request
from squall.testing.samples import sample_action, sample_pack

pytestmark = pytest.mark.anyio


async def matches(reacting: Reacting) -> list[str]:
    [*_, instance] = await reacting.stored()
    return [each.rule.name for each in (await reacting.deciding.decide(instance)).matches]


async def test_a_backstop_rule_matches_only_if_no_other_does(reacting: Reacting) -> None:
    await reacting.add_type()
    await reacting.add_rule("back", type={"ref": "backstop", "parameters": {}})
    await reacting.add_rule("odd", criteria={"trigger.odd": {"type": "eq", "pattern": True}})
    await reacting.add_rule("off", enabled=False)
    await reacting.dispatch({"odd": True})
    assert await matches(reacting) == ["odd"]
    await reacting.dispatch({"odd": False})
    assert await matches(reacting) == ["back"]


async def test_a_rule_that_cannot_be_evaluated_has_a_failure_and_is_no_match(reacting: Reacting) -> None:
    await reacting.add_type()
    await reacting.add_rule("back", type={"ref": "backstop", "parameters": {}})
    await reacting.add_rule("bad", criteria={"trigger.n": {"type": "gt", "pattern": 3}})
    await reacting.dispatch({})
    [instance] = await reacting.stored()
    failed, fires = (await reacting.deciding.decide(instance)).matches
    assert (failed.prepared, fires.failure) == (None, "")
    assert "trigger.n" in failed.failure


async def test_a_disabled_rule_is_explained_with_all_criteria(reacting: Reacting) -> None:
    await reacting.add_type()
    criteria = {name: {"type": "eq", "pattern": 1} for name in ("trigger.a", "trigger.b")}
    rule = await reacting.add_rule("off", enabled=False, criteria=criteria)
    explanation = await reacting.deciding.explain(rule, {"a": 2, "b": 1})
    assert [each.verdict for each in explanation.comparisons] == [False, True]


async def test_values_from_secret_keys_are_sealed_in_the_request(reacting: Reacting) -> None:
    squall = reacting.squall
    await reacting.add_type()
    await squall.keys.put(SYSTEM, "robot", "s", NewValue(value="hidden", secret=True))
    command = "echo {{ st2kv.system.s | decrypt_kv }}"
    await reacting.add_rule("a", action="core.local", parameters={"cmd": command})
    await reacting.dispatch({})
    [instance] = await reacting.stored()
    [match] = (await reacting.deciding.decide(instance)).matches
    assert match.prepared is not None
    sealed = match.prepared.parameters["cmd"]
    assert isinstance(sealed, Sealed)
    assert squall.binding.reveal(sealed.envelope) == "echo hidden"


async def test_a_parameter_from_a_secret_key_is_hidden_as_a_whole(reacting: Reacting) -> None:
    squall = reacting.squall
    schema = {"type": "object", "properties": {"pw": {"type": "string", "secret": True}}}
    action = sample_action("more.login", parameters={"o": schema, "plain": schema})
    squall.source.packs.append((sample_pack("more"), [action]))
    await squall.registration.register()
    await reacting.add_type()
    await squall.keys.put(SYSTEM, "robot", "s", NewValue(value="hidden", secret=True))
    secret = "{{ st2kv.system.s | decrypt_kv }}"
    parameters = {"o": {"user": secret, "pw": "x", secret: 1}, "plain": {"user": "ada", "pw": "literal"}}
    rule = await reacting.add_rule("a", action="more.login", parameters=parameters)
    shown = await reacting.deciding.shown(rule, await reacting.deciding.explain(rule, {}))
    assert shown["parameters"] == {"o": MASK, "plain": {"user": "ada", "pw": MASK}}


async def test_what_an_event_brings_is_not_rendered_again(reacting: Reacting) -> None:
    await reacting.add_type()
    await reacting.add_rule("a", action="core.local", parameters={"cmd": "{{ trigger.cmd }}"})
    await reacting.dispatch({"cmd": "{{ st2kv.system.s }}"})
    await reacting.evaluate()
    [execution] = await reacting.executions()
    assert execution.parameters == {"cmd": "{{ st2kv.system.s }}"}


async def test_a_disabled_action_is_the_reason_of_a_failure(reacting: Reacting) -> None:
    squall = reacting.squall
    squall.source.packs.append((sample_pack("more"), [sample_action("more.off", enabled=False)]))
    await squall.registration.register()
    await reacting.add_type()
    await reacting.add_rule("a", action="more.off")
    await reacting.dispatch()
    [instance] = await reacting.stored()
    [match] = (await reacting.deciding.decide(instance)).matches
    assert (match.prepared, match.failure) == (None, 'Unable to execute. Action "more.off" is disabled.')


async def test_an_error_of_the_environment_is_no_failure_of_a_rule(
    reacting: Reacting, monkeypatch: pytest.MonkeyPatch
) -> None:
    await reacting.add_type()
    await reacting.add_rule("a")
    await reacting.dispatch()
    [instance] = await reacting.stored()
    errors = [ForbiddenError("not you"), KeyFileError("away")]

    async def refused(request: Request) -> Prepared:
        raise errors.pop()

    monkeypatch.setattr(reacting.squall.executions, "prepare", refused)
    with pytest.raises(KeyFileError):
        await reacting.deciding.decide(instance)
    [match] = (await reacting.deciding.decide(instance)).matches
    assert match.failure == "not you"


class Apart:
    """An `Evaluator` that notes on which threads it was called."""

    def __init__(self) -> None:
        self.threads: set[int] = set()

    def template(self, method: str, text: str, names: Mapping[str, Any], answer: Answer) -> Any:
        self.threads.add(threading.get_ident())
        return frozenset() if method == "names" else "apart"

    def workflow(self, text: str, scope: Any, answer: Answer) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize("turn", [0.0, 60.0])
async def test_a_rule_that_may_take_long_is_evaluated_on_a_thread_and_all_keep_their_order(
    reacting: Reacting, monkeypatch: pytest.MonkeyPatch, turn: float
) -> None:
    monkeypatch.setattr(explanations, "_TURN", turn)
    squall, apart = reacting.squall, Apart()
    binding = Binding(squall.vault, squall.keys, templates=Templates(apart))
    decides = deciding.Deciding(squall.clock, squall.content, binding, squall.executions, reacting.book, "robot")
    await reacting.add_type()
    for name in "abcde":
        long = "{% for i in range(9) %}{{ i }}{% endfor %}" if name in "bce" else "at once"
        await reacting.add_rule(name, action="core.local", parameters={"cmd": long})
    await reacting.dispatch({})
    [instance] = await reacting.stored()
    matches = (await decides.decide(instance)).matches
    commands = [(each.rule.name, each.prepared.parameters["cmd"]) for each in matches if each.prepared]
    assert commands == [(name, "apart" if name in "bce" else "at once") for name in "abcde"]
    assert apart.threads
    assert threading.get_ident() not in apart.threads
