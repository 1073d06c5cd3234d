"""Secret parts of results: encrypted before a result reaches the store."""

from __future__ import annotations

from typing import Any

from squall.core.access.secret import Sealed, replace_sealed
from squall.core.content.action import Action, RunnerType
from squall.core.content.output_schema import has_secret_output, mapped_output
from squall.core.execution.execution import Execution
from squall.core.schema.taint import disclose, enclose_alone
from squall.ports import Tx, Vault

_KEPT = 1024


class SecretResults:
    """Seals the parts of results that the output schema of the action or of its runner type marks `secret: true`."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._kept: dict[str, tuple[Action, RunnerType] | None] = {}

    async def sealed(self, tx: Tx, execution: Execution, result: Any) -> Any:
        """Returns the result with a `Sealed` for each secret part."""
        found = await self._schemas(tx, execution.snapshot)
        return result if found is None else mapped_output(result, *found, self._seal)

    async def _schemas(self, tx: Tx, snapshot: str) -> tuple[Action, RunnerType] | None:
        """What an execution was requested with, if any part of its result may be secret. A snapshot never changes."""
        if snapshot not in self._kept:
            found = await tx.content.snapshot(snapshot)
            if len(self._kept) >= _KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[snapshot] = found if found is not None and has_secret_output(*found) else None
        return self._kept[snapshot]

    def _seal(self, secret: Any) -> Sealed:
        if isinstance(secret, Sealed):
            return secret
        whole = replace_sealed(secret, lambda envelope: disclose(self._vault.open(envelope))[0])
        return Sealed(enclose_alone(whole, self._vault.seal))
