from __future__ import annotations

import pytest

from squall.cli.terminal.table import block, cell, cell_width, clipped, duration, fields, table


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table(("id", "status"), [("1", "ok"), ("12345", None)]) == "ID     STATUS\n1      ok\n12345"


@pytest.mark.parametrize("width", [20, 30, 40, 60])
def test_a_table_fits_the_terminal_by_cutting_its_widest_columns(width: int) -> None:
    rows = [("6b0b602f2031a245b58fcd59", "x" * 5000, "ok"), ("1", "日本語" * 50, "")]
    lines = table(("id", "text", "status"), rows, width).splitlines()
    assert max(map(cell_width, lines)) <= max(width, 8 + 8 + 6 + 2 * 2)
    assert lines[1].endswith("…  ok") and "…" in lines[2]
    assert ("6b0b602f2031a245b58fcd59" in lines[1]) == (width >= 60)


def test_a_table_that_fits_is_not_cut() -> None:
    assert table(("id",), [("x" * 30,)], 30) == table(("id",), [("x" * 30,)])


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("日本", 4, "日本"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("a", 0, ""),
    ],
)
def test_a_cut_line_takes_no_more_cells_than_there_are(text: str, width: int, shown: str) -> None:
    assert clipped(text, width) == shown


def test_marks_take_no_cell_of_their_own() -> None:
    assert cell_width("e\u0301") == 1 and cell_width("日") == 2


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
