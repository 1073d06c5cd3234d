"""Executions are as StackStorm's were recorded: status code, keys, types, and the values that fields.toml lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.compat.golden.comparing import differences, recordings
from tests.compat.golden.peer_pack import write_peer_pack
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Server, serving


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
