"""Parameters bound to an execution: rendered, checked and sealed at its request, revealed for its run."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from squall.core.action import Action, RunnerType, merged_parameters
from squall.core.execution import Execution
from squall.core.expr.jinja import Jinja
from squall.core.params import bind_request, bind_run
from squall.core.secret import replace_sealed, seal_secrets
from squall.ports import Vault

MASKED_MOST = 64 << 10
"""The longest secret (bytes) that is masked in output: finding longer ones would hold up every other action."""

MASKED_LEAST = 4
"""The shortest secret (bytes) that is masked in output: shorter ones stand in every text by chance."""

_LOG = logging.getLogger("squall.binding")


class Binding:
    """Binds parameters, with what templates may ask for, and what is secret sealed by the vault."""

    def __init__(self, vault: Vault, jinja: Jinja) -> None:
        self._vault = vault
        self._jinja = jinja

    def request(
        self,
        action: Action,
        runner: RunnerType,
        given: Mapping[str, Any],
        context: dict[str, Any],
        plain: Collection[str] = (),
    ) -> dict[str, Any]:
        """What a caller gave, ready to be stored: rendered (but not `plain` ones), checked, secrets sealed.

        Raises `InvalidError` with the parameter's name.
        """
        schemas = merged_parameters(action, runner)
        values = bind_request(schemas, given, self._names(context), self._jinja, plain)
        return {name: seal_secrets(value, schemas[name], self._vault.seal) for name, value in values.items()}

    def run(self, execution: Execution, action: Action, runner: RunnerType) -> dict[str, Any]:
        """The values of all parameters for the run, secrets revealed. Raises `InvalidError`."""
        schemas = merged_parameters(action, runner)
        return bind_run(schemas, self.stored(execution), self._names(execution.context), self._jinja)

    def stored(self, execution: Execution) -> dict[str, Any]:
        """The stored parameters, secrets revealed."""
        revealed: dict[str, Any] = replace_sealed(execution.parameters, self._vault.open)
        return revealed

    def secrets(self, execution: Execution) -> tuple[bytes, ...]:
        """Every secret value the execution was given, as the bytes an action might print."""
        found: list[bytes] = []

        def reveal(envelope: str) -> None:
            value = self._vault.open(envelope)
            secret = value.encode() if isinstance(value, str) else msgspec.json.encode(value)
            if len(secret) > MASKED_MOST:
                _LOG.warning("a secret is too long to be masked", extra={"execution": execution.id})
            elif secret:
                found.append(secret)
                if len(secret) < MASKED_LEAST:
                    _LOG.warning("a secret is too short to be masked", extra={"execution": execution.id})

        replace_sealed(execution.parameters, reveal)
        return tuple(found)

    def _names(self, context: dict[str, Any]) -> dict[str, Any]:
        """What templates may use besides parameters."""
        return {"action_context": context, "config_context": {}, "st2kv": {"system": {}, "user": {}}}
