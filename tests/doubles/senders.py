"""The senders of webhooks: each signs as its documentation says, with nothing of Squall's own."""

from __future__ import annotations

import base64
import hashlib
import hmac

SECRETS = {
    "github": ("gh-secret-one", "gh-secret-two"),
    "gitlab": ("gl-secret-one", "gl-secret-two"),
    "slack": ("8f742231b10e8888abcd99yyyzzz85a5", "slack-secret-two"),
    "stripe": ("whsec_stripe_one", "whsec_stripe_two"),
    "pagerduty": ("pd-secret-one", "pd-secret-two"),
    "grafana": ("gf-secret-one", "gf-secret-two"),
    "standard": tuple("whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"a", b"b")),
}
"""Two secrets that the senders of each preset may have."""

IDS = {
    "github": "X-GitHub-Delivery",
    "pagerduty": "X-Webhook-Id",
    "gitlab": "Idempotency-Key",
    "standard": "webhook-id",
}
"""The headers in which senders name a delivery; the others name none."""


def signed(preset: str, secret: str, body: bytes, now: int, name: str = "msg-1") -> dict[str, str]:
    """The headers with which a sender signs `body` at `now` (seconds since 1970) and names the delivery."""
    stamp = str(now)
    headers: dict[str, str]
    if preset == "github":
        headers = {"X-Hub-Signature-256": "sha256=" + _hex(secret, body)}
    elif preset == "gitlab":
        headers = {"X-Gitlab-Token": secret}
    elif preset == "slack":
        headers = {
            "X-Slack-Signature": "v0=" + _hex(secret, b"v0:" + stamp.encode() + b":" + body),
            "X-Slack-Request-Timestamp": stamp,
        }
    elif preset == "stripe":
        headers = {"Stripe-Signature": f"t={stamp},v1={_hex(secret, stamp.encode() + b'.' + body)}"}
    elif preset == "pagerduty":
        headers = {"X-PagerDuty-Signature": "v1=" + _hex(secret, body)}
    elif preset == "grafana":
        headers = {"X-Grafana-Alerting-Signature": _hex(secret, body)}
    else:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        digest = hmac.new(key, f"{name}.{stamp}.".encode() + body, hashlib.sha256).digest()
        headers = {
            "webhook-timestamp": stamp,
            "webhook-signature": "v1," + base64.b64encode(digest).decode(),
        }
    return {**headers, **({IDS[preset]: name} if preset in IDS else {})}


def _hex(secret: str, message: bytes) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
