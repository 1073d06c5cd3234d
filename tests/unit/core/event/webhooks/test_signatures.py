from __future__ import annotations

import base64
import hashlib
import hmac
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.core.errors import InvalidError
from squall.core.event.webhooks.signatures import (
    SECOND,
    TOLERANCE,
    Verdict,
    check_secret,
    is_signed,
    presets,
    signature_headers,
    verify,
)

STAMP = 1_614_265_330
NOW = STAMP * SECOND
BODY = '{"text": "grün"}'.encode()
STANDARD = "whsec_" + base64.b64encode(bytes(range(24))).decode()
SECRETS = dict.fromkeys(presets(), "a secret of the hook") | {"standard": STANDARD}


def hexed(secret: str, message: bytes) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def standard(secret: str, message: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()


def sign(preset: str, secret: str, body: bytes = BODY, stamp: int = STAMP) -> dict[str, str]:
    """The headers that a sender of the preset puts on a request."""
    if preset == "github":
        return {"X-Hub-Signature-256": "sha256=" + hexed(secret, body)}
    if preset == "gitlab":
        return {"X-Gitlab-Token": secret}
    if preset == "slack":
        signature = "v0=" + hexed(secret, b"v0:%d:%b" % (stamp, body))
        return {"X-Slack-Request-Timestamp": str(stamp), "X-Slack-Signature": signature}
    if preset == "stripe":
        return {"Stripe-Signature": f"t={stamp},v1={hexed(secret, b'%d.%b' % (stamp, body))},v0=old"}
    if preset == "pagerduty":
        return {"X-PagerDuty-Signature": f"v1={'0' * 64},v1={hexed(secret, body)}"}
    if preset == "grafana":
        return {"X-Grafana-Alerting-Signature": hexed(secret, body)}
    signature = standard(secret, b"msg_1.%d.%b" % (stamp, body))
    return {"webhook-id": "msg_1", "webhook-timestamp": str(stamp), "webhook-signature": f"v1a,abc v1,{signature}"}


def check(
    preset: str, headers: dict[str, str], *secrets: str, body: bytes = BODY, now: int = NOW, tolerance: int = TOLERANCE
) -> Verdict:
    return verify(preset, secrets, headers.items(), body, now, tolerance)


class Published(NamedTuple):
    """An example that the sender publishes in its documentation."""

    preset: str
    secret: str
    headers: dict[str, str]
    body: bytes
    stamp: int = STAMP


PUBLISHED = [
    Published(
        "github",
        "It's a Secret to Everybody",
        {"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
        b"Hello, World!",
    ),
    Published(
        "slack",
        "8f742231b10e8888abcd99yyyzzz85a5",
        {
            "X-Slack-Request-Timestamp": "1531420618",
            "X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        },
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name="
        b"foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2F"
        b"hooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015."
        b"47445629121.803a0bc887a14d10d2c447fce8b6703c",
        1_531_420_618,
    ),
    Published(
        "standard",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
        b'{"test": 2432232314}',
    ),
]


@pytest.mark.parametrize("example", PUBLISHED, ids=lambda each: each.preset)
def test_the_examples_of_senders_are_valid(example: Published) -> None:
    now = example.stamp * SECOND
    assert check(example.preset, example.headers, example.secret, body=example.body, now=now).valid
    assert not check(example.preset, example.headers, example.secret, body=example.body + b" ", now=now).valid


@pytest.mark.parametrize("preset", presets())
def test_a_signed_request_is_valid_with_headers_in_any_case(preset: str) -> None:
    secret = SECRETS[preset]
    headers = sign(preset, secret)
    valid = Verdict(True, "The signature is valid.", 0)
    assert check(preset, headers, secret) == valid
    assert check(preset, {name.upper(): f" {value} " for name, value in headers.items()}, secret) == valid
    assert {name.lower() for name in headers} <= {name.lower() for name in presets()[preset].headers}


@pytest.mark.parametrize("preset", presets())
def test_two_secrets_are_valid_while_one_replaces_the_other(preset: str) -> None:
    old = SECRETS[preset]
    new = "whsec_" + base64.b64encode(b"n" * 32).decode()
    for position, secret in enumerate((new, old)):
        assert check(preset, sign(preset, secret), new, old) == Verdict(True, "The signature is valid.", position)
    assert not check(preset, sign(preset, old), new).valid
    assert not check(preset, sign(preset, old), new, new, old).valid


@pytest.mark.parametrize("preset", sorted(presets().keys() - {"gitlab"}))
@given(body=st.binary(max_size=50), place=st.integers(0, 49))
def test_a_changed_body_is_refused(preset: str, body: bytes, place: int) -> None:
    secret = SECRETS[preset]
    headers = sign(preset, secret, body)
    assert check(preset, headers, secret, body=body).valid
    changed = body[:place] + b"x" + body[place:]
    assert check(preset, headers, secret, body=changed) == Verdict(
        False, "No signature fits the body and the secrets of the hook."
    )


@pytest.mark.parametrize("preset", ["slack", "stripe", "standard"])
def test_a_signed_time_is_valid_within_the_tolerance_of_both_directions(preset: str) -> None:
    secret = SECRETS[preset]
    headers = sign(preset, secret)
    assert check(preset, headers, secret, now=NOW + TOLERANCE).valid
    assert check(preset, headers, secret, now=NOW - TOLERANCE).valid
    assert check(preset, headers, secret, now=NOW + 3_600 * SECOND, tolerance=3_600 * SECOND).valid
    late = check(preset, headers, secret, now=NOW + TOLERANCE + SECOND)
    assert late == Verdict(False, "The signed time is 301 s old; 300 s are allowed. Check both clocks.")
    early = check(preset, headers, secret, now=NOW - TOLERANCE - SECOND)
    assert early == Verdict(False, "The signed time is 301 s in the future; 300 s are allowed. Check both clocks.")


def test_the_time_of_a_request_cannot_be_replaced() -> None:
    for preset in ("slack", "stripe", "standard"):
        headers = {
            name: value.replace(str(STAMP), str(STAMP + 9)) for name, value in sign(preset, SECRETS[preset]).items()
        }
        assert not check(preset, headers, SECRETS[preset]).valid


def test_grafana_may_sign_its_time_stamp_too() -> None:
    secret = SECRETS["grafana"]
    signature = hexed(secret, b"%d:%b" % (STAMP, BODY))
    headers = {"X-Grafana-Alerting-Signature": signature, "X-Grafana-Alerting-Timestamp": str(STAMP)}
    assert check("grafana", headers, secret).valid
    assert not check("grafana", headers, secret, now=NOW + 2 * TOLERANCE).valid
    assert not check("grafana", {"X-Grafana-Alerting-Signature": signature}, secret).valid


def test_gitlab_has_a_token_or_signs_as_standard_webhooks() -> None:
    signed = sign("standard", STANDARD)
    assert check("gitlab", signed, STANDARD).valid
    assert not check("gitlab", signed, STANDARD, body=b"other").valid
    both = {**signed, "X-Gitlab-Token": "tökén".encode().decode("latin-1")}
    assert check("gitlab", both, "tökén") == Verdict(True, "The signature is valid.", 0)
    assert check("gitlab", both, "another", STANDARD) == Verdict(True, "The signature is valid.", 1)


def test_svix_names_its_headers_otherwise() -> None:
    headers = {name.replace("webhook", "svix"): value for name, value in sign("standard", STANDARD).items()}
    assert check("standard", headers, STANDARD).valid


@pytest.mark.parametrize(
    ("preset", "headers", "reason"),
    [
        ("github", {}, "The header X-Hub-Signature-256 is missing."),
        ("github", {"X-Hub-Signature": "sha1=abc"}, "The header X-Hub-Signature-256 is missing."),
        (
            "github",
            {"X-Hub-Signature-256": "sha1=abc"},
            "The header X-Hub-Signature-256 has no signature of version sha256.",
        ),
        ("github", {"X-Hub-Signature-256": "sha256="}, "The header X-Hub-Signature-256 has no signature of version"),
        (
            "github",
            {"X-Hub-Signature-256": "a", "x-hub-signature-256": "b"},
            "The header X-Hub-Signature-256 comes 2 times.",
        ),
        ("gitlab", {}, "The header X-Gitlab-Token is missing."),
        ("slack", {"X-Slack-Signature": "v0=a"}, "The header X-Slack-Request-Timestamp is missing."),
        (
            "slack",
            {"X-Slack-Signature": "v0=a", "X-Slack-Request-Timestamp": "-5"},
            "The header X-Slack-Request-Timestamp is no time in seconds since 1970.",
        ),
        ("stripe", {"Stripe-Signature": "v1=abc"}, "The part t= of the header Stripe-Signature is no time"),
        ("stripe", {"Stripe-Signature": "t=5,v0=abc"}, "The header Stripe-Signature has no signature of version v1."),
        ("pagerduty", {"X-PagerDuty-Signature": "v2=abc"}, "The header X-PagerDuty-Signature has no signature"),
        ("grafana", {}, "The header X-Grafana-Alerting-Signature is missing."),
        ("standard", {}, "The header webhook-signature is missing."),
        ("standard", {"webhook-signature": "v1,abc"}, "The header webhook-id is missing."),
        (
            "standard",
            {"webhook-signature": "v1a,abc", "webhook-id": "a"},
            "The header webhook-signature has no signature",
        ),
    ],
)
def test_a_request_that_cannot_be_checked_is_refused_with_the_reason(
    preset: str, headers: dict[str, str], reason: str
) -> None:
    verdict = check(preset, headers, SECRETS[preset])
    assert not verdict.valid
    assert verdict.reason.startswith(reason)


HOSTILE = st.text(max_size=30) | st.sampled_from(
    ["sha256=é", "v1,é", "t=1,v1=\ud800", "v0=", f"t={STAMP},v1=", "v1=" * 1000, "9" * 50, "٣"]
)


@given(
    preset=st.sampled_from(sorted(presets())),
    values=st.lists(HOSTILE, min_size=4, max_size=4),
    body=st.binary(max_size=20),
    secret=st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable()),
)
def test_no_header_breaks_a_check_or_is_valid_by_chance(
    preset: str, values: list[str], body: bytes, secret: str
) -> None:
    names = (*presets()[preset].headers, "X-Grafana-Alerting-Timestamp")
    verdict = verify(preset, [f"{secret} with an end"], zip(names, values, strict=False), body, NOW)
    assert not verdict.valid
    assert f"{secret} with an end" not in verdict.reason


@pytest.mark.parametrize("preset", presets())
def test_a_hook_without_a_secret_accepts_nothing(preset: str) -> None:
    for secrets in ((), ("",), ("", "")):
        verdict = check(preset, sign(preset, SECRETS[preset] if preset == "standard" else ""), *secrets)
        assert verdict == Verdict(False, "The hook has no secret. Set one with the sender's value.")


def test_a_secret_that_is_no_key_of_standard_webhooks_fits_nothing() -> None:
    headers = sign("standard", STANDARD) | {"webhook-signature": "v1,"}
    assert not check("standard", headers, "not base64!").valid
    assert not check("standard", sign("standard", STANDARD), "not base64!").valid


@pytest.mark.parametrize("preset", presets())
def test_secrets_that_senders_can_have_are_accepted(preset: str) -> None:
    assert check_secret(preset, SECRETS[preset]) == SECRETS[preset]


@pytest.mark.parametrize(
    ("preset", "secret"),
    [
        ("github", ""), ("github", " padded "), ("github", "x" * 1001), ("standard", "whsec_short"),
        ("standard", "whsec_" + base64.b64encode(b"x" * 65).decode()), ("standard", "whsec_ünicode"),
        ("gitlab", "whsec_AAAA"),
    ],
    ids=range(7),
)  # fmt: skip
def test_a_wrong_secret_is_refused_without_showing_it(preset: str, secret: str) -> None:
    with pytest.raises(InvalidError) as error:
        check_secret(preset, secret)
    assert str(error.value).startswith("secret: use ")
    assert not secret or secret not in str(error.value)


def test_an_unknown_preset_is_refused_with_all_names() -> None:
    with pytest.raises(InvalidError, match=r"'gitea' does not exist\. Use one of: github, gitlab, slack, stripe,"):
        verify("gitea", ["a"], [], b"", NOW)


def test_a_request_is_signed_if_it_has_a_header_of_the_preset_right_or_wrong() -> None:
    assert is_signed("github", [("x-hub-signature-256", "")])
    assert not is_signed("github", [("X-Slack-Signature", "v0=1"), ("Content-Type", "a/b")])
    assert is_signed("standard", [("Svix-Signature", "v1,x")])
    for name, preset in presets().items():
        assert all(is_signed(name, [(header, "x")]) for header in preset.headers)


def test_each_preset_has_headers_for_the_signature_itself() -> None:
    assert {name: signature_headers(name) for name in presets()} == {
        "github": ("X-Hub-Signature-256",),
        "gitlab": ("X-Gitlab-Token", "webhook-signature"),
        "slack": ("X-Slack-Signature",),
        "stripe": ("Stripe-Signature",),
        "pagerduty": ("X-PagerDuty-Signature",),
        "grafana": ("X-Grafana-Alerting-Signature",),
        "standard": ("webhook-signature", "svix-signature"),
    }
