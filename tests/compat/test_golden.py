"""Executions are as StackStorm's were recorded: status code, keys, types, and the values that fields.toml lists."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from tests.compat.golden.comparing import differences, recordings
from tests.compat.golden.conversation import Conversation, steps
from tests.compat.golden.peer_pack import write_peer_pack
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Server, serving

from squall.adapters.htpasswd import write


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    packs = tmp_path_factory.mktemp("peer-packs")
    write_peer_pack(packs)
    with serving(tmp_path_factory.mktemp("peer"), packs, env=QUICK) as server:
        yield server


@pytest.mark.parametrize("recorded", recordings("python_script"), ids=lambda one: str(one["request"]["parameters"]))
def test_python_actions_end_as_recorded(peer: Server, recorded: dict[str, Any]) -> None:
    reply = peer.call("POST", "/v1/executions", recorded["request"])
    assert reply.status == recorded["answered"]
    assert differences(recorded, peer.ended(reply.json["id"]), "python-script") == []


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that asks who one is."""
    home = tmp_path_factory.mktemp("asking")
    right = "{SHA}" + base64.b64encode(hashlib.sha1(b"right").digest()).decode()
    write(home / "data" / "htpasswd", {"ada": right})
    with serving(home, home, "--auth", env=QUICK) as server:
        yield server


def said(conversation: Conversation, name: str) -> list[str]:
    return [text for step in steps(name) for text in conversation.differences(step)]


@pytest.mark.parametrize(
    "name",
    [
        "executions",
        "one_execution",
        "lifecycle",
        "policies",
        "keys",
        "traces",
        "inquiries",
        "rules",
        "triggers",
        "webhooks",
    ],
)
def test_a_conversation_goes_as_recorded(peer: Server, name: str) -> None:
    assert said(Conversation(peer, peer.get("/v1/user")["username"]), name) == []


@pytest.mark.parametrize("name", ["log_in", "api_keys"])
def test_a_conversation_about_access_goes_as_recorded(asking: Server, name: str) -> None:
    assert said(Conversation(asking, "ada", "right"), name) == []
