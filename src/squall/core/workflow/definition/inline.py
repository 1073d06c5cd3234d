"""Parameters written in one line: `core.local cmd="date" timeout=5 who=<% ctx().who %>`, in Orquesta's grammar."""

from __future__ import annotations

import json
import re
from typing import Any

from squall.core.regex import Regex

_VALUES = (
    r"\[.*\]\s*",
    r"\"[^\"]*\"\s*",
    r"'[^']*'\s*",
    r"[-]?\d*\.\d+",
    r"[-]?\d+",
    r"(?i:true)",
    r"(?i:false)",
    r"null",
    r"\{\{.*?\}\}",
    r"<%.*?%>",
)
# Python's own engine would start at each letter of each word.
_PARAMETER = Regex(rf"([\w]+)=({'|'.join(_VALUES)})")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")


def inline_parameters(text: str) -> list[tuple[str, Any]]:
    """Returns the parameters of a line, in order. A quoted value is text; any other is JSON, or text if it is not
    valid JSON."""
    return [(name, _value(source)) for name, source in inline_sources(text)]


def inline_sources(text: str) -> list[tuple[str, str]]:
    """Returns the parameters of a line, in order, with their values as they are written."""
    return [(name, source.strip()) for name, source in _PARAMETER.findall(text)]


def _value(source: str) -> Any:
    quoted = bool(_QUOTED.search(source))
    for mark in ('"', "'"):
        source = source.removeprefix(mark).removesuffix(mark)
    is_object = source.startswith("{") and source.endswith("}")
    if not source or (quoted and not is_object):
        return source
    try:
        return json.loads(source.lower() if source.lower() in ("true", "false") else source)
    except ValueError:
        return source
