"""The places and limits of installations. One variable passes them to the actions of the pack `packs`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from squall.core.content.action import SYSTEM_PACKS
from squall.core.errors import InvalidError
from squall.core.names import below, pack_name

VARIABLE = "SQUALL_INSTALLING"


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """The folders `packs`, `virtualenvs` and `configs`, and `search`: all folders of packs, in their order.

    `index_urls` are the places of pack lists. Every install command gets the `pip_options`, such as `--no-index`.
    `python` is the interpreter of virtualenvs, `max_file_bytes` the size limit of a file in a pack.
    """

    packs: str
    virtualenvs: str
    configs: str
    search: tuple[str, ...] = ()
    index_urls: tuple[str, ...] = ()
    pip_options: tuple[str, ...] = ()
    python: str = sys.executable
    max_file_bytes: int = 64 << 20

    def encoded(self) -> str:
        """Returns all fields as a text for the variable."""
        return msgspec.json.encode(self).decode()

    def installed(self, ref: str) -> Path | None:
        """Returns the folder of an installed pack; None if there is none. Raises `InvalidError` for a bad name."""
        # The packs that come with Squall are in the last folder, and no other pack replaces them.
        for root in self.search[-1:] if ref in SYSTEM_PACKS else self.search:
            folder = below(Path(root), pack_name(ref))
            if (folder / "pack.yaml").is_file():
                return folder
        return None


def from_environment(environ: Mapping[str, str] = os.environ) -> Places:
    """Returns the places that the server passed to this process. Raises `InvalidError` outside of an action of the pack
    `packs`."""
    if VARIABLE not in environ:
        raise InvalidError(f"{VARIABLE} is not set: only actions of the pack `packs` install packs")
    return msgspec.json.decode(environ[VARIABLE], type=Places)
