"""The limit of this process's descriptors: raised as far as the system allows, with a part kept from connections."""

from __future__ import annotations

import os
import resource

from squall.adapters.keeper.process.starting import OPEN_FILES

_RESERVE = 512
_MOST = 1 << 20


def raise_limit() -> None:
    """Raises the soft limit to the hard limit, at most to a million. Notes the former one for actions."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    os.environ[OPEN_FILES] = str(soft)
    limit = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft == resource.RLIM_INFINITY or soft >= limit:
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def for_connections() -> int:
    """Returns the number of descriptors up to which connections may use them. The rest, 512 or half of a low limit,
    stays free for the database, journals, keepers, and files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = _MOST if soft == resource.RLIM_INFINITY else soft
    return limit - min(_RESERVE, limit // 2)
