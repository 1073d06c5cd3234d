"""The headers of deliveries: their values, delivery ids, and what a log of deliveries shows of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

Headers = Iterable[tuple[str, str]]
"""The headers of a request in their order, as names in any case and values. One name may come several times."""

MASK: Final = "********"

_DELIVERY_IDS: Final = {
    "github": ("x-github-delivery",),
    "gitlab": ("idempotency-key", "webhook-id", "x-gitlab-event-uuid"),
    "pagerduty": ("x-webhook-id",),
    "standard": ("webhook-id", "svix-id"),
}
_ANY_DELIVERY_ID: Final = ("webhook-id", "x-github-delivery", "idempotency-key", "svix-id", "x-request-id")
_LONGEST_ID: Final = 255

_SECRET_PARTS: Final = frozenset(
    {"auth", "authentication", "jwt", "key", "pwd", "session", "sid", "hmac", "sign", "sig"}
)
_SECRET_WORDS: Final = (
    "accesskey", "apikey", "assertion", "authoriz", "cookie", "credential", "passphrase", "passw", "privatekey",
    "secret", "signature", "token",
)  # fmt: skip
_PUBLIC: Final = frozenset({"idempotency-key", "sec-websocket-key"})


def values(headers: Headers, name: str) -> list[str]:
    """Returns the values of the headers with this name, in any case, without spaces around them."""
    return [value.strip() for each, value in headers if each.lower() == name.lower()]


def delivery_headers(preset: str | None) -> tuple[str, ...]:
    """Returns the names of the headers in which senders of a `preset` put the id of a delivery, the best first.

    Slack, Stripe and Grafana send none. Without a preset these are the headers that senders commonly use.
    """
    return _ANY_DELIVERY_ID if preset is None else _DELIVERY_IDS.get(preset, ())


def delivery_id(preset: str | None, headers: Headers) -> str | None:
    """Returns the id by which the sender of a `preset` names a delivery, also when it repeats it; None without one."""
    pairs = list(headers)
    for name in delivery_headers(preset):
        for value in values(pairs, name):
            if 0 < len(value) <= _LONGEST_ID:
                return value
    return None


def is_secret(name: str) -> bool:
    """Checks whether a header with this name may hold a credential: tokens, cookies, passwords, keys and signatures."""
    lower = name.lower()
    if lower in _PUBLIC:
        return False
    parts = lower.replace("_", "-").split("-")
    return any(word in lower for word in _SECRET_WORDS) or not _SECRET_PARTS.isdisjoint(parts)


def redact(headers: Headers, secrets: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Returns the headers for a log of deliveries: `********` instead of credentials and of values with a secret.

    `secrets` are those of the hook.
    """
    known = [secret for secret in secrets if secret]
    return [
        (name, MASK if is_secret(name) or any(secret in value for secret in known) else value)
        for name, value in headers
    ]
