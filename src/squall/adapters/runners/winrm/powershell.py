"""PowerShell as text: values as its literals, scripts as command lines, and the errors it prints."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Mapping
from typing import Any

COMMAND_LINE_MOST = 8191
"""The most characters that Windows takes as a command line."""

# PowerShell ends a text in single quotes at each of these.
_QUOTES = re.compile("['\u2018\u2019\u201a\u201b]")
_LINE = 1000
# Reads a script in base64 from its standard input: a command line has no room for a long one.
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
    """`value` as a PowerShell expression that evaluates nothing; objects are hash tables, arrays are arrays."""
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
    """The arguments of a script. A null named one is left out, so that the script's own default holds; a boolean is
    written `-name:$true`, which switches and booleans take."""
    words = [
        f"{operator}{name}:{literal(value)}" if isinstance(value, bool) else f"{operator}{name} {literal(value)}"
        for name, value in named.items()
        if value is not None
    ]
    return " ".join(words + [literal(value) for value in positional])


def command(script: str, parameters: str = "") -> tuple[str, bytes]:
    """The command line that runs `script` with `parameters`, and what its standard input is to hold."""
    text = f"& {{\n{script}\n}} {parameters}" if parameters else script
    line = _encoded(text)
    if len(line) <= COMMAND_LINE_MOST:
        return line, b""
    coded = base64.b64encode(text.encode()).decode()
    lines = [coded[at : at + _LINE] for at in range(0, len(coded), _LINE)]
    return _encoded(_READ_SCRIPT), "".join(f"{part}\r\n" for part in lines).encode()


def _encoded(text: str) -> str:
    # A lone surrogate is kept: PowerShell's own texts may have them.
    return f"powershell -encodedcommand {base64.b64encode(text.encode('utf-16-le', 'surrogatepass')).decode()}"


class Errors:
    """Turns what PowerShell writes to its standard error, objects as XML, into the messages in it, as it comes."""

    def __init__(self) -> None:
        self._pending = ""
        self._is_xml: bool | None = None

    def feed(self, text: str) -> str:
        """The messages that are whole now; other text is returned as it is."""
        self._pending += text
        if self._is_xml is None:
            if len(self._pending) < len(_HEADER) and _HEADER.startswith(self._pending):
                return ""
            self._is_xml = self._pending.startswith(_HEADER)
            if self._is_xml:
                self._pending = self._pending.removeprefix(_HEADER)
        if not self._is_xml:
            return self.finish()
        done, at = "", 0
        for block in _BLOCK.finditer(self._pending):
            done += self._pending[at : block.start()] + "".join(map(_message, _MESSAGE.findall(block[0])))
            at = block.end()
        self._pending = self._pending[at:]
        if "<" not in self._pending or len(self._pending) > _PENDING_MOST:
            return done + self.finish()
        return done

    def finish(self) -> str:
        """What is left when no more comes."""
        text, self._pending = self._pending, ""
        return text


def _message(text: str) -> str:
    letters = _ESCAPED.sub(lambda code: chr(int(code[1], 16)), html.unescape(text))
    # Halves of a pair become one character.
    return letters.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\r\n", "\n")
