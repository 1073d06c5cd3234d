"""Backtests a rule: evaluates it for stored events, and compares with the stored rule or with what happened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from squall.core.event.rules.explanation import Explanation
from squall.core.event.rules.records import (
    SUCCEEDED,
    EnforcementFilter,
    InstanceFilter,
    Rule,
    TriggerInstance,
    parameters_digest,
)
from squall.core.timestamp import to_iso
from squall.ports import Store, Tx
from squall.services.event.rules.deciding import Deciding
from squall.services.event.rules.trigger_parameters import TriggerParameters

MOST = 100_000
"""The most events of one backtest."""

EXAMPLES = 5
"""The most examples of each kind in a report."""

_BATCH = 256
_BATCH_BYTES = 4 << 20
_TURN = 0.002

Fires = Callable[[TriggerInstance], Awaitable[bool]]
"""Returns whether the rule of comparison fires for an instance."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """The events of a backtest: the newest `limit` of those after `after` and before `before` (µs)."""

    after: int | None = None
    before: int | None = None
    limit: int = 1_000


class Report(msgspec.Struct, kw_only=True):
    """The result of a backtest for the events of a trigger, which has a type and parameters. `compared_with` is
    `stored rule` or `what happened`.

    Of the `evaluated` events, `would_fire` match and lead to an action: `would_start` of them did not, and `would_stop`
    others did. `kept_back` other events match, but did not fire when they came, for a reason such as a throttle; the
    rule would keep them back again. `failed` counts events for which the rule fails. `examples` has explanations by
    kind. `note` says what the numbers leave out, if the rule has a gate.
    """

    trigger: str
    trigger_type: str
    trigger_parameters: dict[str, Any]
    compared_with: str
    evaluated: int = 0
    would_fire: int = 0
    kept_back: int = 0
    would_start: int = 0
    would_stop: int = 0
    unchanged: int = 0
    failed: int = 0
    oldest: str = ""
    newest: str = ""
    note: str = ""
    examples: dict[str, list[dict[str, Any]]] = msgspec.field(
        default_factory=lambda: {"would_start": [], "would_stop": [], "kept_back": [], "failed": []}
    )


class _Past(NamedTuple):
    """The ids of the instances for which a rule fired, and why its matches of other instances were kept back."""

    fired: frozenset[str]
    kept: Mapping[str, str]


class Backtesting:
    """The use case of backtests. They change nothing. One runs at a time."""

    def __init__(self, store: Store, deciding: Deciding, parameters: TriggerParameters) -> None:
        self._store = store
        self._deciding = deciding
        self._parameters = parameters
        self._lock = asyncio.Lock()

    async def run(self, rule: Rule, span: Span) -> Report:
        """Returns the report about a rule. An edited rule, whose `id` is empty, is compared with the stored rule of its
        ref; if there is none, or the rule is stored itself, with what happened. Raises `InvalidError`."""
        async with self._lock:
            stored = None if rule.id else await self._store.read(lambda tx: tx.rules.get(rule.ref))
            parameters = await self._parameters.rendered(rule)
            trigger = await self._trigger(rule, parameters)
            report = Report(
                trigger=trigger,
                trigger_type=rule.trigger.type,
                trigger_parameters=dict(parameters),
                compared_with="stored rule" if stored else "what happened",
                note=_note(rule),
            )
            explain = await self._deciding.explainer(rule)
            fires = await self._stored_fires(stored) if stored else None
            loop = asyncio.get_running_loop()
            until = loop.time() + _TURN
            async for instances in self._batches(trigger, span):
                past = await self._past(rule.ref, instances)
                for instance in instances:
                    kept = past.kept.get(instance.id, "")
                    explanation = await explain(instance.payload, instance.trigger, _time(instance))
                    before = await fires(instance) if fires is not None else instance.id in past.fired
                    await self._compare(report, rule, instance, explanation, before, kept)
                    if loop.time() > until:
                        await asyncio.sleep(0)
                        until = loop.time() + _TURN
            return report

    async def _trigger(self, rule: Rule, parameters: Mapping[str, Any]) -> str:
        """Returns the ref of the trigger of a rule; of one that no rule has, a ref without events."""

        async def work(tx: Tx) -> str:
            trigger = await tx.triggers.with_parameters(rule.trigger.type, parameters_digest(parameters))
            return trigger.ref if trigger is not None else rule.trigger.ref or rule.trigger.type

        return await self._store.read(work)

    async def _stored_fires(self, stored: Rule) -> Fires:
        explain = await self._deciding.explainer(stored)

        async def fires(instance: TriggerInstance) -> bool:
            return stored.enabled and _fires(await explain(instance.payload, instance.trigger, _time(instance)))

        return fires

    async def _past(self, rule_ref: str, instances: list[TriggerInstance]) -> _Past:
        """Returns what the rule of this ref did for these instances."""
        ids = tuple(instance.id for instance in instances)

        async def work(tx: Tx) -> _Past:
            enforcements = await tx.enforcements.find(EnforcementFilter(instances=ids, rule=rule_ref), None, 0)
            kept = {each.instance: each.reason for each in await tx.kept_back.of(ids) if each.rule_ref == rule_ref}
            enforced = {each.trigger_instance_id: each.status for each in enforcements}
            return _Past(
                frozenset(instance for instance, status in enforced.items() if status == SUCCEEDED),
                {instance: reason for instance, reason in kept.items() if instance not in enforced},
            )

        return await self._store.read(work)

    async def _batches(self, trigger: str, span: Span) -> AsyncIterator[list[TriggerInstance]]:
        """Yields the events from the newest to the oldest."""
        left, before = span.limit, None
        while left > 0:
            where = InstanceFilter(triggers=(trigger,), after=span.after, before=span.before, number_before=before)
            instances = list(
                await self._store.read(lambda tx: tx.instances.batch(where, min(left, _BATCH), _BATCH_BYTES))  # noqa: B023
            )
            if not instances:
                return
            yield instances
            left -= len(instances)
            before = instances[-1].number

    async def _compare(
        self, report: Report, rule: Rule, instance: TriggerInstance, explanation: Explanation, before: bool, kept: str
    ) -> None:
        matches = _fires(explanation)
        before = before and not kept
        # An edited rule without a gate lets these matches fire.
        kept = kept if rule.id or _note(rule) else ""
        fires = matches and not kept
        at = to_iso(instance.occurred_at)
        report.evaluated += 1
        report.newest = report.newest or at
        report.oldest = at
        report.would_fire += fires
        report.kept_back += matches and bool(kept)
        report.would_start += fires and not before
        report.would_stop += before and not fires
        report.unchanged += fires == before
        report.failed += bool(explanation.failure)
        kinds = {
            "would_start": fires and not before,
            "would_stop": before and not fires,
            "kept_back": matches and bool(kept),
            "failed": bool(explanation.failure),
        }
        for kind, applies in kinds.items():
            if applies and len(report.examples[kind]) < EXAMPLES:
                shown = await self._deciding.shown(rule, explanation)
                example = {"trigger_instance": instance.id, "occurrence_time": at, **shown}
                if kind == "kept_back":
                    example["reason"] = kept
                report.examples[kind].append(example)


def _time(instance: TriggerInstance) -> int:
    return instance.evaluated_at or instance.occurred_at


def _note(rule: Rule) -> str:
    """Returns what a backtest of the rule leaves out; empty if that is nothing."""
    if rule.correlate is not None:
        return (
            "The rule has correlate. Only events of its own trigger are evaluated, and one counts if it can take its "
            "place in a group. Test cases with over_time show when groups are complete: squall rule test"
        )
    gates = [name for name in ("throttle", "absent", "hold") if getattr(rule, name)]
    if not gates:
        return ""
    return (
        f"The rule has {' and '.join(gates)}. Only its criteria are evaluated. A match counts as kept back if the "
        "stored rule kept it back when the event came. Test cases with over_time evaluate the rest: squall rule test"
    )


def _fires(explanation: Explanation) -> bool:
    return explanation.matches and not explanation.failure
