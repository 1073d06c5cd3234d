"""The environment variables of the server that its other processes get: only listed ones, because the server's own
environment may hold credentials.

An entry of a list is a name, a pattern with `*`, or `NAME=VALUE`, which sets a variable. Case matters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Final

from squall.core.errors import InvalidError

ACTIONS: Final = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_*", "TZ", "TERM", "TMPDIR",
    "http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy",
    "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO",
    "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONNOUSERSITE", "PYTHONDONTWRITEBYTECODE",
    "PYTHONPYCACHEPREFIX", "PYTHONUTF8", "PYTHONIOENCODING", "PYTHONHASHSEED", "PYTHONWARNINGS",
)  # fmt: skip
"""What actions get, and the keepers that start them."""

REACHING: Final = (*ACTIONS, "SSH_AUTH_SOCK", "KRB5*")
"""What the programs get that connect to other machines: also the keys of the user."""

INSTALLING: Final = (*ACTIONS, "SSH_AUTH_SOCK", "GIT_*", "PIP_*", "UV_*", "XDG_*_HOME")
"""What the actions of the pack `packs` get, which run git, uv and pip."""

BLOBS: Final = (*ACTIONS, "AWS_*")
"""What the processes get that read sealed output, maybe from a bucket."""

OWN: Final = "SQUALL_"
"""The prefix of Squall's own settings. No list passes them on."""

_ENTRY: Final = re.compile(r"[A-Za-z_*][A-Za-z0-9_*]*|[A-Za-z_][A-Za-z0-9_]*=[^\0]*")


def check_entries(entries: Iterable[str]) -> None:
    """Raises `InvalidError` for an entry that is neither a name nor a pattern nor `NAME=VALUE`."""
    for entry in entries:
        if not _ENTRY.fullmatch(entry):
            name = entry.partition("=")[0]
            raise InvalidError(f'"{name:.80}" is no name of a variable, no pattern such as "ACME_*", and no NAME=VALUE')
        if entry.startswith(OWN):
            raise InvalidError(f"Squall's own settings ({OWN}…) are never passed on")


def environment(server: Mapping[str, str], listed: Iterable[str], account: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables of `server` that an entry of `listed` names, and those that an entry sets.

    `account` has the variables of the user who runs the process: they stand in for those that the server does not have.
    """
    names: set[str] = set()
    patterns: list[str] = []
    fixed: dict[str, str] = {}
    for entry in listed:
        name, has_value, value = entry.partition("=")
        if has_value:
            fixed[name] = value
        elif "*" in name:
            patterns.append(name)
        else:
            names.add(name)
    passed = {
        name: value
        for name, value in server.items()
        if not name.startswith(OWN) and (name in names or any(fnmatchcase(name, pattern) for pattern in patterns))
    }
    return {**account, **passed, **fixed}
