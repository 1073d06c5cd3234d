"""Parameters of actions for people."""

from __future__ import annotations

import os
from typing import Any

import pytest

from squall.cli.execution.described import has_secret, parameter_table

SCHEMAS: dict[str, Any] = {
    "count": {"type": "integer", "description": "word " * 30},
    "name": {"type": ["string", "null"]},
}


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((60, 24)))


@pytest.mark.usefixtures("terminal")
def test_at_a_terminal_a_description_goes_over_several_lines() -> None:
    lines = parameter_table(SCHEMAS).splitlines()
    assert max(map(len, lines)) <= 60 and " ".join(lines).count("word") == 30
    assert len(parameter_table(SCHEMAS, wide=True).splitlines()) == 3


def test_elsewhere_each_parameter_has_one_line() -> None:
    assert len(parameter_table(SCHEMAS).splitlines()) == 3


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"secret": True}, True),
        ({"secret": False}, False),
        ({"properties": {"a": {"secret": True}}}, True),
        ({"items": [{"type": "string"}, {"secret": True}]}, True),
        ({"default": "secret"}, False),
    ],
)
def test_a_schema_is_secret_if_a_part_of_it_is(schema: dict[str, object], expected: bool) -> None:
    assert has_secret(schema) is expected
