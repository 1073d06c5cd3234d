"""Lint: probable mistakes in a workflow that can run, for its author, besides the complaints of the inspection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from squall.core.expr.language import Language, unknown_functions
from squall.core.safe_yaml import LOADER, check_size
from squall.core.workflow.definition.inline import inline_sources
from squall.core.workflow.definition.inspect import inspect_workflow
from squall.core.workflow.definition.paths import names_of, written_tasks
from squall.core.workflow.definition.unknown_words import unknown_words

_UNKNOWN = "Additional properties are not allowed"
"""The beginning of the inspection's complaint about unknown words, all of one place together."""
_LONGEST_LITERAL = 100_000

Finding = dict[str, Any]
"""`{type, message}`, and `spec_path` or `line` (from 1)."""


def all_faults(text: str, document: Mapping[str, Any], language: Language) -> list[Finding]:
    """Returns the complaints of the inspection and the findings of lint about a workflow. Each unknown word is a
    complaint of its own, with a similar word."""
    complaints = inspect_workflow(document, language)
    words = [{"type": "syntax", **each} for each in unknown_words(document)]
    if words:
        complaints = [each for each in complaints if not each["message"].startswith(_UNKNOWN)]
    return complaints + words + lint_workflow(text, document, language)


def lint_workflow(text: str, document: Mapping[str, Any], language: Language) -> list[Finding]:
    """Returns the findings about a workflow: functions that do not exist, tasks that never run, values that YAML cuts
    at ` #`, and duplicate keys, also in objects that are written as text."""
    # The loader of the document: another one refuses some texts that it reads.
    node = yaml.compose(text, Loader=LOADER)
    findings = [*_unknown_functions(document, "", language), *_unreached(document)]
    if node is not None:
        findings += _in_yaml(node, text.splitlines())
    return [{"type": "lint", **each} for each in findings]


def _unknown_functions(value: Any, path: str, language: Language) -> Iterator[Finding]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _unknown_functions(item, f"{path}.{key}" if path else str(key), language)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _unknown_functions(item, f"{path}[{at}]", language)
    elif isinstance(value, str):
        for message in unknown_functions(language, value):
            yield {"message": message, "spec_path": path, "expression": value}


def _unreached(document: Mapping[str, Any]) -> Iterator[Finding]:
    tasks = {task.name: task for task in written_tasks(document)}
    ways = {name: {each for _, entry in task.transitions() for each in names_of(entry)} for name, task in tasks.items()}
    targets = set().union(*ways.values()) if ways else set()
    waiting = [name for name in tasks if name not in targets]
    reached = set(waiting)
    if not waiting:
        return
    while waiting:
        following = {name for name in ways[waiting.pop()] if name in tasks} - reached
        reached |= following
        waiting += following
    for name, task in tasks.items():
        if name not in reached:
            message = f'The task "{name}" never runs: only tasks that never run lead to it.'
            yield {"message": message, "spec_path": task.path}


def _in_yaml(node: yaml.Node, lines: list[str]) -> Iterator[Finding]:
    waiting = [node]
    visited: set[int] = set()
    while waiting:
        each = waiting.pop()
        if id(each) in visited:
            continue
        visited.add(id(each))
        if isinstance(each, yaml.MappingNode):
            yield from _twice(each, 1)
            waiting += [part for pair in each.value for part in pair]
        elif isinstance(each, yaml.SequenceNode):
            waiting += each.value
        elif isinstance(each, yaml.ScalarNode):
            yield from _twice_in_text(each)
            if not each.style:
                yield from _cut(each, lines)


def _twice_in_text(scalar: yaml.ScalarNode) -> Iterator[Finding]:
    """Yields a finding for each key that occurs twice in an object that is written as text, alone or as a parameter in
    the line of an action."""
    text = scalar.value
    sources = [text] if text.lstrip()[:1] in ("{", "[") else [source for _, source in inline_sources(text)]
    # The content of a block begins in the line after its sign.
    first_line = scalar.start_mark.line + (2 if scalar.style in ("|", ">") else 1)
    for source in sources:
        source = source if source is text else source.strip("\"'")
        if source.lstrip()[:1] not in ("{", "[") or source.lstrip().startswith("{{") or len(source) > _LONGEST_LITERAL:
            continue
        try:
            check_size(source)
            node = yaml.compose(source, Loader=LOADER)
        except (yaml.YAMLError, ValueError):
            continue
        for mapping in _mappings(node):
            yield from _twice(mapping, first_line)


def _mappings(node: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    waiting, visited = [node], set[int]()
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in visited:
            continue
        visited.add(id(each))
        if isinstance(each, yaml.MappingNode):
            yield each
            waiting += [part for pair in each.value for part in pair]
        elif isinstance(each, yaml.SequenceNode):
            waiting += each.value


def _twice(mapping: yaml.MappingNode, first_line: int) -> Iterator[Finding]:
    """Yields a finding for each key that occurs twice. `first_line` is the number of the first line of its text."""
    first: dict[tuple[str, str], int] = {}
    for key, _ in mapping.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag.endswith(":merge"):
            continue
        name, line = (key.tag, key.value), key.start_mark.line + first_line
        if name in first:
            message = f'The key "{key.value}" occurs twice, first in line {first[name]}: that value is lost.'
            yield {"message": message, "line": line}
        first.setdefault(name, line)


def _cut(scalar: yaml.ScalarNode, lines: list[str]) -> Iterator[Finding]:
    """Yields a finding for a comment that is probably part of the value before it: no space follows its `#`, or it ends
    an expression."""
    mark = scalar.end_mark
    rest = lines[mark.line][mark.column :] if mark.line < len(lines) else ""
    comment = rest.lstrip()
    if not comment.startswith("#"):
        return
    is_open = any(scalar.value.count(start) > scalar.value.count(end) for start, end in (("<%", "%>"), ("{{", "}}")))
    is_open = is_open or scalar.value.count('"') % 2 == 1
    if is_open or comment[1:2].strip(" #!-=\t"):
        message = f'YAML takes "{comment[:40]}" as a comment: the value is "{scalar.value[:40]}". Quote all of it.'
        yield {"message": message, "line": mark.line + 1}
