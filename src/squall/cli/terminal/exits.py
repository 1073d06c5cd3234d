"""The one table of exit statuses."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

OK = 0
FAILED = 1
ERROR = 2
NOT_RUNNING = 3
INTERRUPTED = 130
BROKEN_PIPE = 141

OF_STATUS: Mapping[str, int] = MappingProxyType(
    {"succeeded": OK, "failed": FAILED, "abandoned": 3, "timeout": 124, "canceled": INTERRUPTED}
)


def of_status(status: str) -> int:
    """Returns the exit status of a command whose execution ended with this status."""
    return OF_STATUS.get(status, ERROR)
