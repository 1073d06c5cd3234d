"""Where packs are installed, and what installing may use: told to the actions of the pack `packs` in one variable."""

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
    """`packs`, `virtualenvs` and `configs` are folders; `search` are all folders of packs, in their order.

    `index_urls` are where lists of packs are; `pip_options` go to every installation, such as `--no-index`; `python` is
    the interpreter of virtualenvs, `max_file_bytes` the largest file a pack may have.
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
        """All of it as a text, for the variable."""
        return msgspec.json.encode(self).decode()

    def installed(self, ref: str) -> Path | None:
        """The folder of a pack that is there, wherever it came from. Raises `InvalidError` for what is no name."""
        # The packs that come with Squall are in the last folder, and no other replaces them.
        for root in self.search[-1:] if ref in SYSTEM_PACKS else self.search:
            folder = below(Path(root), pack_name(ref))
            if (folder / "pack.yaml").is_file():
                return folder
        return None


def from_environment(environ: Mapping[str, str] = os.environ) -> Places:
    """What the server has told this process. Raises `InvalidError` outside of an action of the pack `packs`."""
    if VARIABLE not in environ:
        raise InvalidError(f"{VARIABLE} is not set: only actions of the pack `packs` install packs")
    return msgspec.json.decode(environ[VARIABLE], type=Places)
