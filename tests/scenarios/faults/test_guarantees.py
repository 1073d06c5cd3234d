"""`docs/guarantees.md` names the test that proves each promise: there are such tests."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROMISES = [
    cells
    for line in (ROOT / "docs" / "guarantees.md").read_text().splitlines()
    if line.startswith("|") and not re.match(r"\|( promise |---)", line)
    for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
]


def test_each_promise_names_a_test_that_exists() -> None:
    assert len(PROMISES) > 20
    for promise, *_, proof in PROMISES:
        named = re.findall(r"`([\w/]+\.py)`(?:: (\w+))?", proof)
        assert named or "no test" in proof, promise
        for file, words in named:
            path = ROOT / file if file.startswith("src/") else ROOT / "tests" / file
            assert path.is_file(), file
            assert re.search(rf"def test_\w*{words}", path.read_text()), (file, words)
