"""Parameters in one line, as Orquesta reads them."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.workflow.definition.inline import inline_parameters


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ('core.local cmd="date" timeout=5', [("cmd", "date"), ("timeout", 5)]),
        ("core.local who=<% ctx().who %> x={{ a b }}", [("who", "<% ctx().who %>"), ("x", "{{ a b }}")]),
        ("core.noop a=true b=FALSE c=null d=-1.5", [("a", True), ("b", False), ("c", None), ("d", -1.5)]),
        ("core.noop l=[1, 2] é='x y'", [("l", [1, 2]), ("é", "x y")]),
        ("core.noop", []),
    ],
)
def test_values_of_all_forms_are_read(text: str, parameters: list[tuple[str, Any]]) -> None:
    assert inline_parameters(text) == parameters


@pytest.mark.parametrize("text", ["a" * 200_000, "core.noop x=" + "a1" * 100_000])
def test_a_line_of_one_endless_word_has_no_parameters(text: str) -> None:
    """Python's own engine would look at the word anew from each of its letters: a minute's work."""
    assert inline_parameters(text) == []
