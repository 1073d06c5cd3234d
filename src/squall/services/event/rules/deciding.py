"""Decides with rules about events: for the engine, and for explanations, tests and backtests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from squall.core.environment import is_of_environment
from squall.core.errors import InvalidError, SquallError
from squall.core.event.rules.evaluating import NO_KEYS, evaluate, needs_keys
from squall.core.event.rules.explanation import Explanation
from squall.core.event.rules.parameters import Setting
from squall.core.event.rules.records import Rule, TriggerInstance
from squall.core.expr.bounds.evaluator import NeedsProcess
from squall.core.expr.jinja import Jinja
from squall.core.schema.taint import Taint
from squall.ports import Clock
from squall.services.content.content import Content
from squall.services.event.rules.book import RuleBook, TriggerRules
from squall.services.execution.binding import Binding
from squall.services.execution.executions import Executions, Prepared, Request

_TURN = 0.004


class Match(NamedTuple):
    """A rule that matches an event, or fails on it. `prepared` is the request for its action; None if `failure` says
    why there is none."""

    rule: Rule
    explanation: Explanation
    prepared: Prepared | None
    failure: str


class Decision(NamedTuple):
    """The decision of all rules of a trigger about an instance. `number` is that of the rules' last change."""

    instance: TriggerInstance
    number: int
    matches: Sequence[Match]


class Deciding:
    """Evaluates rules. `user` runs the actions of rules, and is the owner of `st2kv.user` in them."""

    def __init__(
        self, clock: Clock, content: Content, binding: Binding, executions: Executions, book: RuleBook, user: str
    ) -> None:
        self._clock = clock
        self._content = content
        self._binding = binding
        self._executions = executions
        self._book = book
        self._user = user

    async def decide(self, instance: TriggerInstance) -> Decision:
        """Returns the decision of the enabled rules of its trigger about an instance."""
        trigger_rules = await self._book.of(instance.trigger)
        explanations = await self.explanations(trigger_rules.rules, instance.payload, trigger_rules)
        rules = {rule.id: rule for rule in trigger_rules.rules}
        matches = [
            await self.match(rules[each.rule_id], instance, each)
            for each in explanations
            if each.matches or each.failure
        ]
        return Decision(instance, trigger_rules.number, matches)

    async def explanations(
        self, rules: Sequence[Rule], payload: Any, known: TriggerRules | None = None, *, now: int | None = None
    ) -> list[Explanation]:
        """Returns the explanations of enabled rules as the engine decides: backstop rules are evaluated only if no
        other rule matches."""
        evaluating = await self._evaluating(
            rules, now, any(map(needs_keys, rules)) if known is None else known.need_keys
        )
        standard = [rule for rule in rules if rule.enabled and not rule.is_backstop]
        explanations = await evaluating.all(standard, payload)
        if not any(each.matches for each in explanations):
            backstops = [rule for rule in rules if rule.enabled and rule.is_backstop]
            explanations += await evaluating.all(backstops, payload)
        return explanations

    async def explain(self, rule: Rule, payload: Any, *, now: int | None = None) -> Explanation:
        """Returns the explanation of one rule, enabled or not, with all of its criteria."""
        evaluating = await self._evaluating([rule], now, needs_keys(rule))
        return await evaluating.one(rule, payload, all_criteria=True)

    async def match(self, rule: Rule, instance: TriggerInstance, explanation: Explanation) -> Match:
        """Returns the match of a rule, with the checked request for its action."""
        if explanation.failure or explanation.parameters is None:
            return Match(rule, explanation, None, explanation.failure or "The rule has no parameters for its action.")
        parameters = {
            name: self._binding.enclosed(value, explanation.secrets[name]) if name in explanation.secrets else value
            for name, value in explanation.parameters.items()
        }
        request = Request(
            action=rule.action.ref,
            parameters=parameters,
            context={
                "trigger_instance": {"id": instance.id, "name": None},
                "rule": {"id": rule.id, "name": rule.name},
            },
            plain=frozenset(parameters),
        )
        try:
            if await self._content.runnable(rule.action.ref) is None:
                raise InvalidError(f'Action "{rule.action.ref}" doesn\'t exist')
            return Match(rule, explanation, await self._executions.prepare(request), "")
        except SquallError as error:
            if is_of_environment(error):
                raise
            return Match(rule, explanation, None, str(error))

    async def _evaluating(self, rules: Sequence[Rule], now: int | None, need_keys: bool) -> _Evaluating:
        keys = await self._binding.all_keys(self._user) if need_keys else NO_KEYS
        schemas: dict[str, Mapping[str, Any]] = {}
        for ref in {rule.action.ref for rule in rules}:
            runnable = await self._content.runnable(ref)
            if runnable is not None:
                schemas[ref] = self._binding.schemas(*runnable)
        names = {"action_context": {"user": self._user}}
        at = self._clock.now() if now is None else now
        return _Evaluating(self._binding, keys, partial(_setting, now=at, names=names, schemas=schemas))


def _setting(
    jinja: Jinja, taint: Taint, now: int, names: Mapping[str, Any], schemas: Mapping[str, Mapping[str, Any]]
) -> Setting:
    return Setting(jinja, now, names=names, schemas=lambda ref: schemas.get(ref, {}), taint=taint)


class _Evaluating:
    """Evaluates rules with the same keys, names and schemas. Gives the event loop a turn every few milliseconds."""

    def __init__(self, binding: Binding, keys: Mapping[str, Any], setting: partial[Setting]) -> None:
        self._binding = binding
        self._keys = keys
        self._setting = setting

    async def all(self, rules: Sequence[Rule], payload: Any) -> list[Explanation]:
        """Returns the explanations of all rules, in their order."""
        explanations: list[Explanation] = []
        seconds = asyncio.get_running_loop().time
        while len(explanations) < len(rules):
            explanations += await self._binding.rendering(
                partial(self._some, rules=rules, start=len(explanations), payload=payload, seconds=seconds)
            )
            if len(explanations) < len(rules):
                await asyncio.sleep(0)
        return explanations

    async def one(self, rule: Rule, payload: Any, *, all_criteria: bool) -> Explanation:
        """Returns the explanation of a rule."""

        def work(jinja: Jinja, taint: Taint) -> Explanation:
            return evaluate(rule, payload, self._keys, self._setting(jinja, taint), all_criteria=all_criteria)

        return await self._binding.rendering(work)

    def _some(
        self, jinja: Jinja, taint: Taint, rules: Sequence[Rule], start: int, payload: Any, seconds: Callable[[], float]
    ) -> list[Explanation]:
        """Returns the explanations of the rules from `start` on, at least of one, and of no more than a turn has time
        for. Stops before a rule that needs a process: it is the first one of the next call then."""
        setting = self._setting(jinja, taint)
        until = seconds() + _TURN
        explanations: list[Explanation] = []
        for rule in islice(rules, start, None):
            try:
                explanations.append(evaluate(rule, payload, self._keys, setting, all_criteria=False))
            except NeedsProcess:
                if not explanations:
                    raise
                break
            if seconds() > until:
                break
        return explanations
