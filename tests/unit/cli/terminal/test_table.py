from __future__ import annotations

import pytest

from squall.cli.terminal.table import block, cell, duration, fields, table


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table(("id", "status"), [("1", "ok"), ("12345", None)]) == "ID     STATUS\n1      ok\n12345"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, ""), ("a\nb", "a b"), ({"a": 1}, '{"a": 1}'), ("\x1b[31mred", "�[31mred"), ("ä", "ä"), (5, "5")],
)
def test_a_cell_is_one_line_that_cannot_drive_the_terminal(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_a_text_keeps_its_lines() -> None:
    assert block("a\n\tb\x07\n") == "a\n    b�"


def test_fields_leave_out_what_is_empty_and_indent_what_has_lines() -> None:
    shown = fields({"id": "x", "user": None, "none": {}, "zero": 0, "result": {"a": 1}})
    assert shown == 'id:     x\nzero:   0\nresult:\n  {\n    "a": 1\n  }'


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.154, "0.15 s"),
        (2.5, "2.5 s"),
        (59.94, "59.9 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (None, ""),
        ("x", ""),
        (True, ""),
    ],
)
def test_a_duration_has_a_unit_that_fits(seconds: object, shown: str) -> None:
    assert duration(seconds) == shown
