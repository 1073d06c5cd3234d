"""The tables of trigger types, triggers and trigger instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from squall.core.event.rules.records import InstanceFilter, Trigger, TriggerInstance, TriggerType


class TriggerTypeRows(Protocol):
    """The table of trigger types."""

    async def put(self, trigger_type: TriggerType) -> None:
        """Adds a trigger type, or replaces the one with the same id. No other type may have the same ref."""
        ...

    async def get(self, ref_or_id: str) -> TriggerType | None:
        """Returns a trigger type by its ref or id."""
        ...

    async def delete(self, type_id: str) -> None:
        """Removes a trigger type."""
        ...

    async def find(self, pack: str | None = None) -> Sequence[TriggerType]:
        """Returns the trigger types of all packs or of one, ordered by ref."""
        ...


class TriggerRows(Protocol):
    """The table of triggers. `digest` is that of the parameters (`squall.core.event.rules.records`)."""

    async def put(self, trigger: Trigger, digest: str) -> None:
        """Adds a trigger, or replaces the one with the same id."""
        ...

    async def get(self, ref_or_id: str) -> Trigger | None:
        """Returns a trigger by its ref or id."""
        ...

    async def with_parameters(self, type_ref: str, digest: str) -> Trigger | None:
        """Returns the oldest trigger of a type whose parameters have this digest."""
        ...

    async def delete(self, trigger_id: str) -> None:
        """Removes a trigger."""
        ...

    async def find(self, type_ref: str | None = None) -> Sequence[Trigger]:
        """Returns the triggers of all types or of one, ordered by ref."""
        ...


class InstanceView(Protocol):
    """The questions about trigger instances."""

    async def get(self, instance_id: str) -> TriggerInstance | None:
        """Returns an instance by its id."""
        ...

    async def with_source(self, source: str) -> TriggerInstance | None:
        """Returns the instance with this source."""
        ...

    async def load(self, instance_ids: Sequence[str], most_bytes: int) -> Sequence[TriggerInstance]:
        """Returns the first of these instances, in their order: at least one, and as many as have `most_bytes` of
        payload together. Leaves out ids that do not exist."""
        ...

    async def statuses(self, instance_ids: Sequence[str]) -> Mapping[str, str]:
        """Returns the statuses of these instances by id. Leaves out ids that do not exist."""
        ...

    async def find(self, where: InstanceFilter, limit: int | None, offset: int) -> Sequence[TriggerInstance]:
        """Returns a page of the instances that match."""
        ...

    async def batch(self, where: InstanceFilter, limit: int, most_bytes: int) -> Sequence[TriggerInstance]:
        """Returns the next instances that match, ordered by number: at most `limit`, at least one, and as many as have
        `most_bytes` of payload together."""
        ...

    async def newest(self, trigger: str) -> int:
        """Returns the number of the newest instance of a trigger; 0 if it has none."""
        ...

    async def count(self, where: InstanceFilter, cap: int) -> int:
        """Returns the number of instances that match, at most `cap`."""
        ...


class InstanceRows(InstanceView, Protocol):
    """The table of trigger instances."""

    async def add(self, instance: TriggerInstance) -> TriggerInstance | None:
        """Adds an instance, and returns it with its number. Returns None, and adds nothing, if there is an instance
        with the same `source`."""
        ...

    async def settle(self, instance: TriggerInstance) -> None:
        """Writes the fields of an evaluation: `status`, `evaluated_at`, `rules_number`, `reason`, `trace`."""
        ...

    async def expire(self, before: int, limit: int) -> int:
        """Removes up to `limit` evaluated instances of events before `before` (µs). Returns their number."""
        ...
