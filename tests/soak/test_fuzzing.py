"""Every fuzz target in a process of its own, one after the other, for SQUALL_SOAK_MINUTES in all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fuzz.catalog import targets

TARGETS = targets()
ROOT = Path(__file__).parents[2]
GROWN = ROOT / ".build" / "fuzz" / "corpus"
SECONDS = max(2, int(float(os.environ.get("SQUALL_SOAK_MINUTES", "0")) * 60 / len(TARGETS)))
LONGEST_ENDING = 200
"""The seconds that a fuzzer may take to start, to judge its last input and to end."""

pytestmark = pytest.mark.timeout(SECONDS + 2 * LONGEST_ENDING)


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_raises_what_is_not_documented_or_costs_more_than_its_size(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(SECONDS), "--grown", str(GROWN)]
    # The findings stay where they can be reproduced.
    findings = ROOT / ".build" / "fuzz" / "findings" / tmp_path.name
    done = subprocess.run(
        [*command, "--findings", str(findings)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS + LONGEST_ENDING,
        check=False,
        preexec_fn=lambda: os.nice(10),
    )
    texts = [path.read_text() for path in sorted(findings.glob("*.txt"))]
    others = [str(path) for path in findings.iterdir() if not path.with_suffix(".txt").exists()]
    again = f"{sys.executable} -m tests.fuzz {name} "
    assert not texts, "\n".join(texts)
    assert not others, "\n".join(again + path for path in others)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
