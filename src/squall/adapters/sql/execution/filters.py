"""SQL clauses for filters and orders of executions."""

from __future__ import annotations

from typing import Any

from squall.adapters.sql.dialect.session import marks
from squall.core.execution.execution import SORTED, ExecutionFilter
from squall.core.execution.terms import Term

_ORIGIN = "(SELECT json_extract(body, '$.{}') FROM origins WHERE key = executions.origin)"

_SOURCES = {
    "id": "id",
    "action": "action",
    "runner": "runner",
    "status": "status",
    "user": "username",
    "parent": "parent",
    "start": "start_us",
    "end": "end_us",
    "delay": "delay_ms",
    "result_size": "result_size",
    "parameters": "parameters",
    "context": "context",
    "runner_info": "runner_info",
    "result": "(SELECT body FROM results WHERE execution = executions.id)",
    "action_document": "(SELECT snapshots.action FROM snapshots WHERE key = executions.snapshot)",
    "runner_document": "(SELECT snapshots.runner FROM snapshots WHERE key = executions.snapshot)",
    "rule": "rule_name",
    "trigger": "trigger_name",
    "trigger_type": "trigger_type",
    "trigger_instance": "trigger_instance",
    "rule_document": _ORIGIN.format("rule"),
    "trigger_document": _ORIGIN.format("trigger"),
    "trigger_type_document": _ORIGIN.format("trigger_type"),
    "trigger_instance_document": (
        "(SELECT json_object('payload', json(payload), 'status', status, 'trigger', trigger_ref) "
        "FROM trigger_instances WHERE id = executions.trigger_instance)"
    ),
}
_SORTED = {name: _SOURCES[name] for name in SORTED}


def where_clause(where: ExecutionFilter) -> tuple[str, list[Any]]:
    """Returns the WHERE clause of a filter (empty if the filter selects all executions) and its parameters."""
    terms: list[str] = []
    values: list[Any] = []
    columns = {"action": where.action, "status": where.status, "username": where.user, "runner": where.runner}
    for column, value in columns.items():
        if value is not None:
            terms.append(f"{column} = ?")
            values.append(value)
    optional = {
        "parent": where.parent,
        "rule_name": where.rule,
        "trigger_name": where.trigger,
        "trigger_type": where.trigger_type,
        "trigger_instance": where.trigger_instance,
    }
    for column, value in optional.items():
        if value == "":
            terms.append(f"{column} IS NULL")
        elif value is not None:
            terms.append(f"{column} = ?")
            values.append(value)
    if where.tree is not None:
        # A root is its own tree. The index of trees leaves roots out, so that executions without children cost nothing.
        terms.append("(id = ? OR (tree = ? AND parent IS NOT NULL))")
        values += [where.tree, where.tree]
    if where.ids is not None:
        terms.append(f"id IN ({marks(len(where.ids))})" if where.ids else "1 = 0")
        values += where.ids
    if where.after_us is not None:
        terms.append("start_us > ?")
        values.append(where.after_us)
    if where.before_us is not None:
        terms.append("start_us < ?")
        values.append(where.before_us)
    for term in where.terms:
        clause, parameters = _term_clause(term)
        terms.append(clause)
        values += parameters
    return (" WHERE " + " AND ".join(terms) if terms else ""), values


def _term_clause(term: Term) -> tuple[str, list[Any]]:
    if term.source == "log":
        entries = "SELECT 1 FROM json_each(executions.log) AS entry"
        if term.value is None:
            return f"NOT EXISTS ({entries})", []
        return f"EXISTS ({entries} WHERE json_extract(entry.value, '$[1]') = ?)", [term.value]
    expression, parameters = _SOURCES[term.source], []
    if term.inner:
        # JSON that is nested too deep for the database is not an error: the term does not match it.
        expression = f"CASE WHEN json_valid({expression}) THEN json_extract({expression}, ?) END"
        parameters.append("$" + "".join(f'."{key}"' for key in term.inner))
    if term.between is not None:
        return f"{expression} BETWEEN ? AND ?", [*parameters, *term.between]
    if term.value is None:
        return f"({expression}) IS NULL", parameters
    return f"({expression}) = ?", [*parameters, term.value]


def order_clause(where: ExecutionFilter) -> str:
    """Returns the ORDER BY clause of a filter. Executions with equal attributes are ordered by start and id."""
    direction = "DESC" if where.newest_first else "ASC"
    directions = {_SORTED[name]: "DESC" if descending else "ASC" for name, descending in where.order}
    if "id" not in directions:
        directions |= {column: direction for column in ("start_us", "id") if column not in directions}
    return " ORDER BY " + ", ".join(f"{column} {keyword}" for column, keyword in directions.items())
