"""Sealing what is secret."""

from __future__ import annotations

from typing import Any, Protocol


class Vault(Protocol):
    """Seals secret values for the tables, and opens them again."""

    def seal(self, value: Any) -> str:
        """An envelope of any JSON value."""
        ...

    def open(self, envelope: str) -> Any:
        """The value in an envelope. Raises `ConfigError` when the key file is not the one it was sealed under."""
        ...
