"""YAML from people: whatever it is, reading it ends, and does not end the process."""

from __future__ import annotations

import pytest

from squall.core.safe_yaml import load_yaml


def test_ordinary_text_is_read_as_yaml() -> None:
    assert load_yaml("a: [1, {b: c}]\nd: &x {e: 1}\nf: *x\n") == {"a": [1, {"b": "c"}], "d": {"e": 1}, "f": {"e": 1}}
    assert load_yaml(b"") is None
    assert load_yaml("a: " + "word " * 500) == {"a": ("word " * 500).strip()}


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_text_that_nests_without_end_is_told(opening: str) -> None:
    with pytest.raises(ValueError, match="nests more than 200 times"):
        load_yaml(opening * 100_000)
    closing = {"[": "]", "{a: ": "}"}.get(opening, "")
    assert load_yaml(opening * 50 + "x" + closing * 50)


def test_text_that_nests_by_its_lines_is_told() -> None:
    with pytest.raises(ValueError, match="nests more than 200 times"):
        load_yaml("".join(f"{' ' * depth}a:\n" for depth in range(5000)))


def test_references_that_grow_or_turn_round_are_told() -> None:
    bomb = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    for level in "bcdefg":
        bomb += f"{level}: &{level} [{', '.join([f'*{chr(ord(level) - 1)}'] * 10)}]\n"
    with pytest.raises(ValueError, match="more than 200000 values"):
        load_yaml(bomb)
    with pytest.raises(ValueError, match="refers to itself"):
        load_yaml("&a [*a]")
