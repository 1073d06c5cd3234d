"""Evaluates rules: those that take a moment on the event loop, others on threads, side by side."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from squall.core.event.rules.evaluating import evaluate
from squall.core.event.rules.explanation import Explanation
from squall.core.event.rules.parameters import Setting
from squall.core.event.rules.records import Rule
from squall.core.expr.bounds.evaluator import NeedsProcess
from squall.core.expr.bounds.limits import is_large
from squall.core.expr.jinja import Jinja
from squall.core.schema.taint import Taint
from squall.services.execution.binding import Binding

_TURN = 0.004

_MOST_LONG = 3
"""The most rules that are evaluated on threads at the same time: one evaluator is left for others."""

_LONG_OF_ONE = 2
"""The most rules that are evaluated on threads for one event at the same time."""

_SOON = 0.25
"""The seconds after which matches are written although other rules are still evaluated."""

_MOST_KNOWN = 10_000

_LARGE = (5_000, 1 << 20)
"""The parts, or the characters, of a payload that is evaluated on threads only."""


EarlyExplanations = Callable[[Sequence[Explanation]], Awaitable[None]]
"""A function that takes the explanations of some rules while others are evaluated."""


class LongRules:
    """The rules that take long, of all triggers. Limits how many are evaluated at once. Remembers the time of each, so
    that the slowest come last."""

    def __init__(self) -> None:
        self.slots = asyncio.Semaphore(_MOST_LONG)
        self._seconds: dict[str, float] = {}

    def note(self, rule: Rule, seconds: float) -> None:
        """Remembers the time of an evaluation."""
        if len(self._seconds) >= _MOST_KNOWN:
            self._seconds.clear()
        self._seconds[rule.id] = seconds

    def seconds_of(self, rule: Rule) -> float:
        """Returns the time of the rule's last evaluation; 0 if it is not known."""
        return self._seconds.get(rule.id, 0.0)


class Evaluating:
    """Evaluates rules with the same keys, names and schemas. Those that take long are evaluated on
    threads, side by side."""

    def __init__(
        self, binding: Binding, keys: Mapping[str, Any], setting: partial[Setting], long_rules: LongRules
    ) -> None:
        self._binding = binding
        self._keys = keys
        self._setting = setting
        self._long_rules = long_rules

    def at(self, now: int) -> Evaluating:
        """Returns the same at another time (µs)."""
        return Evaluating(self._binding, self._keys, partial(self._setting, now=now), self._long_rules)

    async def all(
        self, rules: Sequence[Rule], payload: Any, early: EarlyExplanations | None = None
    ) -> list[Explanation]:
        """Returns the explanations of all rules, in their order. If some take long, calls `early` with the explanations
        of the others first."""
        explanations = await self._brief(rules, payload)
        long = [rule for rule in rules if rule.id not in explanations]
        if long:
            if early is not None and explanations:
                await early(list(explanations.values()))
            explanations |= await self._side_by_side(long, payload, early)
        return [explanations[rule.id] for rule in rules]

    async def _side_by_side(
        self, rules: Sequence[Rule], payload: Any, early: EarlyExplanations | None
    ) -> dict[str, Explanation]:
        """Returns the explanations of rules that take long. Writes some `early` if others take longer."""
        explanations: dict[str, Explanation] = {}
        waiting = deque(sorted(rules, key=self._long_rules.seconds_of))
        ready: list[Explanation] = []
        writing = asyncio.Lock()
        until = time.monotonic() + _SOON

        async def explain() -> None:
            nonlocal until
            while waiting:
                rule = waiting.popleft()
                explanations[rule.id] = await self._long(rule, payload, all_criteria=False)
                ready.append(explanations[rule.id])
                if early is None or time.monotonic() < until or writing.locked():
                    continue
                async with writing:
                    some, ready[:] = list(ready), []
                    await early(some)
                    until = time.monotonic() + _SOON

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(_LONG_OF_ONE):
                    group.create_task(explain(), name="evaluation of rules that take long")
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return explanations

    async def one(self, rule: Rule, payload: Any, *, all_criteria: bool) -> Explanation:
        """Returns the explanation of a rule."""
        brief = await self._brief([rule], payload, all_criteria=all_criteria)
        return brief.get(rule.id) or await self._long(rule, payload, all_criteria=all_criteria)

    async def _brief(
        self, rules: Sequence[Rule], payload: Any, *, all_criteria: bool = False
    ) -> dict[str, Explanation]:
        """Returns the explanations by rule, without those of the rules that take long."""
        explanations: dict[str, Explanation] = {}
        if is_large(payload, *_LARGE):
            return explanations
        async for rule in in_turns(rules):
            with suppress(NeedsProcess):
                explanations[rule.id] = self._binding.at_once(partial(self._explained, rule, payload, all_criteria))
        return explanations

    async def _long(self, rule: Rule, payload: Any, *, all_criteria: bool) -> Explanation:
        async with self._long_rules.slots:
            began = time.monotonic()
            work = partial(self._explained, rule, payload, all_criteria)
            explanation = await self._binding.rendering(work, is_long=True)
            self._long_rules.note(rule, time.monotonic() - began)
            return explanation

    def _explained(self, rule: Rule, payload: Any, all_criteria: bool, jinja: Jinja, taint: Taint) -> Explanation:
        return evaluate(rule, payload, self._keys, self._setting(jinja, taint), all_criteria=all_criteria)


async def in_turns(rules: Iterable[Rule]) -> AsyncIterator[Rule]:
    """Yields the rules. Gives the event loop a turn every few milliseconds."""
    loop = asyncio.get_running_loop()
    until = loop.time() + _TURN
    for rule in rules:
        yield rule
        if loop.time() > until:
            await asyncio.sleep(0)
            until = loop.time() + _TURN
