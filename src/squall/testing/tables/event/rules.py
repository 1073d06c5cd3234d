# ruff: noqa: S101 - asserting is what a contract suite is for
"""The contract of the tables of rules and enforcements; a part of `squall.testing.tables.store`."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from squall.core.event.rules.records import (
    FAILED,
    Enforcement,
    EnforcementFilter,
    Rule,
    RuleAction,
    RuleFilter,
    RuleIdentity,
    RuleTrigger,
)
from squall.ports import Store, Tx
from squall.testing.samples import NOON, sample_id


def sample_rule(name: str, number: int = 1, **changes: Any) -> Rule:
    """Returns an enabled rule of pack `p`, of the trigger `p.t` and the action `core.noop`."""
    fields: dict[str, Any] = {
        "uid": f"rule:p:{name}",
        "name": name,
        "ref": f"p.{name}",
        "pack": "p",
        "trigger": RuleTrigger(type="p.t", ref="p.t"),
        "criteria": {"trigger.n": {"type": "gt", "pattern": 1}},
        "action": RuleAction(ref="core.noop"),
        "enabled": True,
        "id": sample_id(number),
    }
    return Rule(**(fields | changes))


def sample_enforcement(number: int = 1, **changes: Any) -> Enforcement:
    """Returns the enforcement of rule `p.a` for the sample instance with this number."""
    fields: dict[str, Any] = {
        "trigger_instance_id": sample_id(number),
        "execution_id": sample_id(100 + number),
        "rule": RuleIdentity(ref="p.a", id=sample_id(1), uid="rule:p:a"),
        "enforced_at": NOON + number,
        "id": sample_id(200 + number),
    }
    return Enforcement(**(fields | changes))


async def put(store: Store, *rules: Rule, at: int = NOON) -> None:
    """Writes rules in one unit of work."""

    async def work(tx: Tx) -> None:
        for rule in rules:
            await tx.rules.put(rule, at)

    await store.tx(work)


@pytest.mark.anyio
class RuleContract:
    """The contract of `ports.RuleRows`."""

    async def test_a_rule_is_replaced_by_one_with_its_id(self, store: Store) -> None:
        """It may have another ref then."""
        first, changed = sample_rule("a"), sample_rule("b", hold=True, throttle={"within": "1m"})
        await put(store, first, changed)
        assert await store.read(lambda tx: tx.rules.get("p.a")) is None
        assert await store.read(lambda tx: tx.rules.get("p.b")) == changed
        assert await store.read(lambda tx: tx.rules.get(first.id)) == changed
        await store.tx(lambda tx: tx.rules.delete(changed, NOON))
        assert await store.read(lambda tx: tx.rules.get(first.id)) is None

    async def test_a_page_of_rules_is_filtered_and_ordered_by_pack_and_name(self, store: Store) -> None:
        """Each attribute of the filter selects."""
        rules = [
            sample_rule("b", 1),
            sample_rule("a", 2, enabled=False),
            sample_rule("c", 3, pack="o", ref="o.c", action=RuleAction(ref="core.local")),
            sample_rule("d", 4, trigger=RuleTrigger(type="p.u", parameters={"a": 1}, ref="p.one")),
        ]
        await put(store, *rules)

        async def names(**where: Any) -> list[str]:
            page = await store.read(lambda tx: tx.rules.find(RuleFilter(**where)))
            assert await store.read(lambda tx: tx.rules.count(RuleFilter(**where))) == len(page)
            return [rule.name for rule in page]

        assert await names() == ["c", "a", "b", "d"]
        assert await names(pack="o") == await names(action="core.local") == ["c"]
        assert await names(trigger="p.t", enabled=True) == ["c", "b"]
        assert await names(enabled=False) == await names(name="a") == await names(ids=(sample_id(2),)) == ["a"]
        assert await names(type="p.u") == await names(trigger="p.one") == ["d"]
        page = await store.read(lambda tx: tx.rules.find(RuleFilter(), 2, 1))
        assert [rule.name for rule in page] == ["a", "b"]
        assert sorted(await store.read(lambda tx: tx.rules.enabled_types())) == ["p.t", "p.u"]

    async def test_every_change_has_a_number_and_the_rules_of_that_time_are_kept(self, store: Store) -> None:
        """A rule that moved to another trigger is not one of the first trigger any more."""
        assert await store.read(lambda tx: tx.rules.number()) == 0
        first, changed = sample_rule("a"), sample_rule("a", description="new")
        moved = sample_rule("a", trigger=RuleTrigger(type="p.u", ref="p.u"))
        numbers = []
        for change in (first, sample_rule("b", 2), changed, moved):
            await put(store, change)
            numbers.append(await store.read(lambda tx: tx.rules.number()))
        await store.tx(lambda tx: tx.rules.delete(sample_rule("b", 2), NOON))
        numbers.append(await store.read(lambda tx: tx.rules.number()))
        assert sorted(set(numbers)) == numbers

        async def as_of(at: int, trigger: str = "p.t") -> list[Rule]:
            return list(await store.read(lambda tx: tx.rules.as_of(trigger, numbers[at])))

        assert [await as_of(at) for at in (0, 1, 2)] == [
            [first], [first, sample_rule("b", 2)], [changed, sample_rule("b", 2)]
        ]  # fmt: skip
        assert [await as_of(3), await as_of(4)] == [[sample_rule("b", 2)], []]
        assert [await as_of(2, "p.u"), await as_of(3, "p.u")] == [[], [moved]]

    async def test_only_versions_that_were_replaced_before_a_time_are_forgotten(self, store: Store) -> None:
        """The number of the last change stays, even if that rule was removed."""
        await put(store, sample_rule("a"), at=NOON)
        await put(store, sample_rule("a", description="new"), sample_rule("b", 2), at=NOON + 5)
        await put(store, sample_rule("a", description="newer"), at=NOON + 9)
        await store.tx(lambda tx: tx.rules.delete(sample_rule("b", 2), NOON + 9))
        number = await store.read(lambda tx: tx.rules.number())
        assert await store.tx(lambda tx: tx.rules.forget(NOON + 9, 10)) == 1
        assert await store.tx(lambda tx: tx.rules.forget(NOON + 99, 1)) == 1
        assert await store.tx(lambda tx: tx.rules.forget(NOON + 99, 10)) == 1
        assert await store.read(lambda tx: tx.rules.number()) == number
        rules = await store.read(lambda tx: tx.rules.as_of("p.t", number))
        assert [rule.description for rule in rules] == ["newer"]


@pytest.mark.anyio
class EnforcementContract:
    """The contract of `ports.EnforcementRows`."""

    async def test_a_rule_has_one_enforcement_for_an_instance(self, store: Store) -> None:
        """A second one adds nothing. Other rules and other instances have their own."""
        first = sample_enforcement(1)
        again = sample_enforcement(1, id=sample_id(300))
        other_rule = msgspec.structs.replace(first.rule, id=sample_id(2))
        other = sample_enforcement(1, id=sample_id(301), rule=other_rule)

        async def work(tx: Tx) -> list[bool]:
            return [await tx.enforcements.add(each, b"{}") for each in (first, again, other, sample_enforcement(2))]

        assert await store.tx(work) == [True, False, True, True]
        known = [
            await store.read(lambda tx, ids=ids: tx.enforcements.known(*ids))  # type: ignore[misc]
            for ids in ((sample_id(1), sample_id(1)), (sample_id(1), sample_id(3)), (sample_id(3), sample_id(1)))
        ]
        assert known == [True, False, False]
        assert await store.read(lambda tx: tx.enforcements.get(again.id)) is None

    async def test_an_enforcement_is_read_with_its_explanation(self, store: Store) -> None:
        """Unknown ones have none."""
        failed = sample_enforcement(1, execution_id=None, failure_reason="why", status=FAILED)
        await store.tx(lambda tx: tx.enforcements.add(failed, b'{"matches":true}'))
        assert await store.read(lambda tx: tx.enforcements.get(failed.id)) == failed
        assert await store.read(lambda tx: tx.enforcements.explanation(failed.id)) == b'{"matches":true}'
        assert await store.read(lambda tx: tx.enforcements.explanation(sample_id(9))) == b""

    async def test_a_page_of_enforcements_is_filtered_and_ordered_by_time(self, store: Store) -> None:
        """Those of one rule, one instance, one execution, or one time."""
        other = RuleIdentity(ref="p.b", id=sample_id(2), uid="rule:p:b")

        async def work(tx: Tx) -> None:
            for each in (sample_enforcement(2, rule=other), sample_enforcement(1), sample_enforcement(3)):
                await tx.enforcements.add(each, b"{}")

        await store.tx(work)

        async def found(limit: int | None = None, offset: int = 0, **where: Any) -> list[int]:
            chosen = EnforcementFilter(**where)
            page = await store.read(lambda tx: tx.enforcements.find(chosen, limit, offset))
            return [enforcement.enforced_at - NOON for enforcement in page]

        assert await found() == [3, 2, 1]
        assert await found(1, 1) == [2]
        assert await found(newest_first=False) == [1, 2, 3]
        assert await found(rule="p.b") == await found(rule_id=sample_id(2)) == await found(ids=(sample_id(202),)) == [2]
        assert await found(instances=(sample_id(3), sample_id(1))) == [3, 1]
        assert await found(execution=sample_id(103)) == [3]
        assert await found(after=NOON + 1, before=NOON + 3) == [2]
        assert await store.read(lambda tx: tx.enforcements.count(EnforcementFilter(rule="p.a"), 9)) == 2
        assert await store.read(lambda tx: tx.enforcements.count(EnforcementFilter(), 2)) == 2
        assert await store.tx(lambda tx: tx.enforcements.expire(NOON + 3, 1)) == 1
        assert await found() == [3, 2]
