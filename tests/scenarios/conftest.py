from __future__ import annotations

import sys
from pathlib import Path

# Test folders are no packages; `pytest` started by its own name does not look in the directory it is started in.
sys.path.insert(0, str(Path(__file__).parents[2]))
