"""Workflows as drawings."""

from __future__ import annotations

from squall.core.workflow.definition.draw import as_dot, as_mermaid, as_text
from squall.core.workflow.definition.graph import Graph
from squall.core.workflow.definition.lines import line_of
from squall.core.workflow.definition.spec import load_document, read_workflow

TEXT = """version: 1.0
tasks:
  a:
    action: core.noop
    next:
      - when: <% succeeded() %>
        do: b
  b:
    join: all
    action: core.local cmd="date"
"""
GRAPH = Graph(read_workflow(load_document(TEXT)))


def test_as_text_every_way_is_a_line() -> None:
    assert as_text(GRAPH) == ("a runs core.noop\n  └─ when <% succeeded() %> → b\nb (joins all) runs core.local\n")


def test_as_dot() -> None:
    assert as_dot(GRAPH) == (
        'digraph workflow {\n  node [shape=box];\n  "a" [label="a\\ncore.noop"];\n'
        '  "b" [label="b\\ncore.local", peripheries=2];\n  "a" -> "b" [label="<% succeeded() %>"];\n}\n'
    )


def test_as_mermaid() -> None:
    assert as_mermaid(GRAPH).splitlines()[1:] == [
        '  a["a<br/>core.noop"]',
        '  b{{"b<br/>core.local"}}',
        '  a -->|"&lt;% succeeded() %&gt;"| b',
    ]


def test_paths_have_lines() -> None:
    assert line_of(TEXT, "tasks.a.next[0].do") == 7
    assert line_of(TEXT, "tasks.b.join") == 9
    assert line_of(TEXT, "tasks.b.nosuch") == 8
    assert line_of(TEXT, None) == 1
    assert line_of("a: [", "a") == 1
