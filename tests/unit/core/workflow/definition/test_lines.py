"""Lines of the parts of a workflow's text."""

from __future__ import annotations

import pytest

from squall.core.workflow.definition.lines import line_of

TEXT = "version: 1.0\ntasks:\n  a:\n    next:\n      - do: b\n"


@pytest.mark.parametrize(("path", "line"), [("tasks.a.next[0].do", 5), ("tasks.a", 3), ("tasks.x", 2), (None, 1)])
def test_a_path_names_the_line_of_its_part_or_of_the_nearest_one_around_it(path: str | None, line: int) -> None:
    assert line_of(TEXT, path) == line


@pytest.mark.parametrize("text", ["[" * 5000, "a: [", "\ud800"])
def test_a_text_that_is_no_yaml_has_a_line(text: str) -> None:
    assert line_of(text, "a") == 1
