"""PowerShell texts: values as literals, scripts as command lines, and messages from PowerShell's error output."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Mapping
from typing import Any

COMMAND_LINE_MOST = 8191
"""The longest command line that Windows accepts, in characters."""

# Each of these characters ends a PowerShell text in single quotes.
_QUOTES = re.compile("['\u2018\u2019\u201a\u201b]")
_LINE = 1000
# Reads a script in base64 from standard input, because a long script does not fit on a command line.
_READ_SCRIPT = (
    "$squall = [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String((@($input) -join '')))\n"
    "& ([ScriptBlock]::Create($squall))"
)
_HEADER = "#< CLIXML\r\n"
_BLOCK = re.compile(r"<Objs\b.*?</Objs>", re.DOTALL)
_MESSAGE = re.compile(r'<S S="\w+">(.*?)</S>', re.DOTALL)
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_PENDING_MOST = 1 << 20


def literal(value: Any) -> str:
    """Returns `value` as a PowerShell literal, which evaluates nothing. Objects become hash tables, arrays arrays."""
    if value is None:
        return "$null"
    if isinstance(value, bool):
        return "$true" if value else "$false"
    if isinstance(value, int | float):
        return json.dumps(value)
    if isinstance(value, Mapping):
        return "@{" + "; ".join(f"{literal(str(name))} = {literal(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "@(" + ", ".join(literal(item) for item in value) + ")"
    return "'" + _QUOTES.sub(lambda quote: quote[0] * 2, str(value)) + "'"


def arguments(named: Mapping[str, Any], positional: list[str], operator: str) -> str:
    """Returns the arguments of a script as text. Leaves out named ones that are null, so that the script's defaults
    apply. Writes a boolean as `-name:$true`, which both switches and booleans accept."""
    words = [
        f"{operator}{name}:{literal(value)}" if isinstance(value, bool) else f"{operator}{name} {literal(value)}"
        for name, value in named.items()
        if value is not None
    ]
    return " ".join(words + [literal(value) for value in positional])


def command(script: str, parameters: str = "") -> tuple[str, bytes]:
    """Returns the command line that runs `script` with `parameters`, and the bytes for its standard input."""
    text = f"& {{\n{script}\n}} {parameters}" if parameters else script
    line = _encoded(text)
    if len(line) <= COMMAND_LINE_MOST:
        return line, b""
    coded = base64.b64encode(text.encode()).decode()
    lines = [coded[at : at + _LINE] for at in range(0, len(coded), _LINE)]
    return _encoded(_READ_SCRIPT), "".join(f"{part}\r\n" for part in lines).encode()


def _encoded(text: str) -> str:
    # A lone surrogate stays, because texts of PowerShell may contain them.
    return f"powershell -encodedcommand {base64.b64encode(text.encode('utf-16-le', 'surrogatepass')).decode()}"


class Errors:
    """A filter of PowerShell's standard error: it extracts the messages from the XML objects, piece by piece."""

    def __init__(self) -> None:
        self._pending = ""
        self._is_xml: bool | None = None

    def feed(self, text: str) -> str:
        """Adds a piece of output. Returns the messages that are complete now, or output that is not XML unchanged."""
        self._pending += text
        if self._is_xml is None:
            if len(self._pending) < len(_HEADER) and _HEADER.startswith(self._pending):
                return ""
            self._is_xml = self._pending.startswith(_HEADER)
            if self._is_xml:
                self._pending = self._pending.removeprefix(_HEADER)
        if not self._is_xml:
            return self.finish()
        messages, at = "", 0
        for block in _BLOCK.finditer(self._pending):
            messages += self._pending[at : block.start()] + "".join(map(_message, _MESSAGE.findall(block[0])))
            at = block.end()
        self._pending = self._pending[at:]
        if "<" not in self._pending or len(self._pending) > _PENDING_MOST:
            return messages + self.finish()
        return messages

    def finish(self) -> str:
        """Returns the rest of the text at the end of the output."""
        text, self._pending = self._pending, ""
        return text


def _message(text: str) -> str:
    letters = _ESCAPED.sub(lambda code: chr(int(code[1], 16)), html.unescape(text))
    # Two surrogates of a pair become one character.
    return letters.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\r\n", "\n")
