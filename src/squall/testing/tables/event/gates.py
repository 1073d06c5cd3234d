# ruff: noqa: S101 - asserting is what a contract suite is for
"""The contract of the tables of rules over time; a part of `squall.testing.tables.store`."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from squall.core.event.gates.records import GateState, HeldMatch
from squall.core.event.gates.silences import Silence
from squall.core.event.rules.records import PROCESSED, KeptBack, RuleFilter
from squall.ports import Store, Tx
from squall.testing.samples import NOON, sample_id
from squall.testing.tables.event.rules import put, sample_rule
from squall.testing.tables.event.triggers import sample_instance


def sample_state(number: int, **changes: Any) -> GateState:
    """Returns the state of group `g<number>` of the throttle of rule `r`, touched `number` µs after noon."""
    fields: dict[str, Any] = {
        "id": sample_id(number),
        "rule": "r",
        "gate": "throttle",
        "key": f"g{number}",
        "touched": NOON + number,
        "body": b"[1]",
    }
    return GateState(**(fields | changes))


def sample_silence(number: int, **changes: Any) -> Silence:
    """Returns a silence of rule `p.a` until one second after noon."""
    fields: dict[str, Any] = {
        "id": sample_id(number),
        "author": "ada",
        "reason": "works",
        "scope": "rule",
        "target": "p.a",
        "criteria": {"trigger.a": {"type": "exists"}},
        "created_at": NOON,
        "until": NOON + 1_000_000,
    }
    return Silence(**(fields | changes))


@pytest.mark.anyio
class GateContract:
    """The contract of `ports.GateRows` and `ports.SilenceRows`, and of the triggers of further events."""

    async def test_a_rule_has_one_state_for_each_gate_and_group(self, store: Store) -> None:
        """A state is replaced by one with its id."""
        states = [sample_state(1), sample_state(2), sample_state(3, gate="absent"), sample_state(4, rule="s")]

        async def write(tx: Tx) -> None:
            for state in states:
                await tx.gates.put(state)
            await tx.gates.put(msgspec.structs.replace(states[0], body=b"[2]", touched=NOON + 9))

        await store.tx(write)
        changed = await store.read(lambda tx: tx.gates.get("r", "throttle", "g1"))
        assert changed == await store.read(lambda tx: tx.gates.state(sample_id(1)))
        assert changed is not None
        assert (changed.body, changed.touched) == (b"[2]", NOON + 9)
        assert await store.read(lambda tx: tx.gates.count("r", "throttle")) == 2
        assert await store.read(lambda tx: tx.gates.oldest("r", "throttle")) == states[1]
        assert sorted(await store.tx(lambda tx: tx.gates.drop("r", ("throttle", "correlate")))) == [
            sample_id(1),
            sample_id(2),
        ]
        await store.tx(lambda tx: tx.gates.remove(sample_id(4)))
        assert await store.read(lambda tx: tx.gates.state(sample_id(4))) is None
        assert await store.read(lambda tx: tx.gates.get("r", "absent", "g3")) == states[2]

    async def test_states_expire_at_their_end_and_those_without_one_stay(self, store: Store) -> None:
        """At most `limit` of them at once."""

        async def write(tx: Tx) -> None:
            for number, until in enumerate((0, NOON, NOON, NOON + 1), 1):
                await tx.gates.put(sample_state(number, until=until))

        await store.tx(write)
        assert [await store.tx(lambda tx: tx.gates.expire(NOON, 1)) for _ in range(3)] == [1, 1, 0]
        assert await store.read(lambda tx: tx.gates.count("r", "throttle")) == 2

    async def test_a_match_is_held_once_and_taken_once(self, store: Store) -> None:
        """A page has the oldest first."""
        held = [
            HeldMatch(
                id=sample_id(number),
                rule="r",
                rule_ref="p.a",
                instance=f"i{number}",
                events=["e"],
                held_at=NOON + number,
            )
            for number in (2, 1, 3)
        ]

        async def write(tx: Tx) -> list[bool]:
            same = msgspec.structs.replace(held[0], id=sample_id(9))
            return [await tx.gates.hold(each) for each in (*held, same)]

        assert await store.tx(write) == [True, True, True, False]
        page = await store.read(lambda tx: tx.gates.held("r", None, 2, 1))
        assert list(page) == [held[0], held[2]]
        assert list(await store.read(lambda tx: tx.gates.held("r", [sample_id(1)], 9))) == [held[1]]
        assert list(await store.read(lambda tx: tx.gates.held("r", [], 9))) == []
        assert list(await store.read(lambda tx: tx.gates.held("s", [sample_id(1)], 9))) == []
        assert [await store.tx(lambda tx: tx.gates.take(sample_id(1))) for _ in range(2)] == [True, False]
        assert await store.read(lambda tx: tx.gates.held_count("r")) == 2
        await store.tx(lambda tx: tx.gates.drop_held("r"))
        assert await store.read(lambda tx: tx.gates.held_count("r")) == 0

    async def test_the_last_reason_of_a_match_stays_until_its_instance_is_removed(self, store: Store) -> None:
        """Matches of other instances and rules have their own."""
        instances = [sample_instance(number) for number in (1, 2)]
        kept = [
            KeptBack(rule=rule, rule_ref=f"p.{rule}", instance=sample_id(number), at=NOON, reason=f"{rule}{number}")
            for rule, number in (("r", 1), ("s", 1), ("r", 2))
        ]
        last = msgspec.structs.replace(kept[0], at=NOON + 1, reason="later")

        async def write(tx: Tx) -> None:
            for instance in instances:
                await tx.instances.add(instance)
            for each in (*kept, last):
                await tx.kept_back.put(each)

        async def rows(*numbers: int, rule: str | None = None) -> list[KeptBack]:
            ids = [sample_id(number) for number in numbers]
            return list(await store.read(lambda tx: tx.kept_back.of(ids, rule)))

        await store.tx(write)
        assert await rows(1, 2) == [last, kept[2], kept[1]]
        assert (await rows(1, 2, rule="s"), await rows()) == ([kept[1]], [])
        ended = msgspec.structs.replace(instances[0], status=PROCESSED)
        await store.tx(lambda tx: tx.instances.settle(ended))
        await store.tx(lambda tx: tx.instances.expire(NOON + 1_000_000_000, 10))
        assert await rows(1, 2) == [kept[2]]

    async def test_silences_are_those_of_their_targets_and_count(self, store: Store) -> None:
        """A silence that has ended is in force no more."""
        silences = [sample_silence(1), sample_silence(2, scope="pack", target="p"), sample_silence(3, target="p.b")]

        async def write(tx: Tx) -> None:
            for silence in silences:
                await tx.silences.put(silence)
            await tx.silences.silenced(sample_id(1), NOON + 5)
            await tx.silences.silenced(sample_id(1), NOON + 6)

        await store.tx(write)
        counted = msgspec.structs.replace(silences[0], count=2, last_at=NOON + 6)
        targets = [("rule", "p.a"), ("pack", "p")]
        assert list(await store.read(lambda tx: tx.silences.over(targets, NOON))) == [counted, silences[1]]
        assert list(await store.read(lambda tx: tx.silences.over(targets, NOON + 1_000_000))) == []
        assert list(await store.read(lambda tx: tx.silences.all())) == [counted, *silences[1:]]
        await store.tx(lambda tx: tx.silences.delete(sample_id(1)))
        assert await store.read(lambda tx: tx.silences.get(sample_id(1))) is None
        assert await store.read(lambda tx: tx.silences.get(sample_id(2))) == silences[1]

    async def test_a_rule_is_one_of_the_triggers_of_its_further_events(self, store: Store) -> None:
        """Also after a change; and their types are wanted while it is enabled."""
        entry = {"trigger": {"type": "p.u", "parameters": {"a": 1}}}
        rule = sample_rule("a", correlate={"all": [entry], "within": 1}, events=("p.one",))
        await put(store, rule, sample_rule("b", 2))

        async def refs(trigger: str) -> list[str]:
            where = RuleFilter(trigger=trigger, enabled=True)
            found = await store.read(lambda tx: tx.rules.find(where))
            assert await store.read(lambda tx: tx.rules.count(where)) == len(found)
            return [each.ref for each in found]

        assert (await refs("p.t"), await refs("p.one")) == (["p.a", "p.b"], ["p.a"])
        assert sorted(await store.read(lambda tx: tx.rules.enabled_types())) == ["p.t", "p.u"]
        number = await store.read(lambda tx: tx.rules.number())
        await put(store, sample_rule("a"))
        assert await refs("p.one") == []
        versions = [await store.read(lambda tx, at=at: tx.rules.as_of("p.one", at)) for at in (number, number + 1)]  # type: ignore[misc]
        assert [[each.ref for each in version] for version in versions] == [["p.a"], []]
        await put(store, rule)
        await store.tx(lambda tx: tx.rules.delete(rule, NOON))
        assert (await refs("p.one"), await refs("p.t")) == ([], ["p.b"])
