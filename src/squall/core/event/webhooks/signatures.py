"""Signatures of webhooks: whether a sender that knows the hook's secret sent exactly these bytes, and lately.

All comparisons take the same time for all values. No reason contains a secret or a signature.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from squall.core.errors import InvalidError
from squall.core.event.webhooks.headers import Headers, values

SECOND: Final = 1_000_000
TOLERANCE: Final = 300 * SECOND
"""The usual age (µs) up to which a signed time stamp is valid, also into the future."""

MOST_SECRETS: Final = 2
"""The secrets that a hook may have at once, so that one can replace the other."""

_MOST_SIGNATURES: Final = 20
_LONGEST_SECRET: Final = 1_000
_STANDARD: Final = "whsec_"
_TIME: Final = re.compile(r"[0-9]{1,11}", re.ASCII)
_NAMES: Final = {"github": "GitHub", "gitlab": "GitLab", "slack": "Slack", "stripe": "Stripe", "pagerduty": "PagerDuty"}


class Verdict(msgspec.Struct, frozen=True):
    """The result of a check: `valid`, and the `reason` for people. `secret`: the position of the right one, from 0."""

    valid: bool
    reason: str
    secret: int | None = None


class Signed(NamedTuple):
    """What a request says about its signature: the `signatures`, and the `message` that they sign.

    `sign` makes the signature of a message with a secret. `stamp` is the signed time (seconds since 1970), None if the
    sender signs none.
    """

    signatures: Sequence[bytes]
    message: bytes
    sign: Callable[[str, bytes], bytes]
    stamp: int | None = None


class RefusedError(Exception):
    """The request has no signature that can be checked; the message says why."""


class Preset(NamedTuple):
    """How the senders of one kind sign.

    `read` takes what is signed out of headers and body, and raises `RefusedError`; one of its results must be valid.
    `headers` are the names of the headers that it reads.
    """

    headers: tuple[str, ...]
    read: Callable[[Sequence[tuple[str, str]], bytes], list[Signed]]


def check_secret(preset: str, secret: str) -> str:
    """Returns a secret that the senders of `preset` can have. Raises `InvalidError`, which says what is allowed.

    The message does not contain the secret.
    """
    preset_of(preset)
    if not secret or len(secret) > _LONGEST_SECRET or secret != secret.strip():
        raise InvalidError(f"secret: use 1 to {_LONGEST_SECRET} characters without spaces at the ends.")
    if preset == "standard" or (preset == "gitlab" and secret.startswith(_STANDARD)):
        try:
            key = _standard_key(secret)
        except ValueError:
            key = b""
        if not 24 <= len(key) <= 64:
            raise InvalidError(f"secret: use {_STANDARD} and 24 to 64 bytes in base64, as the sender shows it.")
    return secret


def preset_of(name: str) -> Preset:
    """Returns the preset with this name. Raises `InvalidError` with all names if there is none."""
    preset = presets().get(name)
    if preset is None:
        raise InvalidError(f"preset: {name!r:.100} does not exist. Use one of: {', '.join(presets())}.")
    return preset


def is_signed(preset: str, headers: Headers) -> bool:
    """Checks whether a request has a header of this preset's signature, right or wrong. Raises `InvalidError` for an
    unknown preset."""
    names = {name.lower() for name in preset_of(preset).headers}
    return any(name.lower() in names for name, _ in headers)


def signature_headers(preset: str) -> tuple[str, ...]:
    """Returns the names of the headers in which senders of this preset put the signature itself; one of them is enough.
    Raises `InvalidError` for an unknown preset."""
    return tuple(name for name in preset_of(preset).headers if name.lower().endswith(("signature", "-256", "-token")))


def verify(
    preset: str, secrets: Sequence[str], headers: Headers, body: bytes, now: int, tolerance: int = TOLERANCE
) -> Verdict:
    """Checks the signature of a request for a hook with this `preset` and one or two `secrets`.

    `body` are the bytes as received. `now` and `tolerance` are in µs; senders that sign no time are valid at any time.
    Raises `InvalidError` for an unknown preset; everything else is a verdict.
    """
    rules = preset_of(preset)
    usable = [(position, secret) for position, secret in enumerate(secrets[:MOST_SECRETS]) if secret]
    if not usable:
        return Verdict(False, "The hook has no secret. Set one with the sender's value.")
    try:
        requests = rules.read(list(headers), body)
    except RefusedError as refusal:
        return Verdict(False, str(refusal))
    right: tuple[int, Signed] | None = None
    for position, secret in usable:
        for signed in requests:
            expected = signed.sign(secret, signed.message)
            # All are compared, so that the time does not tell which secret or signature was right.
            same = [hmac.compare_digest(expected, signature) for signature in signed.signatures]
            if any(same) and right is None:
                right = position, signed
    if right is None:
        return Verdict(False, "No signature fits the body and the secrets of the hook.")
    position, signed = right
    late = now // SECOND - signed.stamp if signed.stamp is not None else 0
    if abs(late) * SECOND > tolerance:
        age = f"{late} s old" if late > 0 else f"{-late} s in the future"
        return Verdict(False, f"The signed time is {age}; {tolerance // SECOND} s are allowed. Check both clocks.")
    return Verdict(True, "The signature is valid.", position)


def presets() -> Mapping[str, Preset]:
    """Returns all presets by their names."""
    return {
        "github": Preset(("X-Hub-Signature-256",), _read_github),
        "gitlab": Preset(("X-Gitlab-Token", "webhook-signature"), _read_gitlab),
        "slack": Preset(("X-Slack-Signature", "X-Slack-Request-Timestamp"), _read_slack),
        "stripe": Preset(("Stripe-Signature",), _read_stripe),
        "pagerduty": Preset(("X-PagerDuty-Signature",), _read_pagerduty),
        "grafana": Preset(("X-Grafana-Alerting-Signature",), _read_grafana),
        "standard": Preset(
            ("webhook-id", "webhook-timestamp", "webhook-signature", "svix-id", "svix-timestamp", "svix-signature"),
            _read_standard,
        ),
    }


def _one(headers: Headers, name: str) -> str:
    lines = values(headers, name)
    if not lines or not lines[0]:
        raise RefusedError(f"The header {name} is missing. Set the hook's secret at the sender, too.")
    if len(lines) > 1:
        raise RefusedError(f"The header {name} comes {len(lines)} times. Send it once.")
    return lines[0]


def _stamp(text: str, where: str) -> int:
    if not _TIME.fullmatch(text):
        raise RefusedError(f"{where} is no time in seconds since 1970.")
    return int(text)


def _versions(items: Iterable[str], version: str, separator: str, name: str) -> list[bytes]:
    """Returns the signatures of one version among items such as `v1=…`."""
    pairs = [item.strip().partition(separator) for item in items]
    signatures = [_bytes(value) for key, _, value in pairs if key == version and value]
    if not signatures:
        raise RefusedError(f"The header {name} has no signature of version {version}.")
    return signatures[:_MOST_SIGNATURES]


def _bytes(value: str) -> bytes:
    """Returns the bytes of a header: HTTP servers decode them as Latin-1."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode(errors="replace")


def _hex(secret: str, message: bytes) -> bytes:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest().encode()


def _standard_key(secret: str) -> bytes:
    """Returns the key in a secret of Standard Webhooks. Raises ValueError if it is not base64."""
    return base64.b64decode(secret.removeprefix(_STANDARD), validate=True)


def _sign_standard(secret: str, message: bytes) -> bytes:
    """Returns the signature; an empty one, which fits nothing, for a secret that is not base64."""
    try:
        key = _standard_key(secret)
    except ValueError:
        return b""
    return base64.b64encode(hmac.new(key, message, hashlib.sha256).digest())


def _token(secret: str, _: bytes) -> bytes:
    return secret.encode()


def _read_github(headers: Headers, body: bytes) -> list[Signed]:
    name = "X-Hub-Signature-256"
    return [Signed(_versions([_one(headers, name)], "sha256", "=", name), body, _hex)]


def _read_slack(headers: Headers, body: bytes) -> list[Signed]:
    name, when = "X-Slack-Signature", "X-Slack-Request-Timestamp"
    text = _one(headers, when)
    stamp = _stamp(text, f"The header {when}")
    return [Signed(_versions([_one(headers, name)], "v0", "=", name), f"v0:{text}:".encode() + body, _hex, stamp)]


def _read_stripe(headers: Headers, body: bytes) -> list[Signed]:
    name = "Stripe-Signature"
    items = [item.strip() for item in _one(headers, name).split(",")]
    text = next((item.removeprefix("t=") for item in items if item.startswith("t=")), "")
    stamp = _stamp(text, f"The part t= of the header {name}")
    return [Signed(_versions(items, "v1", "=", name), f"{text}.".encode() + body, _hex, stamp)]


def _read_pagerduty(headers: Headers, body: bytes) -> list[Signed]:
    name = "X-PagerDuty-Signature"
    return [Signed(_versions(_one(headers, name).split(","), "v1", "=", name), body, _hex)]


def _read_grafana(headers: Headers, body: bytes) -> list[Signed]:
    """Reads Grafana's signature. A contact point whose time stamp header is `X-Grafana-Alerting-Timestamp` signs it."""
    signature = _bytes(_one(headers, "X-Grafana-Alerting-Signature"))
    when = "X-Grafana-Alerting-Timestamp"
    if not values(headers, when):
        return [Signed([signature], body, _hex)]
    text = _one(headers, when)
    return [Signed([signature], f"{text}:".encode() + body, _hex, _stamp(text, f"The header {when}"))]


def _read_standard(headers: Headers, body: bytes) -> list[Signed]:
    """Reads the headers of Standard Webhooks, or those of Svix, which differ in their names only."""
    svix = bool(values(headers, "svix-signature")) and not values(headers, "webhook-signature")
    family = "svix" if svix else "webhook"
    name, when = f"{family}-signature", f"{family}-timestamp"
    signatures = _versions(_one(headers, name).split(), "v1", ",", name)
    message_id, text = _one(headers, f"{family}-id"), _one(headers, when)
    stamp = _stamp(text, f"The header {when}")
    return [Signed(signatures, _bytes(f"{message_id}.{text}.") + body, _sign_standard, stamp)]


def _read_gitlab(headers: Headers, body: bytes) -> list[Signed]:
    """Reads GitLab's signature, which is that of Standard Webhooks, and its older token, which signs nothing."""
    signed = _read_standard(headers, body) if values(headers, "webhook-signature") else []
    if values(headers, "X-Gitlab-Token") or not signed:
        signed.append(Signed([_bytes(_one(headers, "X-Gitlab-Token"))], b"", _token))
    return signed
