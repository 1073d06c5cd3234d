"""The folders of packs of a server."""

from __future__ import annotations

from squall.adapters.installing.versions import make_default_pack
from squall.adapters.packs.folders import PackFolders
from squall.assembly import arguments
from squall.assembly.plugins import runner_types
from squall.config import Settings


def pack_folders(settings: Settings) -> PackFolders:
    """Returns the folders of packs in the settings. Makes the default pack if it is missing."""
    installed = arguments.installed_packs(settings)
    make_default_pack(installed)
    roots = arguments.packs_roots(settings)
    return PackFolders(
        arguments.BUNDLED / "_runners", roots, runner_types(), [installed], arguments.installed(settings)
    )
