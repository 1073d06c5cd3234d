"""Stores events about keys of the datastore and about files of actions."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from squall.core.content.keyvalue import Key
from squall.core.event.internal.payloads import FILE_WRITTEN, file_payload, key_payloads
from squall.core.event.rules.records import RuleFilter
from squall.ports import Bus, Tx
from squall.services.event.internal.placing import Placing
from squall.services.lanes import AT_ONCE, REBINDING


class KeyEvents:
    """The `KeyObserver` that stores events about keys, and a queue row if triggers of rules may depend on the key."""

    def __init__(self, placing: Placing, bus: Bus) -> None:
        self._placing = placing
        self._bus = bus

    async def changed(self, tx: Tx, old: Key | None, new: Key | None, execution: str) -> None:
        """Handles a key that was created (`old` is None), written, or deleted (`new` is None) by `execution`."""
        for type_ref, payload in key_payloads(old, new):
            if await self._placing.wants(tx, type_ref):
                await self._placing.by(tx, type_ref, payload, execution)
        await self.expired(tx)

    async def expired(self, tx: Tx) -> None:
        """Handles keys whose time is over. As in StackStorm, no event tells of that."""
        if await tx.rules.find(RuleFilter(templated=True), 1):
            await tx.queue.put(REBINDING, REBINDING, None, AT_ONCE)

    def hint(self) -> None:
        """Publishes hints after a transaction with changes."""
        self._placing.hint()
        self._bus.publish(REBINDING, "")


class FileEvents:
    """The `FileObserver` that stores events about files of actions."""

    def __init__(self, placing: Placing) -> None:
        self._placing = placing

    async def written(self, tx: Tx, ref: str, paths: Sequence[str], execution: str) -> None:
        """Handles files of the action `ref`, which are on the disk. `execution` has written them, if not empty."""
        if await self._placing.wants(tx, FILE_WRITTEN):
            for path in paths:
                payload = file_payload(ref, path, socket.gethostname())
                await self._placing.by(tx, FILE_WRITTEN, payload, execution)

    def hint(self) -> None:
        """Publishes hints after a transaction with files."""
        self._placing.hint()
