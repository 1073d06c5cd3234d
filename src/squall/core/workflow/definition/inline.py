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
# Python's own engine looks at each word from each of its letters on.
_PARAMETER = Regex(rf"([\w]+)=({'|'.join(_VALUES)})")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")


def inline_parameters(text: str) -> list[tuple[str, Any]]:
    """The parameters of a line, in order. What is quoted is text, all else JSON where it can be."""
    return [(name, _value(written.strip())) for name, written in _PARAMETER.findall(text)]


def _value(written: str) -> Any:
    quoted = bool(_QUOTED.search(written))
    for mark in ('"', "'"):
        written = written.removeprefix(mark).removesuffix(mark)
    is_object = written.startswith("{") and written.endswith("}")
    if not written or (quoted and not is_object):
        return written
    try:
        return json.loads(written.lower() if written.lower() in ("true", "false") else written)
    except ValueError:
        return written
