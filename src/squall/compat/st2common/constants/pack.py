"""Names of packs and of their files, as packs import them."""

from __future__ import annotations

SYSTEM_PACK_NAME = "core"
PACKS_PACK_NAME = "packs"
LINUX_PACK_NAME = "linux"
CHATOPS_PACK_NAME = "chatops"
DEFAULT_PACK_NAME = "default"
PACK_REF_WHITELIST_REGEX = r"^[a-z0-9_]+$"
MANIFEST_FILE_NAME = "pack.yaml"
CONFIG_SCHEMA_FILE_NAME = "config.schema.yaml"
SYSTEM_PACK_NAMES = [CHATOPS_PACK_NAME, SYSTEM_PACK_NAME, PACKS_PACK_NAME, LINUX_PACK_NAME]
USER_PACK_NAME_BLACKLIST = ["_global"]
