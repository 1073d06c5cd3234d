"""Work that waits because the machine has failed: how long until the next try, and what people are told meanwhile."""

from __future__ import annotations

import asyncio
import logging

from squall.core.environment import back_off

_LOG = logging.getLogger("squall.holdups")


class Holdups:
    """The executions whose work failed because of the environment and will be tried again.

    Nothing of it is stored: after a restart the first try that fails puts an execution here again.
    """

    def __init__(self) -> None:
        self._held: dict[str, tuple[int, str]] = {}

    def reason(self, execution: str) -> str:
        """Returns what an execution waits for, for people to read; empty if it does not wait."""
        return self._held.get(execution, (0, ""))[1]

    def failed(self, execution: str, error: BaseException) -> float:
        """Notes that a try has failed. Returns the seconds until the next one."""
        failures = self._held.get(execution, (0, ""))[0] + 1
        text = f"waits, and tries again: {str(error) or type(error).__name__}"
        if self.reason(execution) != text:
            _LOG.warning("an execution waits", extra={"execution": execution, "error": str(error)})
        self._held[execution] = (failures, text)
        return back_off(failures)

    async def wait(self, execution: str, error: BaseException) -> None:
        """Notes that a try has failed, and waits until the next one."""
        await asyncio.sleep(self.failed(execution, error))

    def over(self, execution: str) -> None:
        """Notes that a try has succeeded, or that there will be none."""
        if self._held.pop(execution, None) is not None:
            _LOG.info("an execution waits no more", extra={"execution": execution})
