"""Decides by its syntax whether an expression may be evaluated in the server's own process.

A cheap expression has few nodes, and each of them costs at most one pass over the values that it reads: a variable, a
path into it, a comparison, a constant. Every other expression (loops, methods, most filters, regular expressions) may
take long within one step, so an `Evaluator` evaluates it, in a process that can be ended.
"""

from __future__ import annotations

from typing import Any

from jinja2 import nodes

MOST_TEXT = 4096
"""The most characters of a cheap expression's text. Longer texts are not even parsed."""

MOST_PARTS = 32
"""The most YAQL expressions in a cheap text."""

_MOST_NODES = 64
_FUNCTIONS = frozenset(
    {"ctx", "item", "result", "succeeded", "failed", "completed", "task_status", "task", "st2kv", "int", "bool"}
)
_YAQL_FUNCTIONS = _FUNCTIONS | {"len", "get"}
_YAQL_OPERATORS = frozenset(
    {
        "#operator_.", "#operator_?.", "*equal", "*not_equal", "#operator_<", "#operator_>", "#operator_<=",
        "#operator_>=", "#operator_and", "#operator_or", "#operator_in", "#operator_+", "#operator_-",
        "#unary_operator_not", "#unary_operator_-", "#unary_operator_+", "#indexer", "#list", "#map",
        "#get_context_data",
    }
)  # fmt: skip
_FILTERS = frozenset(
    {"default", "d", "int", "float", "length", "count", "lower", "upper", "trim", "decrypt_kv", "first"}
)
_TESTS = frozenset({"defined", "undefined", "none", "string", "number", "mapping", "boolean", "true", "false"})
_JINJA_NODES = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem,
    nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.CondExpr, nodes.List, nodes.Tuple,
    nodes.Dict, nodes.Pair, nodes.Keyword, nodes.If, nodes.Add, nodes.Sub, nodes.Concat,
)  # fmt: skip


def is_cheap_jinja(template: nodes.Template) -> bool:
    """Checks whether a parsed template is cheap."""
    waiting: list[nodes.Node] = [template]
    count = 0
    while waiting:
        node = waiting.pop()
        count += 1
        if count > _MOST_NODES or not _is_cheap_node(node):
            return False
        waiting.extend(node.iter_child_nodes())
    return True


def _is_cheap_node(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Call):
        called = node.node
        return isinstance(called, nodes.Name) and called.name in _FUNCTIONS and not (node.dyn_args or node.dyn_kwargs)
    if isinstance(node, nodes.Filter):
        return node.name in _FILTERS and node.node is not None
    if isinstance(node, nodes.Test):
        return node.name in _TESTS
    return isinstance(node, _JINJA_NODES)


def is_cheap_yaql(expression: Any) -> bool:
    """Checks whether a parsed YAQL expression is cheap."""
    waiting: list[Any] = [expression]
    count = 0
    while waiting:
        node = waiting.pop()
        count += 1
        name = getattr(node, "name", None)
        if count > _MOST_NODES or (name is not None and name not in _YAQL_OPERATORS | _YAQL_FUNCTIONS):
            return False
        waiting.extend(getattr(node, "args", ()))
        waiting.extend(
            part for field in ("source", "destination", "expr") if (part := getattr(node, field, None)) is not None
        )
    return True
