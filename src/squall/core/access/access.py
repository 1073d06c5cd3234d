"""The identities of requests, and all checks of their permissions.

There are no roles: every identity is an administrator, as in StackStorm without RBAC, unless `auth.admins` names the
administrators.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from squall.core.errors import ForbiddenError

TOKEN = "authentication token"  # noqa: S105 - StackStorm's name of the method, not a secret
API_KEY = "API key"
HEADER, QUERY, COOKIE = "header", "query", "cookie"


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """The identity of a request.

    `method` is `TOKEN`, `API_KEY`, or empty if authentication is off; `location` is the part of the request that had
    the credential: `HEADER`, `QUERY` or `COOKIE`. `credential` is the key of the credential in the store, `expires` its
    end (µs). A `service` identity belongs to an action; `execution` is the action's execution.
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
    """A stored token. `hash` is the hex SHA-256 of the token's text; `expires` is in µs. `execution` is set if the
    token belongs to an action."""

    id: str
    hash: str
    user: str
    expires: int
    service: bool = False
    execution: str = ""


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A stored API key. `hash` is StackStorm's hash, so that keys of StackStorm can be imported; `created` is in µs."""

    id: str
    hash: str
    user: str
    created: int
    enabled: bool = True
    metadata: dict[str, object] = {}

    @property
    def uid(self) -> str:
        """The key's `uid` in StackStorm's form."""
        return f"api_key:{self.hash}"


def is_admin(user: str, admins: Sequence[str]) -> bool:
    """Returns True if a user is an administrator: one of `admins`, or any user if `admins` is empty."""
    return not admins or user in admins


def reveals(identity: Identity, requested: bool) -> bool:
    """Returns True if a response has secrets: only if an administrator requested them (`show_secrets`, `decrypt`).
    Other responses have masks."""
    return requested and identity.admin


def check_admin(identity: Identity, what: str) -> None:
    """Raises `ForbiddenError` if the identity is not an administrator. `what` completes "… and … needs one"."""
    if not identity.admin:
        raise ForbiddenError(f'User "{identity.user}" is not an administrator (auth.admins), and {what} needs one.')


_ADMINISTRATION = frozenset(
    f"packs.{name}"
    for name in (
        "delete", "download", "get_config", "install", "load", "restart_component", "setup_virtualenv", "uninstall",
        "unload", "update_virtualenv",
    )
)  # fmt: skip
"""The actions that do the same as routes for administrators."""


def check_run(identity: Identity, action: str) -> None:
    """Raises `ForbiddenError` if the action with this ref needs an administrator and the identity is not one."""
    if action in _ADMINISTRATION:
        check_admin(identity, f"running {action}")


def acting_user(identity: Identity, requested: str | None) -> str:
    """Returns the user for whom a request acts: the requested one, else the identity's own. Raises `ForbiddenError` if
    another user is requested and the identity is not an administrator."""
    if requested and requested != identity.user:
        check_admin(identity, f"acting as {requested!r}")
    return requested or identity.user


def sees_keys_of(identity: Identity, owner: str) -> bool:
    """Returns True if the identity may see API keys of `owner`."""
    return identity.admin or identity.user == owner


def check_respond(identity: Identity, inquiry: str, users: Sequence[str], roles: Sequence[str]) -> None:
    """Raises `ForbiddenError` if an inquiry names users or roles and the identity is not among them.

    Squall has no roles yet, so only administrators and the named users may respond to an inquiry that names roles.
    """
    allowed = identity.user in users or (bool(roles) and identity.admin)
    if (users or roles) and not allowed:
        raise ForbiddenError(f'User "{identity.user}" does not have permission to respond to inquiry "{inquiry}".')
