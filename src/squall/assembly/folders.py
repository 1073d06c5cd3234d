"""Builds the source of packs from the settings."""

from __future__ import annotations

from squall.adapters.installing.versions import make_default_pack
from squall.adapters.packs.folders import PackFolders
from squall.assembly import arguments
from squall.assembly.plugins import runner_types
from squall.config import Settings


def pack_folders(settings: Settings) -> PackFolders:
    """Returns the folders of packs, with that of installed ones. Creates the pack `default` if it can."""
    installed = arguments.installed_packs(settings)
    make_default_pack(installed)
    roots = arguments.packs_roots(settings)
    return PackFolders(
        arguments.BUNDLED / "_runners", roots, runner_types(), [installed], arguments.installed(settings)
    )
