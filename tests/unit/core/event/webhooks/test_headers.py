from __future__ import annotations

import pytest

from squall.core.event.webhooks.headers import MASK, delivery_headers, delivery_id, is_secret, redact, values
from squall.core.event.webhooks.signatures import presets


def test_values_are_found_in_any_case_and_as_often_as_they_come() -> None:
    headers = [("X-A", " 1 "), ("x-a", "2"), ("X-B", "3")]
    assert values(headers, "x-A") == ["1", "2"]
    assert values(headers, "x-c") == []


@pytest.mark.parametrize(
    ("preset", "headers", "expected"),
    [
        ("github", [("X-GitHub-Delivery", "72d3162e")], "72d3162e"),
        ("gitlab", [("X-Gitlab-Event-UUID", "e"), ("Idempotency-Key", "i")], "i"),
        ("gitlab", [("X-Gitlab-Event-UUID", "e")], "e"),
        ("standard", [("webhook-id", "msg_1")], "msg_1"),
        ("standard", [("Svix-Id", "msg_2")], "msg_2"),
        ("pagerduty", [("X-Webhook-Id", "p")], "p"),
        ("slack", [("X-Request-Id", "r")], None),
        ("stripe", [], None),
        ("grafana", [], None),
        (None, [("X-Request-Id", "r"), ("X-GitHub-Delivery", "g")], "g"),
        ("github", [("X-GitHub-Delivery", "")], None),
        ("github", [("X-GitHub-Delivery", "x" * 256)], None),
    ],
)
def test_a_delivery_has_the_id_of_its_sender(
    preset: str | None, headers: list[tuple[str, str]], expected: str | None
) -> None:
    assert delivery_id(preset, iter(headers)) == expected


def test_every_preset_has_its_delivery_headers_or_none() -> None:
    assert {name: bool(delivery_headers(name)) for name in presets()} == {
        "github": True, "gitlab": True, "slack": False, "stripe": False, "pagerduty": True, "grafana": False,
        "standard": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-Auth-Token", "St2-Api-Key", "X-Api-Key",
        "apikey", "X-ApiKey", "X-Gitlab-Token", "X-Hub-Signature", "X-Hub-Signature-256", "X-Slack-Signature",
        "Stripe-Signature", "X-PagerDuty-Signature", "X-Grafana-Alerting-Signature", "webhook-signature",
        "X-Amz-Security-Token", "X-CSRF-Token", "X-Goog-IAP-JWT-Assertion", "X_AUTH", "X-Password", "Private-Token",
        "X-Client-Secret", "Ocp-Apim-Subscription-Key", "X-Session-Id", "X-MS-TOKEN-AAD-ACCESS-TOKEN", "PRIVATETOKEN",
    ],
)  # fmt: skip
def test_a_log_shows_no_credential(name: str) -> None:
    assert is_secret(name)
    assert redact([(name, "hush")]) == [(name, MASK)]


@pytest.mark.parametrize(
    "name",
    [
        "Content-Type", "User-Agent", "X-GitHub-Event", "X-GitHub-Delivery", "Idempotency-Key", "Host", "Accept",
        "X-Forwarded-For", "webhook-id", "webhook-timestamp", "X-Slack-Request-Timestamp", "X-Author", "X-Monkey",
    ],
)  # fmt: skip
def test_a_log_shows_everything_else(name: str) -> None:
    assert redact([(name, "value")]) == [(name, "value")]


def test_a_log_keeps_the_order_and_hides_secrets_of_the_hook_in_any_header() -> None:
    headers = [("Host", "h"), ("X-Odd", "Basic s3cret=="), ("host", "h")]
    assert redact(headers, ["", "s3cret"]) == [("Host", "h"), ("X-Odd", MASK), ("host", "h")]
