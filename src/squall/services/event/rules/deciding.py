"""Decides with rules about events: for the engine, and for explanations, tests and backtests."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec

from squall.core.access.secret import MASK
from squall.core.environment import is_of_environment
from squall.core.errors import SquallError
from squall.core.event.gates.settings import (
    NO_GROUP,
    Group,
    bare,
    correlation_of,
    defers,
    group_of,
    places_of,
    throttle_of,
)
from squall.core.event.rules.evaluating import NO_KEYS, needs_keys
from squall.core.event.rules.explanation import Explanation
from squall.core.event.rules.explanation import document as explanation_document
from squall.core.event.rules.parameters import Setting
from squall.core.event.rules.path_parts import StepsError
from squall.core.event.rules.records import Rule, TriggerInstance
from squall.core.expr.jinja import Jinja
from squall.core.schema.taint import Taint
from squall.core.schema.walk import mask_secrets, place_of
from squall.ports import Clock
from squall.services.content.content import Content
from squall.services.event.rules.book import RuleBook, TriggerRules
from squall.services.event.rules.explanations import EarlyExplanations, Evaluating, LongRules, in_turns
from squall.services.execution.binding import Binding
from squall.services.execution.executions import Executions, Prepared, Request


class Match(NamedTuple):
    """A rule that matches an event, or fails on it. `prepared` is the request for its action; None if `failure` says
    why there is none, or if the rule never fires at once. `unfit` is a request whose parameters cannot be rendered or
    do not fit: its execution fails. `shown` is the explanation's document without secrets.

    `group` is the one of the rule's throttle. `parts` are the places of a correlation that the event can take, by the
    group of each.
    """

    rule: Rule
    explanation: Explanation
    prepared: Prepared | None
    failure: str
    unfit: Prepared | None = None
    shown: dict[str, Any] | None = None
    group: Group = NO_GROUP
    parts: Sequence[tuple[Group, tuple[int, ...]]] = ()


class Decision(NamedTuple):
    """The decision of all rules of a trigger about an instance. `number` is that of the rules' last change. If it does
    not end the evaluation, the decision of some rules follows."""

    instance: TriggerInstance
    number: int
    matches: Sequence[Match]
    ends: bool = True


Early = Callable[[Decision], Awaitable[None]]
"""A function that writes the decision of some rules, while others take long."""


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
        self._long_rules = LongRules()

    async def decide(self, instance: TriggerInstance, early: Early | None = None) -> Decision:
        """Returns the decision of the enabled rules of its trigger about an instance.

        If some rules take long, calls `early` with the matches of the others. The decision does not repeat them.
        """
        trigger_rules = await self._book.of(instance.trigger)
        rules = {rule.id: rule for rule in trigger_rules.rules}
        plain = [bare(rule) if defers(rule) else rule for rule in rules.values() if rule.correlate is None]
        written: set[str] = set()

        async def some(explanations: Sequence[Explanation]) -> list[Match]:
            return [
                _grouped(await self.match(rules[each.rule_id], instance, each), instance)
                for each in explanations
                if (each.matches or each.failure) and each.rule_id not in written
            ]

        async def write_early(explanations: Sequence[Explanation]) -> None:
            # Gates remember each match that they see, so a rule with a gate is written once, at the end.
            matches = await some([each for each in explanations if not _has_gate(rules[each.rule_id])])
            if early is not None and matches:
                await early(Decision(instance, trigger_rules.number, matches, ends=False))
                written.update(match.rule.id for match in matches)

        matches = await some(await self.explanations(plain, instance.payload, trigger_rules, early=write_early))
        correlating = [rule for rule in rules.values() if rule.correlate is not None]
        if correlating:
            evaluating = await self._evaluating([], None, trigger_rules.need_keys)
            async for rule in in_turns(correlating):
                matches += await self._parts(evaluating, rule, instance)
        return Decision(instance, trigger_rules.number, matches)

    async def _parts(self, evaluating: Evaluating, rule: Rule, instance: TriggerInstance) -> list[Match]:
        """Returns the match of an event with some of the places of a correlation, if there are any."""
        correlation = correlation_of(rule)
        if correlation is None:
            return []
        parts: dict[Group, tuple[int, ...]] = {}
        explanation: Explanation | None = None
        for place, (ref, part, by) in enumerate(places_of(rule, correlation)):
            if ref != instance.trigger:
                continue
            each = await evaluating.one(part, instance.payload, all_criteria=False)
            if each.failure:
                return [Match(rule, each, None, each.failure)]
            if each.matches:
                explanation = explanation or each
                try:
                    group = group_of(by, instance.payload)
                except StepsError as error:
                    return [Match(rule, each, None, f"correlate.by: {error}")]
                parts[group] = (*parts.get(group, ()), place)
        if explanation is None:
            return []
        return [_grouped(Match(rule, explanation, None, "", parts=tuple(parts.items())), instance)]

    async def later(self, rule: Rule, instance: TriggerInstance, events: Sequence[Any]) -> Match:
        """Returns the match of a rule that matched this instance earlier, and fires now. `events` are the payloads of a
        correlation. Criteria that match no more, such as ones about the time, do not count."""
        evaluating = await self._evaluating([rule], None, needs_keys(rule), events)
        explanation = await evaluating.one(rule, instance.payload, all_criteria=True)
        if not explanation.matches:
            always = msgspec.structs.replace(rule, criteria={})
            explanation = await evaluating.one(always, instance.payload, all_criteria=True)
        match = await self._prepared(rule, instance, explanation)
        return match._replace(shown=await self.shown(rule, explanation))

    async def explanations(
        self,
        rules: Sequence[Rule],
        payload: Any,
        known: TriggerRules | None = None,
        *,
        now: int | None = None,
        early: EarlyExplanations | None = None,
    ) -> list[Explanation]:
        """Returns the explanations of enabled rules as the engine decides: backstop rules are evaluated only if no
        other rule matches. If some rules take long, calls `early` with the explanations of the others."""
        evaluating = await self._evaluating(
            rules, now, any(map(needs_keys, rules)) if known is None else known.need_keys
        )
        standard = [rule for rule in rules if rule.enabled and not rule.is_backstop]
        explanations = await evaluating.all(standard, payload, early)
        if not any(each.matches for each in explanations):
            backstops = [rule for rule in rules if rule.enabled and rule.is_backstop]
            explanations += await evaluating.all(backstops, payload)
        return explanations

    async def explain(self, rule: Rule, payload: Any, trigger: str = "", *, now: int | None = None) -> Explanation:
        """Returns the explanation of one rule, enabled or not, with all of its criteria, as that of `explainer`."""
        at = self._clock.now() if now is None else now
        return await (await self.explainer(rule))(payload, trigger, at)

    async def explainer(self, rule: Rule) -> Callable[[Any, str, int], Awaitable[Explanation]]:
        """Returns a function that returns the explanation of `rule` for a payload of an event of a trigger (its ref) at
        a time (µs). It uses the keys of the present, which are read only once.

        The explanation of a rule that correlates several events is that of the first place that the event can take;
        if it can take none, that of the first place of its trigger, or of the rule's own place. It has no parameters.
        """
        evaluating = await self._evaluating([rule], 0, needs_keys(rule))
        correlation = correlation_of(rule)
        places = [(rule.trigger.ref, rule)]
        if correlation is not None:
            places = [(ref, part) for ref, part, _ in places_of(rule, correlation)]

        async def explain(payload: Any, trigger: str, now: int) -> Explanation:
            parts = [part for ref, part in places if ref == trigger] or [places[0][1]]
            explanations = [await evaluating.at(now).one(part, payload, all_criteria=True) for part in parts]
            return next((each for each in explanations if each.matches or each.failure), explanations[0])

        return explain

    async def shown(self, rule: Rule, explanation: Explanation) -> dict[str, Any]:
        """Returns the document of an explanation, with `********` for parameters that the rule's action calls
        secret."""
        runnable = await self._content.runnable(rule.action.ref)
        if runnable is None or not explanation.parameters:
            return explanation_document(explanation)
        masked = dict(explanation.parameters)
        schemas = self._binding.schemas(*runnable)
        for name, value in explanation.parameters.items():
            place = place_of(schemas.get(name, {}))
            if place.has_secrets:
                masked[name] = mask_secrets(value, place) if isinstance(value, dict | list) else MASK
        return explanation_document(msgspec.structs.replace(explanation, parameters=masked))

    async def match(self, rule: Rule, instance: TriggerInstance, explanation: Explanation) -> Match:
        """Returns the match of a rule, with the checked request for its action unless the rule fires later."""
        if defers(rule) and explanation.matches:
            match = Match(rule, explanation, None, explanation.error)
        else:
            match = await self._prepared(rule, instance, explanation)
        return match._replace(shown=await self.shown(rule, explanation))

    async def _prepared(self, rule: Rule, instance: TriggerInstance, explanation: Explanation) -> Match:
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

    async def _evaluating(
        self, rules: Sequence[Rule], now: int | None, need_keys: bool, events: Sequence[Any] = ()
    ) -> Evaluating:
        keys = await self._binding.all_keys(self._user) if need_keys else NO_KEYS
        schemas: dict[str, Mapping[str, Any]] = {}
        for ref in {rule.action.ref for rule in rules}:
            runnable = await self._content.runnable(ref)
            if runnable is not None:
                schemas[ref] = self._binding.schemas(*runnable)
        names: dict[str, Any] = {"action_context": {"user": self._user}}
        if events:
            names["events"] = list(events)
        at = self._clock.now() if now is None else now
        return Evaluating(
            self._binding, keys, partial(_setting, now=at, names=names, schemas=schemas), self._long_rules
        )


def _has_gate(rule: Rule) -> bool:
    """Checks whether a rule may keep back its own matches."""
    return bool(rule.throttle or rule.correlate or rule.absent or rule.hold)


def _grouped(match: Match, instance: TriggerInstance) -> Match:
    """Returns the match with the group of the rule's throttle."""
    throttle = throttle_of(match.rule)
    if throttle is None or match.failure:
        return match
    try:
        return match._replace(group=group_of(throttle.by, instance.payload))
    except StepsError as error:
        return match._replace(prepared=None, failure=f"throttle.by: {error}")


def _setting(
    jinja: Jinja, taint: Taint, now: int, names: Mapping[str, Any], schemas: Mapping[str, Mapping[str, Any]]
) -> Setting:
    return Setting(
        jinja,
        now,
        names=names,
        schemas=lambda ref: schemas.get(ref, {}),
        taint=taint,
        is_brief=jinja.is_brief,
        seconds=time.monotonic,
    )
