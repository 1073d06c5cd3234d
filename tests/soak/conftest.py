from __future__ import annotations

import os
import sys
from pathlib import Path

# Test folders are no packages; `pytest` started by its own name does not look in the directory it is started in.
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.scenarios.live.fixtures import packs

__all__ = ["packs"]

# Without a number of minutes there is nothing to do: `make test` leaves these out, `make soak` does not.
collect_ignore_glob = [] if os.environ.get("SQUALL_SOAK_MINUTES") else ["test_*.py"]
