"""Follows the decisions of one rule: about each event of its triggers, in the order of storing.

Everything is read from the store, so a follower may come late, and nothing is kept in memory for followers.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from squall.core.event.gates.settings import trigger_types
from squall.core.event.rules.records import InstanceFilter, Rule, TriggerInstance
from squall.core.timestamp import to_iso
from squall.ports import Bus, Store, Tx
from squall.services.event.rules.explaining import Explaining, Stored, is_undecided, stored_results
from squall.services.event.rules.rules import missing
from squall.services.event.triggers.wanted import Wanted
from squall.services.lanes import CHANGED

_BATCH = 64
_BATCH_BYTES = 4 << 20


class Step(NamedTuple):
    """The position behind an instance (its number), and the decision about it. The decision is None if nothing came
    for a while, or if the rule did not exist at the evaluation."""

    position: int
    decision: dict[str, Any] | None


class _Page(NamedTuple):
    """Evaluated instances with the stored results of the rule for them, and the rules of each trigger and version in
    use."""

    instances: Sequence[TriggerInstance]
    results: Mapping[tuple[str, str], Stored]
    rules: dict[tuple[str, int], Sequence[Rule]]


class Decisions:
    """The use case of following decisions. It polls every `poll` seconds without hints. `stopping` returns True when
    the server stops."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        explaining: Explaining,
        wanted: Wanted,
        *,
        poll: float,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._bus = bus
        self._explaining = explaining
        self._wanted = wanted
        self._poll = poll
        self._stopping = stopping

    async def begin(self, ref_or_id: str) -> tuple[Rule, int]:
        """Returns a rule, and the position at the present: behind the newest event of its triggers.
        Raises `NotFoundError`."""

        async def work(tx: Tx) -> tuple[Rule, int]:
            rule = await tx.rules.get(ref_or_id)
            if rule is None:
                raise missing(ref_or_id)
            return rule, max([await tx.instances.newest(ref) for ref in _triggers(rule)])

        return await self._store.read(work)

    async def follow(self, rule: Rule, position: int) -> AsyncGenerator[Step, None]:
        """Yields the decisions of a rule about the events behind `position`, until the rule is removed or the server
        stops. Yields a step without a decision after each wait."""
        with ExitStack() as stack:
            hints = stack.enter_context(self._bus.subscribe(CHANGED))
            for type_ref in trigger_types(rule):
                stack.enter_context(self._wanted.viewed(type_ref))
            while not self._stopping():
                current = await self._store.read(lambda tx: tx.rules.get(rule.id))
                if current is None:
                    return
                page = await self._page(current, position)
                for instance in page.instances:
                    position = instance.number
                    yield Step(position, await self._decision(current, instance, page))
                if not page.instances:
                    await hints.wait(self._poll)
                    yield Step(position, None)

    async def _page(self, rule: Rule, position: int) -> _Page:
        """Reads the next evaluated instances. One that still waits keeps the later ones back: its decision comes
        first."""
        where = InstanceFilter(triggers=_triggers(rule), number_after=position, newest_first=False)

        async def work(tx: Tx) -> _Page:
            decided: list[TriggerInstance] = []
            for instance in await tx.instances.batch(where, _BATCH, _BATCH_BYTES):
                if is_undecided(instance):
                    break
                decided.append(instance)
            if not decided:
                return _Page((), {}, {})
            ids = tuple(instance.id for instance in decided)
            results = await stored_results(tx, ids, rule.id)
            rules: dict[tuple[str, int], Sequence[Rule]] = {}
            for trigger, number in {(instance.trigger, instance.rules_number) for instance in decided}:
                # An event whose evaluation failed has no number of rules.
                rules[trigger, number] = await tx.rules.as_of(trigger, number or await tx.rules.number())
            return _Page(decided, results, rules)

        return await self._store.read(work)

    async def _decision(self, rule: Rule, instance: TriggerInstance, page: _Page) -> dict[str, Any] | None:
        rules = page.rules[instance.trigger, instance.rules_number]
        then = next((each for each in rules if each.id == rule.id), None)
        if then is None:
            return None
        result = page.results.get((instance.id, rule.id), Stored())
        decided = await self._explaining.decided(then, instance, result, rules)
        return {
            "trigger_instance": {
                "id": instance.id,
                "number": instance.number,
                "occurrence_time": to_iso(instance.occurred_at),
                "status": instance.status,
            },
            "evaluated_at": to_iso(instance.evaluated_at),
            **decided.document(),
        }


def _triggers(rule: Rule) -> tuple[str, ...]:
    """Returns the refs of the triggers of a rule: its own, and those of the further events of `correlate`."""
    return tuple(dict.fromkeys((rule.trigger.ref, *rule.events)))
