"""Where in a workflow's text something stands, for complaints that name a line."""

from __future__ import annotations

import re

import yaml

_PART = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


def line_of(text: str, spec_path: str | None) -> int:
    """The line (from 1) of what `spec_path` names, or of the nearest thing around it."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        return mark.line + 1 if mark is not None else 1
    line = 1
    for match in _PART.finditer(spec_path or ""):
        found = _below(node, match[1], match[2])
        if found is None:
            break
        line, node = found
    return line


def _below(node: yaml.Node | None, index: str | None, name: str | None) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and index is not None and int(index) < len(node.value):
        item: yaml.Node = node.value[int(index)]
        return item.start_mark.line + 1, item
    if isinstance(node, yaml.MappingNode) and name is not None:
        for key, value in node.value:
            if key.value == name:
                return key.start_mark.line + 1, value
    return None
