"""Line numbers of the parts of a workflow's text, for complaints."""

from __future__ import annotations

import re

import yaml

_PART = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


def line_of(text: str, spec_path: str | None) -> int:
    """Returns the line (from 1) of the part that `spec_path` names, or of the nearest part around it."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        return mark.line + 1 if mark is not None else 1
    except (ValueError, RecursionError):
        return 1
    line = 1
    for match in _PART.finditer(spec_path or ""):
        part = _below(node, match[1], match[2])
        if part is None:
            break
        line, node = part
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
