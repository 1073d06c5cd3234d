"""Decides with rules about events: for the engine, and for explanations, tests and backtests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec

from squall.core.access.secret import MASK
from squall.core.environment import is_of_environment
from squall.core.errors import SquallError
from squall.core.event.rules.evaluating import NO_KEYS, evaluate, needs_keys
from squall.core.event.rules.explanation import Explanation
from squall.core.event.rules.explanation import document as explanation_document
from squall.core.event.rules.parameters import Setting
from squall.core.event.rules.records import Rule, TriggerInstance
from squall.core.expr.jinja import Jinja
from squall.core.schema.taint import Taint
from squall.core.schema.walk import mask_secrets, place_of
from squall.ports import Clock
from squall.services.content.content import Content
from squall.services.event.rules.book import RuleBook, TriggerRules
from squall.services.execution.binding import Binding
from squall.services.execution.executions import Executions, Prepared, Request

_TURN = 0.004


class Match(NamedTuple):
    """A rule that matches an event, or fails on it. `prepared` is the request for its action; None if `failure` says
    why there is none. `unfit` is a request whose parameters cannot be rendered or do not fit: its execution fails.
    `shown` is the explanation's document without secrets."""

    rule: Rule
    explanation: Explanation
    prepared: Prepared | None
    failure: str
    unfit: Prepared | None = None
    shown: dict[str, Any] | None = None


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

    async def explainer(self, rule: Rule) -> Callable[[Any, int], Awaitable[Explanation]]:
        """Returns a function that returns the explanation of `rule` for a payload at a time (µs). It uses the keys of
        the present, which are read only once."""
        evaluating = await self._evaluating([rule], 0, needs_keys(rule))

        async def explain(payload: Any, now: int) -> Explanation:
            return await evaluating.at(now).one(rule, payload, all_criteria=True)

        return explain

    async def shown(self, rule: Rule, explanation: Explanation) -> dict[str, Any]:
        """Returns the document of an explanation, with `********` for parameters that the rule's action calls
        secret."""
        shown = explanation_document(explanation)
        runnable = await self._content.runnable(rule.action.ref)
        if runnable is None or not explanation.parameters:
            return shown
        schemas = self._binding.schemas(*runnable)
        for name, value in explanation.parameters.items():
            place = place_of(schemas.get(name, {}))
            if place.has_secrets:
                shown["parameters"][name] = mask_secrets(value, place) if isinstance(value, dict | list) else MASK
        return shown

    async def match(self, rule: Rule, instance: TriggerInstance, explanation: Explanation) -> Match:
        """Returns the match of a rule, with the checked request for its action."""
        match = await self._match(rule, instance, explanation)
        return match._replace(shown=await self.shown(rule, explanation))

    async def _match(self, rule: Rule, instance: TriggerInstance, explanation: Explanation) -> Match:
        if not explanation.matches:
            return Match(rule, explanation, None, explanation.failure)
        if await self._content.runnable(rule.action.ref) is None:
            return Match(rule, explanation, None, f'Action "{rule.action.ref}" doesn\'t exist')
        context = {
            "trigger_instance": {"id": instance.id, "name": None},
            "rule": {"id": rule.id, "name": rule.name},
        }
        # An execution whose parameters do not fit shows them as the rule has them.
        request = Request(action=rule.action.ref, parameters=rule.action.parameters, context=context)
        if explanation.parameters is None:
            return Match(rule, explanation, None, explanation.failure, await self._executions.unfit(request))
        parameters = {
            name: self._binding.enclosed(value, explanation.secrets[name]) if name in explanation.secrets else value
            for name, value in explanation.parameters.items()
        }
        rendered = msgspec.structs.replace(request, parameters=parameters, plain=frozenset(parameters))
        try:
            return Match(rule, explanation, await self._executions.prepare(rendered), "")
        except SquallError as error:
            if is_of_environment(error):
                raise
            return Match(rule, explanation, None, str(error), await self._executions.unfit(request))

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

    def at(self, now: int) -> _Evaluating:
        """Returns the same at another time (µs)."""
        return _Evaluating(self._binding, self._keys, partial(self._setting, now=now))

    async def all(self, rules: Iterable[Rule], payload: Any) -> list[Explanation]:
        """Returns the explanations of all rules, in their order."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _TURN
        explanations: list[Explanation] = []
        for rule in rules:
            explanations.append(await self.one(rule, payload, all_criteria=False))
            if loop.time() > until:
                await asyncio.sleep(0)
                until = loop.time() + _TURN
        return explanations

    async def one(self, rule: Rule, payload: Any, *, all_criteria: bool) -> Explanation:
        """Returns the explanation of a rule."""

        def work(jinja: Jinja, taint: Taint) -> Explanation:
            return evaluate(rule, payload, self._keys, self._setting(jinja, taint), all_criteria=all_criteria)

        return await self._binding.rendering(work)
