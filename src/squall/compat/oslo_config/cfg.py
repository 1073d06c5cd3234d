"""The few options of the platform that packs read: `CONF.content` and `CONF.system`."""

from __future__ import annotations

import os

__all__ = ["CONF"]


class _Group:
    def __init__(self, **options):
        self.__dict__.update(options)


def _packs():
    return [path for path in os.environ.get("ST2_ACTION_PACKS_PATHS", "").split(os.pathsep) if path]


class _Conf:
    """The options, read from this process's environment when they are asked for."""

    @property
    def content(self):
        """Where packs are."""
        paths = _packs() or ["/opt/stackstorm/packs"]
        return _Group(system_packs_base_path=paths[0], packs_base_paths=os.pathsep.join(paths[1:]))

    @property
    def system(self):
        """Where the platform is."""
        return _Group(base_path=os.environ.get("ST2_ACTION_BASE_PATH", "/opt/stackstorm"))

    @property
    def system_user(self):
        """Whom actions run as."""
        return _Group(user=os.environ.get("USER", "stanley"), ssh_key_file="/home/stanley/.ssh/stanley_rsa")


CONF = _Conf()
