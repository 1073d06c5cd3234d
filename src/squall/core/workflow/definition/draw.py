"""Drawings of a workflow: as text, as DOT for Graphviz, or as a Mermaid flow chart."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from squall.core.workflow.definition.graph import Edge, Graph
from squall.core.workflow.definition.spec import COMMANDS


def as_text(graph: Graph) -> str:
    """Draws every task with its ways out, in the order in which the tasks can run."""
    lines = []
    for name in _order(graph):
        task = graph.task(name)
        words = [name]
        if task.join:
            words.append(f"(joins {task.join})")
        if task.action:
            words.append(f"runs {task.action}")
        if task.items is not None:
            words.append(f"for each of {task.items.expression}")
        lines.append(" ".join(words))
        edges = graph.outbound.get(name, ())
        for at, edge in enumerate(edges):
            mark = "└─" if at == len(edges) - 1 else "├─"
            lines.append(f"  {mark} {_when(edge)}→ {edge.target}")
    return "\n".join(lines) + "\n"


def as_dot(graph: Graph) -> str:
    """Draws the graph in the language of `dot -Tsvg`."""
    lines = ["digraph workflow {", "  node [shape=box];"]
    for name in _order(graph):
        task = graph.task(name)
        label = name if not task.action else f"{name}\\n{_quoted(task.action)}"
        shape = ", peripheries=2" if task.join else ""
        lines.append(f'  "{name}" [label="{label}"{shape}];')
    for edge in _edges(graph):
        label = f' [label="{_quoted(edge.when)}"]' if edge.when else ""
        lines.append(f'  "{edge.source}" -> "{edge.target}"{label};')
    return "\n".join([*lines, "}"]) + "\n"


def as_mermaid(graph: Graph) -> str:
    """Draws the graph in the language of Mermaid."""
    lines = ["flowchart TD"]
    for name in _order(graph):
        task = graph.task(name)
        left, right = ("{{", "}}") if task.join else ("[", "]")
        label = name if not task.action else f"{name}<br/>{_escaped(task.action)}"
        lines.append(f'  {name}{left}"{label}"{right}')
    for edge in _edges(graph):
        label = f'|"{_escaped(edge.when)}"|' if edge.when else ""
        lines.append(f"  {edge.source} -->{label} {edge.target}")
    return "\n".join(lines) + "\n"


FORMS: dict[str, Callable[[Graph], str]] = {"text": as_text, "dot": as_dot, "mermaid": as_mermaid}
"""The forms of a drawing by name."""


def _order(graph: Graph) -> list[str]:
    """Returns the tasks, each behind one that leads to it; then the tasks that only a cycle leads to."""
    ordered: dict[str, None] = dict.fromkeys(graph.starts)
    waiting = list(graph.starts)
    while waiting:
        for edge in graph.outbound.get(waiting.pop(0), ()):
            if edge.target not in ordered and edge.target not in COMMANDS:
                ordered[edge.target] = None
                waiting.append(edge.target)
    return [*ordered, *(name for name in graph.workflow.tasks if name not in ordered)]


def _edges(graph: Graph) -> Iterable[Edge]:
    return (edge for name in _order(graph) for edge in graph.outbound.get(name, ()))


def _when(edge: Edge) -> str:
    return f"when {edge.when} " if edge.when else ""


def _quoted(text: str | None) -> str:
    return (text or "").replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


def _escaped(text: str) -> str:
    for sign, entity in (("&", "&amp;"), ('"', "&quot;"), ("<", "&lt;"), (">", "&gt;"), ("\n", " ")):
        text = text.replace(sign, entity)
    return text
