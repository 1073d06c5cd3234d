"""Explains what rules decide: one rule for any event, and all rules for a stored event as they were then."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from squall.core.errors import InvalidError, NotFoundError
from squall.core.event.gates.settings import awaits
from squall.core.event.rules.evaluating import needs_keys
from squall.core.event.rules.reading import make_rule
from squall.core.event.rules.records import (
    FAILED,
    PENDING,
    PROCESSED,
    PROCESSING,
    Enforcement,
    EnforcementFilter,
    KeptBack,
    Rule,
    TriggerInstance,
    document,
)
from squall.core.timestamp import to_iso
from squall.ports import Clock, Store, Tx
from squall.services.event.rules.deciding import Deciding
from squall.services.event.rules.rules import missing

FIRED = "fired"
"""The rule matched, and there is an execution of its action."""
FAILS = "failed"
"""The rule failed; the explanation has the reason."""
NO_MATCH = "no_match"
DISABLED = "disabled"
"""The rule was disabled when the event was evaluated."""
OTHER_MATCHED = "other_matched"
"""The rule is a backstop, and another rule matched."""
KEPT_BACK = "kept_back"
"""The rule matched but did not fire: the decision has the reason. If there is none, keys may have changed since."""
NOT_EVALUATED = "not_evaluated"
"""The event still waits for its evaluation, or the evaluation failed."""
WOULD_FIRE = "would_fire"
"""The rule matches an event that it was not evaluated for."""
WOULD_WAIT = "would_wait"
"""The same, but a match of this rule does not fire at once: the decision has the reason."""

MOST_RULES = 1_000
"""The most rules that one answer explains."""


class Explained(NamedTuple):
    """The decision of a rule about an event: one of the outcomes above, the document of the explanation, and the
    enforcement, if there is one. `reason` says why a match was kept back or would wait. `keys_may_differ` is True if
    the rule reads keys, which may have changed since."""

    rule: Rule
    outcome: str
    explanation: dict[str, Any]
    enforcement: Enforcement | None = None
    reason: str = ""
    keys_may_differ: bool = False

    def document(self) -> dict[str, Any]:
        """Returns the decision as the API shows it."""
        shown = {**self.explanation, "outcome": self.outcome, "enabled": self.rule.enabled}
        if self.enforcement is not None:
            shown.setdefault("failure_reason", self.enforcement.failure_reason)
            shown["enforcement_id"] = self.enforcement.id
            shown["execution_id"] = self.enforcement.execution_id
        if self.reason:
            shown["reason"] = self.reason
        if self.keys_may_differ:
            shown["note"] = "The rule reads keys of the datastore. This is its decision with their present values."
        return {key: value for key, value in shown.items() if value is not None}


class Stored(NamedTuple):
    """The stored result of a rule for an instance: its enforcement, or why its match was kept back, or neither."""

    enforcement: Enforcement | None = None
    kept: KeptBack | None = None


class Explaining:
    """The use cases of explanations. They change nothing."""

    def __init__(self, store: Store, clock: Clock, deciding: Deciding) -> None:
        self._store = store
        self._clock = clock
        self._deciding = deciding

    async def rule_of(self, rule_or_ref: Any) -> tuple[Rule, bool]:
        """Returns the rule in a request: a ref or id, or a whole rule. The second value is True if it is a stored one.
        Raises `NotFoundError`, `InvalidError`."""
        if isinstance(rule_or_ref, str):
            stored = await self._store.read(lambda tx: tx.rules.get(rule_or_ref))
            if stored is None:
                raise missing(rule_or_ref)
            return stored, True
        if not isinstance(rule_or_ref, dict):
            raise InvalidError("rule: expected the ref or id of a rule, or a whole rule")
        return make_rule(rule_or_ref), False

    async def explain(self, rule: Rule, payload: Any, trigger: str = "", at: int | None = None) -> Explained:
        """Returns what `rule` would decide about an event with this payload at `at` (µs; the present by default). Also
        checks whether the parameters fit the action. `trigger` (a ref) is that of the event; by default the rule's."""
        explanation = await self._deciding.explain(rule, payload, trigger, now=at)
        shown = await self._deciding.shown(rule, explanation)
        failure = explanation.failure
        if explanation.matches:
            nothing = TriggerInstance(trigger=rule.trigger.ref, occurred_at=0, id="", payload=None)
            failure = (await self._deciding.match(rule, nothing, explanation)).failure
        if failure:
            return Explained(rule, FAILS, {**shown, "failure_reason": failure})
        if not explanation.matches:
            return Explained(rule, NO_MATCH, shown)
        reason = awaits(rule)
        return Explained(rule, WOULD_WAIT if reason else WOULD_FIRE, shown, reason=reason)

    async def instance(self, instance_id: str) -> dict[str, Any]:
        """Returns the decisions of all rules of an instance's trigger, as the rules were at its evaluation. Before
        that, as they are. Raises `NotFoundError`."""

        async def work(tx: Tx) -> tuple[TriggerInstance, Sequence[Rule], Mapping[tuple[str, str], Stored]]:
            instance = await tx.instances.get(instance_id)
            if instance is None:
                raise NotFoundError(f'Unable to identify resource with id "{instance_id}".')
            number = instance.rules_number or await tx.rules.number()
            rules = await tx.rules.as_of(instance.trigger, number)
            return instance, rules, await stored_results(tx, (instance_id,))

        instance, rules, results = await self._store.read(work)
        decisions: list[Explained] = []
        for rule in rules[:MOST_RULES]:
            result = results.get((instance_id, rule.id), Stored())
            decisions.append(await self.decided(rule, instance, result, rules))
            await asyncio.sleep(0)
        return {
            "trigger_instance": document(instance),
            **({"evaluated_at": to_iso(instance.evaluated_at)} if instance.evaluated_at else {}),
            "rules": [decision.document() for decision in decisions],
            "rules_left_out": max(len(rules) - MOST_RULES, 0),
        }

    async def decided(self, rule: Rule, instance: TriggerInstance, result: Stored, rules: Sequence[Rule]) -> Explained:
        """Returns the decision of `rule` about an instance, with the rule as it was then; `rules` are all rules of its
        trigger. With an enforcement, this is the explanation of that time; otherwise the rule is evaluated again."""
        enforcement, kept = result
        if enforcement is not None:
            stored = await self._store.read(lambda tx: tx.enforcements.explanation(enforcement.id))
            outcome = FAILS if enforcement.status == FAILED else FIRED
            return Explained(rule, outcome, msgspec.json.decode(stored) if stored else {}, enforcement)
        at = instance.evaluated_at or instance.occurred_at
        explanation = await self._deciding.explain(rule, instance.payload, instance.trigger, now=at)
        shown = await self._deciding.shown(rule, explanation)
        if kept is not None:
            return Explained(rule, KEPT_BACK, shown, reason=kept.reason, keys_may_differ=needs_keys(rule))
        if not rule.enabled:
            outcome = DISABLED
        elif instance.status != PROCESSED:
            outcome = NOT_EVALUATED
        elif not explanation.matches:
            outcome = NO_MATCH
        elif rule.is_backstop and await self._has_match(instance, rules, at):
            outcome = OTHER_MATCHED
        else:
            outcome = KEPT_BACK
        return Explained(rule, outcome, shown, keys_may_differ=needs_keys(rule))

    async def _has_match(self, instance: TriggerInstance, rules: Sequence[Rule], at: int) -> bool:
        # An event that takes a place of a correlation is no match for backstop rules.
        standard = [rule for rule in rules if rule.enabled and not rule.is_backstop and rule.correlate is None]
        explanations = await self._deciding.explanations(standard, instance.payload, now=at)
        return any(explanation.matches for explanation in explanations)


async def stored_results(
    tx: Tx, instances: Sequence[str], rule_id: str | None = None
) -> Mapping[tuple[str, str], Stored]:
    """Returns the stored results of one rule or of all, by the ids of instance and rule."""
    where = EnforcementFilter(instances=tuple(instances), rule_id=rule_id)
    results = {
        (each.instance, each.rule): Stored(kept=each) for each in await tx.kept_back.of(tuple(instances), rule_id)
    }
    for enforcement in await tx.enforcements.find(where, None, 0):
        results[enforcement.trigger_instance_id, enforcement.rule.id] = Stored(enforcement)
    return results


def is_undecided(instance: TriggerInstance) -> bool:
    """Returns True while an instance waits for its evaluation."""
    return instance.status in (PENDING, PROCESSING)
