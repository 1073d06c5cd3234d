"""Evaluating rules side by side: which ones wait, in what order, and what an error does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec
import pytest
from tests.doubles.reacting import rule_body

from squall.core.errors import UnavailableError
from squall.core.event.rules.explanation import Explanation
from squall.core.event.rules.parameters import Setting
from squall.core.event.rules.reading import make_rule
from squall.core.event.rules.records import Rule
from squall.core.expr.bounds.evaluator import NoEvaluator
from squall.core.expr.jinja import Jinja
from squall.core.schema.taint import Taint
from squall.services.event.rules.explanations import Evaluating, LongRules
from squall.testing.waiting import PATIENCE

pytestmark = pytest.mark.anyio

LONG = {"trigger.n": {"type": "eq", "pattern": "{{ [1] | sum }}"}}


class Binding:
    """Renders cheap templates at once, and others when `release` is set."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.running = 0
        self.most = 0
        self.error: Exception | None = None

    def at_once(self, work: Callable[[Jinja, Taint], Any]) -> Any:
        return work(Jinja(evaluator=NoEvaluator()), Taint())

    async def rendering(self, work: Callable[[Jinja, Taint], Any], *, is_long: bool) -> Any:
        assert is_long
        self.running += 1
        self.most = max(self.most, self.running)
        await self.release.wait()
        self.running -= 1
        if self.error is not None:
            raise self.error
        return work(Jinja(), Taint())


def rule(name: str, **more: Any) -> Rule:
    made = make_rule(rule_body(name, **more))
    return msgspec.structs.replace(made, id=name)


def setting(jinja: Jinja, taint: Taint) -> Setting:
    return Setting(jinja, 0, taint=taint, is_brief=jinja.is_brief)


def evaluating(binding: Any, long_rules: LongRules | None = None) -> Evaluating:
    return Evaluating(binding, {"system": {}, "user": {}}, partial(setting), long_rules or LongRules())


async def test_rules_that_take_a_moment_are_written_before_the_others_are_evaluated() -> None:
    binding = Binding()
    rules = [rule("a", criteria=LONG), rule("b"), rule("c", criteria=LONG), rule("d")]
    written: list[list[str]] = []

    async def early(explanations: Sequence[Explanation]) -> None:
        written.append([each.rule_id for each in explanations])
        binding.release.set()

    async with asyncio.timeout(PATIENCE):
        explanations = await evaluating(binding).all(rules, {"n": 1}, early)
    assert written == [["b", "d"]]
    assert [(each.rule_id, each.matches) for each in explanations] == [(name, True) for name in "abcd"]


async def test_long_rules_are_evaluated_side_by_side_and_leave_slots_to_other_events() -> None:
    binding = Binding()
    long_rules = LongRules()
    rules = [rule(f"r{number}", criteria=LONG) for number in range(6)]
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        first = group.create_task(evaluating(binding, long_rules).all(rules, {"n": 1}))
        second = group.create_task(evaluating(binding, long_rules).all(rules, {"n": 2}))
        while binding.running < 3:
            await asyncio.sleep(0)
        binding.release.set()
    assert binding.most == 3
    assert [each.matches for each in first.result()] == [True] * 6
    assert [each.matches for each in second.result()] == [False] * 6


async def test_the_rules_that_took_longest_come_last() -> None:
    binding = Binding()
    binding.release.set()
    order: list[str] = []

    class Recorded(LongRules):
        def note(self, rule: Rule, seconds: float) -> None:
            order.append(rule.name)
            super().note(rule, seconds)

    long_rules = Recorded()
    rules = [rule(name, criteria=LONG) for name in "abc"]
    long_rules.note(rules[0], 9.0)
    long_rules.note(rules[1], 4.0)
    order.clear()
    await evaluating(binding, long_rules).all(rules, {"n": 1})
    assert order.index("c") < order.index("a")
    assert order.index("b") <= order.index("a")


async def test_a_large_payload_is_not_evaluated_on_the_event_loop() -> None:
    binding = Binding()
    binding.release.set()
    for payload in ({"n": [0] * 10_000}, {"n": "x" * 2_000_000}, {"n": [[0] * 100] * 100}):
        binding.most = 0
        await evaluating(binding).all([rule("a")], payload)
        assert binding.most == 1


async def test_an_error_of_the_environment_is_raised_as_it_is() -> None:
    binding = Binding()
    binding.release.set()
    binding.error = UnavailableError("no process")
    with pytest.raises(UnavailableError):
        await evaluating(binding).all([rule("a", criteria=LONG), rule("b", criteria=LONG)], {"n": 1})
