"""The tables made ahead are those that yaql makes itself."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import pytest

from squall.core.expr import yaql_grammar, yaql_tables

TEXTS = [
    "1 + 2 * 3",
    "ctx().a.b[0].where($.x > 1 and not $.y)",
    "dict(a => 1, b => [1, 2])",
    "'x' in $",
    "-1",
    "f(x => 1)",
]
WRONG = ["1 +", "ctx(", "a => => b", "'x", "a.b c"]


def test_the_tables_are_those_of_the_version_that_is_installed() -> None:
    """After an update of yaql: `.venv/bin/python .ci/yaql_tables.py`."""
    assert importlib.metadata.version("yaql") == yaql_tables.VERSION
    assert yaql_grammar.encoded() == yaql_tables.TABLES


def parsed(engine: Any, text: str) -> str:
    try:
        return str(engine(text))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("text", [*TEXTS, *WRONG])
def test_a_text_is_parsed_as_by_an_engine_that_makes_its_own_tables(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_tables = yaql_grammar.new_engine({})
    monkeypatch.setattr(yaql_tables, "VERSION", "0")
    without = yaql_grammar.new_engine({})
    assert parsed(with_tables, text) == parsed(without, text) == parsed(yaql_grammar.twin_engine(with_tables), text)
    assert parsed(with_tables, text).startswith("Yaql") == (text in WRONG)
