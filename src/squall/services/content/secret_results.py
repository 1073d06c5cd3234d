"""Encrypts the secret parts of results before the store gets them."""

from __future__ import annotations

from typing import Any

from squall.core.access.secret import Sealed, replace_sealed
from squall.core.content.action import Action, RunnerType
from squall.core.content.output_schema import has_secret_output, mapped_output
from squall.core.execution.execution import Execution
from squall.core.schema.taint import disclose, enclose_alone
from squall.ports import Tx, Vault

_MOST_CACHED = 1024


class SecretResults:
    """Seals the parts of results that the output schema of the action or of its runner type marks `secret: true`."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._snapshots: dict[str, tuple[Action, RunnerType] | None] = {}

    async def sealed(self, tx: Tx, execution: Execution, result: Any) -> Any:
        """Returns the result with a `Sealed` for each secret part."""
        snapshot = await self._schemas(tx, execution.snapshot)
        return result if snapshot is None else mapped_output(result, *snapshot, self._seal)

    async def _schemas(self, tx: Tx, key: str) -> tuple[Action, RunnerType] | None:
        """Returns the action and runner type of a snapshot; None if no part of a result can be secret. It caches them,
        as a snapshot never changes."""
        if key not in self._snapshots:
            snapshot = await tx.content.snapshot(key)
            if len(self._snapshots) >= _MOST_CACHED:
                del self._snapshots[next(iter(self._snapshots))]
            self._snapshots[key] = snapshot if snapshot is not None and has_secret_output(*snapshot) else None
        return self._snapshots[key]

    def _seal(self, secret: Any) -> Sealed:
        if isinstance(secret, Sealed):
            return secret
        whole = replace_sealed(secret, lambda envelope: disclose(self._vault.open(envelope))[0])
        return Sealed(enclose_alone(whole, self._vault.seal))
