"""The vault: sealed secrets."""

from __future__ import annotations

from typing import Any, Protocol


class Vault(Protocol):
    """Seals secret values for the tables, and opens them again."""

    def seal(self, value: Any) -> str:
        """Seals any JSON value in an envelope."""
        ...

    def open(self, envelope: str) -> Any:
        """Returns the value in an envelope. Raises `ConfigError` if it was sealed with another key file."""
        ...
