"""Where packs are, as actions ask. Standard library only, Python 3.8."""

from __future__ import annotations

import os

__all__ = ["get_pack_base_path", "get_packs_base_paths", "get_system_packs_base_path"]


def get_packs_base_paths():
    """The folders whose sub-folders are packs."""
    return [path for path in os.environ.get("ST2_ACTION_PACKS_PATHS", "").split(os.pathsep) if path]


def get_system_packs_base_path():
    """The first of them."""
    return (get_packs_base_paths() or ["/opt/stackstorm/packs"])[0]


def get_packs_base_path():
    """The first of them: packs that come with the platform are in the last one."""
    return (get_packs_base_paths() or ["/opt/stackstorm/packs"])[0]


def get_pack_base_path(pack_name, include_trailing_slash=False, use_pack_cache=False):
    """The folder of a pack; where it would be, if there is none. None for no name."""
    if not pack_name:
        return None
    places = [os.path.join(path, pack_name) for path in get_packs_base_paths()]
    found = [place for place in places if os.path.isdir(place)]
    path = (found or places or [os.path.join("/opt/stackstorm/packs", pack_name)])[0]
    return path + os.sep if include_trailing_slash else path
