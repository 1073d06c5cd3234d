# ruff: noqa: S101 - asserting is what a contract suite is for
"""The contract of the tables of trigger types, triggers and instances; a part of `squall.testing.tables.store`."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.event.rules.records import (
    PENDING,
    PROCESSED,
    InstanceFilter,
    Trigger,
    TriggerInstance,
    TriggerType,
    make_trigger,
    parameters_digest,
)
from squall.ports import Store, Tx
from squall.testing.samples import NOON, sample_id


def sample_trigger_type(name: str, number: int = 1, **changes: Any) -> TriggerType:
    """Returns a trigger type of pack `p`."""
    fields: dict[str, Any] = {"uid": f"trigger_type:p:{name}", "ref": f"p.{name}", "name": name, "pack": "p"}
    return TriggerType(**(fields | {"id": sample_id(number)} | changes))


def sample_instance(number: int = 1, **changes: Any) -> TriggerInstance:
    """Returns an event of the trigger `p.t`, `number` seconds after `NOON`."""
    fields: dict[str, Any] = {
        "id": sample_id(number),
        "trigger": "p.t",
        "type": "p.t",
        "occurred_at": NOON + number * 1_000_000,
        "payload": {"n": number},
    }
    return TriggerInstance(**(fields | changes))


async def add(store: Store, *instances: TriggerInstance) -> list[TriggerInstance]:
    """Adds instances in one unit of work. Returns them with their numbers."""

    async def work(tx: Tx) -> list[TriggerInstance]:
        added = [await tx.instances.add(instance) for instance in instances]
        return [each for each in added if each is not None]

    return await store.tx(work)


async def found(store: Store, limit: int | None = None, offset: int = 0, **where: Any) -> list[int]:
    """Returns the numbers in the payloads of the instances that match."""
    page = await store.read(lambda tx: tx.instances.find(InstanceFilter(**where), limit, offset))
    return [instance.payload["n"] for instance in page]


@pytest.mark.anyio
class TriggerContract:
    """The contract of `ports.TriggerTypeRows` and `ports.TriggerRows`."""

    async def test_a_trigger_type_is_replaced_by_one_with_its_id(self, store: Store) -> None:
        """It is found by its ref and its id."""
        first, changed = sample_trigger_type("b"), sample_trigger_type("b", description="new", tags=[{"name": "x"}])
        other = sample_trigger_type("a", 2, pack="q", ref="q.a")
        for each in (first, other, changed):
            await store.tx(lambda tx, each=each: tx.trigger_types.put(each))  # type: ignore[misc]
        assert await store.read(lambda tx: tx.trigger_types.get("p.b")) == changed
        assert await store.read(lambda tx: tx.trigger_types.get(sample_id(2))) == other
        assert list(await store.read(lambda tx: tx.trigger_types.find())) == [changed, other]
        assert list(await store.read(lambda tx: tx.trigger_types.find("q"))) == [other]
        await store.tx(lambda tx: tx.trigger_types.delete(first.id))
        assert await store.read(lambda tx: tx.trigger_types.get("p.b")) is None

    async def test_a_trigger_is_found_by_the_digest_of_its_parameters(self, store: Store) -> None:
        """Of several triggers with the same parameters, the oldest is returned."""
        digest = parameters_digest({"a": 1})
        triggers: list[Trigger] = [
            make_trigger("p.t", {"a": 1}, sample_id(1), "one"),
            make_trigger("p.t", {"a": 1}, sample_id(2), "two"),
            make_trigger("p.other", {"a": 1}, sample_id(3), "three"),
        ]
        for each in triggers:
            await store.tx(lambda tx, each=each: tx.triggers.put(each, digest))  # type: ignore[misc]
        assert await store.read(lambda tx: tx.triggers.with_parameters("p.t", digest)) == triggers[0]
        assert await store.read(lambda tx: tx.triggers.with_parameters("p.t", "")) is None
        assert await store.read(lambda tx: tx.triggers.get("p.two")) == triggers[1]
        assert await store.read(lambda tx: tx.triggers.get(sample_id(3))) == triggers[2]
        assert list(await store.read(lambda tx: tx.triggers.find("p.t"))) == triggers[:2]
        await store.tx(lambda tx: tx.triggers.delete(sample_id(1)))
        assert await store.read(lambda tx: tx.triggers.with_parameters("p.t", digest)) == triggers[1]
        assert [each.name for each in await store.read(lambda tx: tx.triggers.find())] == ["three", "two"]


@pytest.mark.anyio
class InstanceContract:
    """The contract of `ports.InstanceRows`."""

    async def test_instances_have_numbers_in_the_order_of_storing(self, store: Store) -> None:
        """Their ids and times may have another order."""
        late, early = await add(store, sample_instance(2), sample_instance(1))
        assert early.number > late.number > 0
        assert await store.read(lambda tx: tx.instances.get(early.id)) == early
        assert await store.read(lambda tx: tx.instances.get(sample_id(9))) is None

    async def test_a_source_is_stored_once_and_any_number_without_one(self, store: Store) -> None:
        """The second one is not stored."""
        [first, *_] = await add(store, sample_instance(1, source="s"), sample_instance(2), sample_instance(3))
        assert await add(store, sample_instance(4, source="s")) == []
        assert await store.read(lambda tx: tx.instances.with_source("s")) == first
        assert await store.read(lambda tx: tx.instances.with_source("t")) is None
        assert await store.read(lambda tx: tx.instances.count(InstanceFilter(), 100)) == 3

    async def test_instances_are_loaded_in_the_given_order_up_to_a_size(self, store: Store) -> None:
        """At least one is loaded, however large. Unknown ids are left out."""
        large = [sample_instance(n, payload={"n": n, "text": "x" * 1000}) for n in (1, 2, 3)]
        await add(store, *large)
        ids = [sample_id(n) for n in (3, 9, 1, 2)]

        async def loaded(most: int) -> list[int]:
            return [each.payload["n"] for each in await store.read(lambda tx: tx.instances.load(ids, most))]

        assert await loaded(10_000) == [3, 1, 2]
        assert await loaded(2_500) == [3, 1]
        assert await loaded(1) == [3]
        assert list(await store.read(lambda tx: tx.instances.load([], 1))) == []

    async def test_the_end_of_an_evaluation_is_written(self, store: Store) -> None:
        """The payload stays."""
        [instance] = await add(store, sample_instance(1))
        fields = {name: getattr(instance, name) for name in instance.__struct_fields__}
        end = {"status": PROCESSED, "evaluated_at": 7, "rules_number": 8, "reason": "r", "trace": sample_id(5)}
        settled = TriggerInstance(**(fields | end))
        await store.tx(lambda tx: tx.instances.settle(settled))
        assert await store.read(lambda tx: tx.instances.get(instance.id)) == settled

    async def test_a_page_of_instances_is_filtered_and_ordered(self, store: Store) -> None:
        """By the time of the event, or by number if `number_after` is given."""
        _, second, *_ = await add(
            store,
            sample_instance(3),
            sample_instance(1, status=PROCESSED),
            sample_instance(2, trigger="p.u", type="p.u"),
        )
        assert await found(store) == [3, 2, 1]
        assert await found(store, 1, 1) == [2]
        assert await found(store, newest_first=False) == [1, 2, 3]
        assert await found(store, ids=(sample_id(1), sample_id(9))) == [1]
        assert await found(store, ids=()) == []
        assert await found(store, triggers=("p.t",), status=PENDING) == [3]
        assert await found(store, type="p.u") == [2]
        assert await found(store, after=NOON + 1_000_000, before=NOON + 3_000_000) == [2]
        assert await found(store, number_after=0, newest_first=False) == [3, 1, 2]
        assert await found(store, number_after=second.number, newest_first=False) == [2]
        assert await store.read(lambda tx: tx.instances.count(InstanceFilter(triggers=("p.t",)), 100)) == 2
        assert await store.read(lambda tx: tx.instances.count(InstanceFilter(), 2)) == 2

    async def test_old_instances_expire_unless_they_wait_for_their_evaluation(self, store: Store) -> None:
        """The oldest go first."""
        await add(store, sample_instance(1), *(sample_instance(n, status=PROCESSED) for n in (4, 3, 2)))
        assert await store.tx(lambda tx: tx.instances.expire(NOON + 4_000_000, 1)) == 1
        assert await found(store) == [4, 3, 1]
        assert await store.tx(lambda tx: tx.instances.expire(NOON + 4_000_000, 9)) == 1
        assert await found(store) == [4, 1]
