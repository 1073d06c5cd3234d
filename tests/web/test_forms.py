"""Forms of the page: secrets, also those inside objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Server, serving

MASK = "********"
METADATA = {
    "pack.yaml": "ref: kept\nname: kept\nversion: 1.0.0\nauthor: a\nemail: a@example.com\ndescription: secrets\n",
    "actions/login.yaml": """
name: login
runner_type: local-shell-cmd
enabled: true
entry_point: ""
parameters:
  cmd: {default: "echo got $SQUALL_TEST", immutable: true}
  token: {type: string, secret: true, default: default-token}
  account:
    type: object
    properties:
      user: {type: string}
      password: {type: string, secret: true}
  words: {type: array, items: {type: string, secret: true}}
""",
}


@pytest.fixture(scope="module")
def secretive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with an action that has secrets at several depths."""
    packs = tmp_path_factory.mktemp("kept")
    for name, text in METADATA.items():
        path = Path(packs, "kept", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with serving(tmp_path_factory.mktemp("secretive"), packs, env=QUICK) as server:
        yield server


def test_secrets_are_password_fields_and_stay_if_they_are_left_alone(page: Page, secretive: Server) -> None:
    execution = secretive.request("kept.login", account={"user": "ada", "password": "analytical"})
    secretive.ended(execution)
    page.goto(f"{secretive.url}/executions/{execution}")
    page.get_by_role("button", name="Run again").click()
    for name in ("token", "account/password"):
        field = page.locator(f'input[name="{name}"]')
        expect(field).to_have_attribute("type", "password")
        expect(field).to_have_attribute("placeholder", MASK)
        expect(field).to_have_value("")
    page.locator('textarea[name="account/user"]').fill("grace")
    with page.expect_request(lambda request: request.url.endswith("/re_run")) as sent:
        page.get_by_role("button", name="Run", exact=True).click()
    assert json.loads(sent.value.post_data or "") == {
        "parameters": {"account": {"user": "grace", "password": MASK}},
    }
    expect(page).not_to_have_url(f"{secretive.url}/executions/{execution}")
    again = page.url.rpartition("/")[2]
    secretive.ended(again)
    shown = secretive.get(f"/v1/executions/{again}?show_secrets=true")["parameters"]
    assert shown["account"] == {"user": "grace", "password": "analytical"}


def test_a_secret_that_is_typed_is_sent(page: Page, secretive: Server) -> None:
    execution = secretive.request("kept.login")
    secretive.ended(execution)
    page.goto(f"{secretive.url}/executions/{execution}")
    page.get_by_role("button", name="Run again").click()
    page.locator('input[name="token"]').fill("new token")
    with page.expect_request(lambda request: request.url.endswith("/re_run")) as sent:
        page.get_by_role("button", name="Run", exact=True).click()
    assert json.loads(sent.value.post_data or "") == {"parameters": {"token": "new token"}}


def test_an_item_of_a_secret_list_is_changed_and_the_others_stay(page: Page, secretive: Server) -> None:
    execution = secretive.request("kept.login", words=["first", "second"])
    secretive.ended(execution)
    page.goto(f"{secretive.url}/executions/{execution}")
    page.get_by_role("button", name="Run again").click()
    for number in (1, 2):
        expect(page.get_by_label(f"words {number}", exact=True)).to_have_attribute("type", "password")
        expect(page.get_by_label(f"words {number}", exact=True)).to_have_attribute("placeholder", MASK)
    page.get_by_label("words 2", exact=True).fill("other")
    with page.expect_request(lambda request: request.url.endswith("/re_run")) as sent:
        page.get_by_role("button", name="Run", exact=True).click()
    assert json.loads(sent.value.post_data or "") == {"parameters": {"words": [MASK, "other"]}}
    expect(page).not_to_have_url(f"{secretive.url}/executions/{execution}")
    again = page.url.rpartition("/")[2]
    secretive.ended(again)
    assert secretive.get(f"/v1/executions/{again}?show_secrets=true")["parameters"]["words"] == ["first", "other"]
