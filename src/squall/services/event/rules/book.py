"""The rules of triggers, in memory, with the number of the change of rules that they include."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from squall.core.event.rules.evaluating import needs_keys
from squall.core.event.rules.records import Rule, RuleFilter
from squall.ports import Store, Tx

_MOST_TRIGGERS = 1_000
_MOST_RULES = 50_000


class TriggerRules(NamedTuple):
    """The enabled rules of a trigger as they were after the change of rules `number`. `need_keys`: one may read the
    datastore."""

    number: int
    rules: Sequence[Rule]
    need_keys: bool


class RuleBook:
    """A cache of the enabled rules by trigger. Whoever writes with its answers compares `number` with the store's in
    the same transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._triggers: OrderedDict[str, TriggerRules] = OrderedDict()
        self._count = 0

    async def of(self, trigger: str) -> TriggerRules:
        """Returns the enabled rules of a trigger, ordered by pack and name."""
        known = self._triggers.get(trigger)
        if known is not None:
            self._triggers.move_to_end(trigger)
            return known

        async def work(tx: Tx) -> tuple[int, Sequence[Rule]]:
            return await tx.rules.number(), await tx.rules.find(RuleFilter(trigger=trigger, enabled=True))

        number, rules = await self._store.read(work)
        if trigger in self._triggers:
            self._count -= len(self._triggers.pop(trigger).rules)
        entry = TriggerRules(number, rules, any(map(needs_keys, rules)))
        if self._triggers and next(iter(self._triggers.values())).number != number:
            self.clear()
        self._triggers[trigger] = entry
        self._count += len(rules)
        while len(self._triggers) > _MOST_TRIGGERS or (self._count > _MOST_RULES and len(self._triggers) > 1):
            _, oldest = self._triggers.popitem(last=False)
            self._count -= len(oldest.rules)
        return entry

    def clear(self) -> None:
        """Forgets all rules. Call it after a change of rules."""
        self._triggers.clear()
        self._count = 0
