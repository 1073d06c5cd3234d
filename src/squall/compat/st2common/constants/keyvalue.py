"""Scopes of the datastore, as packs import them."""

from __future__ import annotations

SYSTEM_SCOPE = "system"
USER_SCOPE = "user"
FULL_SYSTEM_SCOPE = "st2kv.system"
FULL_USER_SCOPE = "st2kv.user"
ALL_SCOPE = "all"
USER_SEPARATOR = ":"
DATASTORE_PARENT_SCOPE = "st2kv"
DATASTORE_KEY_SEPARATOR = ":"
ALLOWED_SCOPES = [SYSTEM_SCOPE, USER_SCOPE, FULL_SYSTEM_SCOPE, FULL_USER_SCOPE]
