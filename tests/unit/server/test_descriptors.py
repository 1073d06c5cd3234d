from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import os, resource, sys
from squall.server import descriptors
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
descriptors.raise_limit()
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], descriptors.for_connections(), os.environ["SQUALL_OPEN_FILES"])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "expected"),
    [(256, 4096, "4096 3584 256"), (4096, 4096, "4096 3584 4096"), (200, 600, "600 300 200")],
)
def test_the_soft_limit_is_raised_and_a_part_is_kept_from_connections(soft: int, hard: int, expected: str) -> None:
    program = PROGRAM.format(soft=soft, hard=hard)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected
