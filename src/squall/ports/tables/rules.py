"""The tables of rules, of their earlier versions, and of enforcements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from squall.core.event.rules.records import Enforcement, EnforcementFilter, Rule, RuleFilter


class RuleRows(Protocol):
    """The table of rules. Each change of a rule has a number, and the rule as it was then is kept."""

    async def put(self, rule: Rule, at: int) -> None:
        """Adds a rule, or replaces the one with the same id, at `at` (µs). No other rule may have the same ref."""
        ...

    async def get(self, ref_or_id: str) -> Rule | None:
        """Returns a rule by its ref or id."""
        ...

    async def delete(self, rule: Rule, at: int) -> None:
        """Removes a rule at `at` (µs)."""
        ...

    async def find(self, where: RuleFilter, limit: int | None = None, offset: int = 0) -> Sequence[Rule]:
        """Returns a page of the rules that match, ordered by pack and name."""
        ...

    async def count(self, where: RuleFilter) -> int:
        """Returns the number of rules that match."""
        ...

    async def number(self) -> int:
        """Returns the number of the last change of a rule; 0 if there was none."""
        ...

    async def as_of(self, trigger: str, number: int) -> Sequence[Rule]:
        """Returns the rules of a trigger as they were after the change `number`, ordered by pack and name: those whose
        own trigger it is, and those that wait for its events in `correlate`."""
        ...

    async def enabled_types(self) -> Sequence[str]:
        """Returns the refs of the trigger types that enabled rules have."""
        ...

    async def forget(self, before: int, limit: int) -> int:
        """Removes up to `limit` versions of rules that were replaced or removed before `before` (µs). Returns their
        number."""
        ...


class EnforcementRows(Protocol):
    """The table of enforcements: at most one for each rule and trigger instance."""

    async def add(self, enforcement: Enforcement, explanation: bytes) -> bool:
        """Adds an enforcement with its explanation (JSON). Returns False, and adds nothing, if the rule has one for
        this instance."""
        ...

    async def known(self, rule_id: str, instance_id: str) -> bool:
        """Checks whether the rule has an enforcement for this instance."""
        ...

    async def get(self, enforcement_id: str) -> Enforcement | None:
        """Returns an enforcement by its id."""
        ...

    async def explanation(self, enforcement_id: str) -> bytes:
        """Returns the explanation of an enforcement (JSON); empty if there is none."""
        ...

    async def find(self, where: EnforcementFilter, limit: int | None, offset: int) -> Sequence[Enforcement]:
        """Returns a page of the enforcements that match."""
        ...

    async def count(self, where: EnforcementFilter, cap: int) -> int:
        """Returns the number of enforcements that match, at most `cap`."""
        ...

    async def keep_origin(self, key: str, documents: bytes) -> None:
        """Keeps the documents (JSON) of the rule, trigger and trigger type of an execution, if no other has this
        key."""
        ...

    async def origin(self, key: str) -> bytes:
        """Returns the documents with this key (JSON); empty if there are none."""
        ...

    async def expire(self, before: int, limit: int) -> int:
        """Removes up to `limit` enforcements from before `before` (µs). Returns their number."""
        ...
