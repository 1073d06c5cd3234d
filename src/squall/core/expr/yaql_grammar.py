"""YAQL's grammar: engines that parse with tables made ahead.

yaql makes its tables anew whenever it is loaded, which takes a tenth of a second. `yaql_tables.py` has those of one
version; with another version they are made as yaql makes them.
"""

from __future__ import annotations

import base64
import collections.abc  # noqa: F401 - yaql uses it without importing it
import copy
import importlib
import importlib.metadata
import json
import re
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from yaql.language.factory import YaqlEngine, YaqlFactory  # type: ignore[import-untyped]

from squall.core.expr import yaql_tables


class Production(NamedTuple):
    """A rule of the grammar: what it makes, of how many parts, and the method that does it."""

    name: str
    len: int
    callable: Any
    str: str


class Tables(NamedTuple):
    """What a parser needs, by the names that yaql's parser generator gives it. `lr_action` and `lr_goto` have a row for
    each state."""

    lr_productions: list[Any]
    lr_action: dict[int, dict[str, int]]
    lr_goto: dict[int, dict[str, int]]


def new_engine(options: Mapping[str, Any]) -> Any:
    """Returns an engine of yaql's."""
    factory = YaqlFactory()
    if importlib.metadata.version("yaql") != yaql_tables.VERSION:
        return factory.create(options=dict(options))
    # Type stubs do not know them, and another version of yaql may have them elsewhere.
    lex: Any = importlib.import_module("yaql._ply.lex")
    yacc: Any = importlib.import_module("yaql._ply.yacc")
    lexer, parser = _rules(factory, lex)
    tables = _decoded(yaql_tables.TABLES, parser)
    return YaqlEngine(lexer, yacc.LRParser(tables, parser.p_error), dict(options), factory)


def twin_engine(engine: Any) -> Any:
    """Returns an engine with the tables of another and a state of its own: parsers and lexers are for one thread."""
    return YaqlEngine(engine.lexer.clone(), copy.copy(engine.parser), engine.options, engine.factory)


def _rules(factory: Any, lex: Any) -> tuple[Any, Any]:
    """Returns the lexer, and the object that has the methods of the grammar's rules."""
    operators = factory._build_operator_table(factory._name_generator())
    rules = factory._create_lexer(operators)
    lexer = lex.lex(object=rules, reflags=re.UNICODE | re.VERBOSE)
    return lexer, factory._create_parser(rules, operators)


def encoded() -> str:
    """Returns the tables of the yaql that is installed, as `yaql_tables.py` has them: JSON, compressed, in base64."""
    parser = YaqlFactory().create().parser
    rules = [[each.name, each.len, each.func, each.str] for each in parser.productions]
    text = json.dumps([rules, parser.action, parser.goto], separators=(",", ":"), sort_keys=True)
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def _decoded(text: str, parser: Any) -> Tables:
    rules, action, goto = json.loads(zlib.decompress(base64.b64decode(text)))
    productions = [
        Production(name, length, getattr(parser, method) if method else None, rule)
        for name, length, method, rule in rules
    ]
    return Tables(
        productions,
        {int(state): row for state, row in action.items()},
        {int(state): row for state, row in goto.items()},
    )
