"""The settings and deliveries of webhooks, as clients write and see them."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.errors import InvalidError
from squall.core.event.webhooks.records import (
    ACCEPTED,
    BAD_SIGNATURE,
    Delivery,
    HookSettings,
    NewSettings,
    delivery_change,
    delivery_document,
    read_settings,
    settings_change,
    settings_document,
)


def test_settings_are_read_and_a_mask_stands_for_a_stored_secret() -> None:
    assert read_settings({}) == NewSettings(preset=None, secrets=None, drop_duplicates=False)
    body = {"preset": "github", "secrets": ["new", "********"], "drop_duplicates": True}
    assert read_settings(body) == NewSettings(preset="github", secrets=("new", None), drop_duplicates=True)


def test_what_is_shown_can_be_stored_again() -> None:
    shown = settings_document(HookSettings(url="a", preset="slack", secrets=("v1:x", "v1:y"), user="ada"))
    assert shown["secrets"] == ["********", "********"]
    assert "v1:" not in str(shown)
    assert read_settings(shown).secrets == (None, None)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"preset": "gitbub"}, "preset: 'gitbub' does not exist. Use one of: github, gitlab"),
        ({"preset": 5}, "preset: it is not a text"),
        ({"preset": "github", "secrets": "hush-hush"}, "secrets: it is not a list of texts."),
        ({"preset": "github", "secrets": ["hush-hush", 5]}, "secrets: it is not a list of texts."),
        ({"preset": "github", "secrets": ["hush-hush"] * 3}, "secrets: there are 3; a hook has at most 2"),
        ({"secrets": ["hush-hush"]}, "secrets: they need a preset"),
        ({"preset": "github", "secrets": [" hush-hush"]}, "secret: use 1 to 1000 characters without spaces"),
        ({"preset": "standard", "secrets": ["hush-hush"]}, "secret: use whsec_"),
        ({"drop_duplicates": "yes"}, "drop_duplicates: use true or false."),
        ({"duplicates": True}, "'duplicates' is no setting of a webhook. Use: preset, secrets, drop_duplicates."),
    ],
)
def test_wrong_settings_are_refused_by_name_and_no_message_has_a_secret(body: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidError) as error:
        read_settings(body)
    assert message in str(error.value)
    assert "hush" not in str(error.value)


def delivery(**changes: Any) -> Delivery:
    fields: dict[str, Any] = {
        "id": "d1", "url": "a/b", "at": 1_000_000, "verdict": ACCEPTED, "headers": (("X-A", "1"),), "body": b"{}",
        "size": 2, "instance": "i1", **changes,
    }  # fmt: skip
    return Delivery(**fields)


def test_a_delivery_is_listed_without_its_body() -> None:
    assert delivery_document(delivery()) == {
        "id": "d1",
        "url": "a/b",
        "received_at": "1970-01-01T00:00:01.000000Z",
        "verdict": "accepted",
        "trigger_instance": "i1",
        "size": 2,
    }


def test_a_whole_delivery_has_its_body_as_text_or_else_in_base64() -> None:
    whole = delivery_document(delivery(), whole=True)
    assert (whole["headers"], whole["body"], whole["is_complete"]) == ([{"name": "X-A", "value": "1"}], "{}", True)
    part = delivery_document(delivery(body=b"\xff\x00", size=70_000), whole=True)
    assert (part["body_b64"], part["is_complete"]) == ("/wA=", False)


def test_only_what_is_no_event_is_refused() -> None:
    assert not delivery().is_refused
    assert not delivery(verdict="duplicate").is_refused
    assert delivery(verdict=BAD_SIGNATURE).is_refused


def test_changes_name_the_resource() -> None:
    change = settings_change(HookSettings(url="a/b"), "update", 5)
    assert (change.kind, change.name, change.resource, change.at) == (
        "webhook_settings", "st2.webhook_settings__update", "a/b", 5,
    )  # fmt: skip
    change = delivery_change(delivery())
    assert (change.kind, change.name, change.resource) == ("webhook_delivery", "st2.webhook_delivery__create", "d1")
