"""The records of webhooks: the settings of a hook, and the deliveries that it got; their documents and events."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from squall.core.errors import InvalidError
from squall.core.event.events import Change
from squall.core.event.webhooks.headers import MASK
from squall.core.event.webhooks.signatures import MOST_SECRETS, check_secret, preset_of
from squall.core.timestamp import to_iso

ACCEPTED: Final = "accepted"
DUPLICATE: Final = "duplicate"
BAD_SIGNATURE: Final = "bad_signature"
BAD_BODY: Final = "bad_body"
UNKNOWN: Final = "unknown"
VERDICTS: Final = (ACCEPTED, DUPLICATE, BAD_SIGNATURE, BAD_BODY, UNKNOWN)
"""The verdicts about a delivery: stored as an event; seen before; not signed as the hook's settings say; a body that
is no event; no rule has the hook, or the trigger that the body names does not exist."""

CREATE: Final = "create"
UPDATE: Final = "update"
DELETE: Final = "delete"

_FIELDS: Final = ("preset", "secrets", "drop_duplicates")
_READ_ONLY: Final = frozenset({"url", "user", "updated_at"})


class HookSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of the hook `url`, which `user` stored at `at` (µs since 1970).

    `secrets` are envelopes of the vault, the newest first. With secrets, a signature of `preset` opens the hook. With
    `drop_duplicates`, a delivery whose id came in the last 24 hours is no event.
    """

    url: str
    preset: str | None = None
    secrets: tuple[str, ...] = ()
    drop_duplicates: bool = False
    user: str = ""
    at: int = 0


class NewSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings in the body of a request. A secret that is None stands for the stored one at its place among those
    that are None; `secrets` is None if all stored ones stay."""

    preset: str | None
    secrets: tuple[str | None, ...] | None
    drop_duplicates: bool


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One request to the hook `url` at `at` (µs since 1970), and the `verdict` about it, with a `reason` for people.

    `headers` have no credentials. `body` is the beginning of the bytes that came; `size` is the number of all of them,
    or 0 if they were not read. `delivery_id` is the sender's own id. `instance` is the id of the trigger instance, if
    any: for a duplicate that of the first delivery. `user` sent it with a credential; it is empty if a signature opened
    the hook. `remote` is the sender's address. `replay_of` is the id of the delivery that was sent again.
    """

    id: str
    url: str
    at: int
    verdict: str
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    size: int = 0
    delivery_id: str | None = None
    instance: str | None = None
    user: str = ""
    remote: str = ""
    replay_of: str | None = None

    @property
    def is_refused(self) -> bool:
        """True if the delivery is no event."""
        return self.verdict not in (ACCEPTED, DUPLICATE)


def read_settings(body: Mapping[str, Any]) -> NewSettings:
    """Returns the settings in the body of a request. Raises `InvalidError` that names the field; no message contains a
    secret."""
    for name in body:
        if name not in _FIELDS and name not in _READ_ONLY:
            raise InvalidError(f"{name!r:.60} is no setting of a webhook. Use: {', '.join(_FIELDS)}.")
    preset, drops = body.get("preset"), body.get("drop_duplicates")
    if preset is not None:
        if not isinstance(preset, str):
            raise InvalidError("preset: it is not a text. Use the name of a preset, such as github, or null.")
        preset_of(preset)
    if drops is not None and not isinstance(drops, bool):
        raise InvalidError("drop_duplicates: use true or false.")
    return NewSettings(preset=preset, secrets=_read_secrets(body.get("secrets"), preset), drop_duplicates=bool(drops))


def _read_secrets(secrets: Any, preset: str | None) -> tuple[str | None, ...] | None:
    if secrets is None:
        return None
    if not isinstance(secrets, list) or not all(isinstance(secret, str) for secret in secrets):
        raise InvalidError("secrets: it is not a list of texts.")
    if len(secrets) > MOST_SECRETS:
        raise InvalidError(f"secrets: there are {len(secrets)}; a hook has at most {MOST_SECRETS}, the newest first.")
    if secrets and preset is None:
        raise InvalidError("secrets: they need a preset that says how the sender signs, such as github.")
    return tuple(None if secret == MASK else check_secret(preset or "", secret) for secret in secrets)


def settings_document(settings: HookSettings) -> dict[str, Any]:
    """Returns the settings as the API shows them: `********` instead of each secret."""
    return {
        "url": settings.url,
        "preset": settings.preset,
        "secrets": [MASK] * len(settings.secrets),
        "drop_duplicates": settings.drop_duplicates,
        "user": settings.user,
        "updated_at": to_iso(settings.at),
    }


def delivery_document(delivery: Delivery, *, whole: bool = False) -> dict[str, Any]:
    """Returns a delivery as the API shows it; with headers and body only if it is `whole`.

    A body that is no UTF-8 is `body_b64`. `is_complete` is false if the body is only the beginning of what came.
    """
    document: dict[str, Any] = {
        "id": delivery.id,
        "url": delivery.url,
        "received_at": to_iso(delivery.at),
        "verdict": delivery.verdict,
        "reason": delivery.reason,
        "delivery_id": delivery.delivery_id,
        "trigger_instance": delivery.instance,
        "user": delivery.user,
        "remote": delivery.remote,
        "size": delivery.size,
        "replay_of": delivery.replay_of,
    }
    document = {name: value for name, value in document.items() if value not in (None, "")}
    if whole:
        document["headers"] = [{"name": name, "value": value} for name, value in delivery.headers]
        document["is_complete"] = len(delivery.body) == delivery.size
        try:
            document["body"] = delivery.body.decode()
        except UnicodeDecodeError:
            document["body_b64"] = base64.b64encode(delivery.body).decode()
    return document


def settings_change(settings: HookSettings, what: str, at: int) -> Change:
    """Returns the event `st2.webhook_settings__<what>` of a hook's settings at `at` (µs)."""
    return Change(kind="webhook_settings", name=f"st2.webhook_settings__{what}", resource=settings.url, at=at)


def delivery_change(delivery: Delivery) -> Change:
    """Returns the event `st2.webhook_delivery__create` of a delivery."""
    return Change(kind="webhook_delivery", name="st2.webhook_delivery__create", resource=delivery.id, at=delivery.at)
