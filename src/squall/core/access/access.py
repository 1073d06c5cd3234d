"""Who asks, and what they may: the one place where every permission question is asked.

Without roles every identity is an administrator, as StackStorm's are without RBAC, unless `auth.admins` names some.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from squall.core.errors import ForbiddenError

TOKEN = "authentication token"  # noqa: S105 - what StackStorm calls the method, not a secret
API_KEY = "API key"
HEADER, QUERY, COOKIE = "header", "query", "cookie"


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who makes a request.

    `method` is `TOKEN`, `API_KEY` or empty where nobody is asked; `location` is where the credential stood.
    `credential` is what the store knows it by, `expires` (µs) when it ends. A `service` identity belongs to an action.
    `execution` is the one that asks, where an action does.
    """

    user: str
    admin: bool = True
    method: str = ""
    location: str = ""
    credential: str = ""
    expires: int | None = None
    service: bool = False
    execution: str = ""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token as it is kept: `hash` is the hex SHA-256 of what its holder shows. `execution` is set for an action's."""

    id: str
    hash: str
    user: str
    expires: int
    service: bool = False
    execution: str = ""


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """An API key as it is kept; `hash` is StackStorm's, so that its keys can be brought along. `created` is in µs."""

    id: str
    hash: str
    user: str
    created: int
    enabled: bool = True
    metadata: dict[str, object] = {}

    @property
    def uid(self) -> str:
        """How StackStorm names it."""
        return f"api_key:{self.hash}"


def is_admin(user: str, admins: Sequence[str]) -> bool:
    """Whether a user administrates; where nobody is named, everybody does."""
    return not admins or user in admins


def reveals(identity: Identity, asked: bool) -> bool:
    """Whether secrets are shown: only to an administrator who asks (`show_secrets`, `decrypt`). Others get masks."""
    return asked and identity.admin


def check_admin(identity: Identity, what: str) -> None:
    """Raises `ForbiddenError` unless an administrator asks; `what` completes "… needs an administrator"."""
    if not identity.admin:
        raise ForbiddenError(f'User "{identity.user}" may not: {what} needs an administrator (auth.admins).')


_ADMINISTRATION = frozenset(
    f"packs.{name}"
    for name in (
        "delete", "download", "get_config", "install", "load", "restart_component", "setup_virtualenv", "uninstall",
        "unload", "update_virtualenv",
    )
)  # fmt: skip
"""Actions that do what routes for administrators do."""


def check_run(identity: Identity, action: str) -> None:
    """Raises `ForbiddenError` if running the action of this ref needs an administrator, and none asks."""
    if action in _ADMINISTRATION:
        check_admin(identity, f"running {action}")


def acting_user(identity: Identity, asked: str | None) -> str:
    """In whose name something is made: another's only for an administrator. Raises `ForbiddenError`."""
    if asked and asked != identity.user:
        check_admin(identity, f"acting as {asked!r}")
    return asked or identity.user


def sees_keys_of(identity: Identity, owner: str) -> bool:
    """Whether an API key of `owner` is there for this identity."""
    return identity.admin or identity.user == owner


def check_respond(identity: Identity, inquiry: str, users: Sequence[str], roles: Sequence[str]) -> None:
    """Whether an inquiry may be answered: by its users, if it names any. Raises `ForbiddenError`.

    Nobody has a role yet, so an inquiry that asks for one is answered by administrators only.
    """
    allowed = identity.user in users or (bool(roles) and identity.admin)
    if (users or roles) and not allowed:
        raise ForbiddenError(f'User "{identity.user}" does not have permission to respond to inquiry "{inquiry}".')
