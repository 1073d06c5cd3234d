"""Names from outside that become parts of paths: their rules, and the only way to build a path below a folder."""

from __future__ import annotations

import re
from pathlib import PurePath, PurePosixPath
from typing import TypeVar

from squall.core.errors import InvalidError

_PACK = re.compile(r"[a-z0-9_]+")
_LONGEST = 255
"""The bytes of the longest file name on Linux."""

AnyPath = TypeVar("AnyPath", bound=PurePath)


def is_pack_name(text: object) -> bool:
    """Checks whether `text` can be the ref of a pack."""
    return isinstance(text, str) and len(text) <= _LONGEST - 16 and _PACK.fullmatch(text) is not None


def pack_name(text: str) -> str:
    """Returns `text`, the ref of a pack. Raises `InvalidError` for a text that cannot be one."""
    if not is_pack_name(text):
        raise InvalidError(f"{text!r:.80} is not a valid pack name. Use lower case letters, digits and _.")
    return text


def is_file_name(text: str) -> bool:
    """Checks whether `text` names one entry of a folder, and nothing above or below it."""
    plain = "/" not in text and all(character.isprintable() for character in text)
    return plain and text not in ("", ".", "..") and len(text.encode(errors="replace")) <= _LONGEST


def below(root: AnyPath, *names: str) -> AnyPath:
    """Returns the path of an entry below `root`, by the names that lead to it. Raises `InvalidError` for an invalid
    name.

    It checks the text alone: the code that opens the entry must check for links.
    """
    for name in names:
        if not is_file_name(name):
            raise InvalidError(f"{name!r:.80} is not a valid file name")
    return root.joinpath(*names)


def inner_path(text: str) -> PurePosixPath:
    """Returns a relative path that stays below its folder, such as `workflows/a.yaml`.

    Raises `InvalidError` for an empty or absolute path, one with `..`, and one with control characters.
    """
    path = PurePosixPath(text)
    parts = path.parts
    if not text or path.is_absolute() or not parts or not all(is_file_name(part) for part in parts):
        raise InvalidError(f'"{text:.200}" is not a path below a folder. Use one such as "lib/my_file.py".')
    return path
