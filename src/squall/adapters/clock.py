"""The machine's clock and its source of randomness."""

from __future__ import annotations

import os
import time

from squall.core.ids import make_id


class SystemClock:
    """`ports.Clock` of this machine."""

    def now(self) -> int:
        """Returns the µs since 1970, UTC."""
        return time.time_ns() // 1000

    def new_id(self) -> str:
        """Returns a new id."""
        return make_id(self.now(), os.urandom(6))
