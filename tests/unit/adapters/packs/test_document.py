"""YAML files of packs: keys that are there twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from squall.adapters.packs.document import repeated_keys


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", [":4: b.c: this key is in line 3 already; only the last one counts"]),
        ("{a: 1, a: 2}", [":1: a: this key is in line 1 already; only the last one counts"]),
        ("- x: 1\n  x: 2\n- x: 3\n", [":2: x: this key is in line 1 already; only the last one counts"]),
        ("a: &m {b: 1}\nc: {<<: *m, <<: *m, b: 2}\nd: *m\n", []),
        ("1: x\n'1': y\n", []),
        ("[", []),
        ("", []),
    ],
)
def test_a_key_that_is_there_twice_is_told_with_both_lines(tmp_path: Path, text: str, told: list[str]) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    assert repeated_keys(path) == [f"{path}{each}" for each in told]
    assert repeated_keys(tmp_path / "none.yaml") == []
