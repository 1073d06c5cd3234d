"""Packs with the official client."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.scenarios.live.server import Ran, Server

St2 = Callable[..., Ran]


def test_packs_are_listed_shown_and_registered(plain_server: Server, st2: St2) -> None:
    listed = st2(plain_server, "pack", "list", "-j")
    assert {"core", "examples"} <= {pack["ref"] for pack in json.loads(listed.out)}
    shown = st2(plain_server, "pack", "get", "core", "-j")
    assert json.loads(shown.out)["name"] == "core", shown
    registered = st2(plain_server, "pack", "register", "examples", "--types", "actions", "-j")
    assert registered.status == 0, registered
    assert json.loads(registered.out)["actions"] > 0
    missing = st2(plain_server, "pack", "get", "nosuch")
    assert b"not found" in missing.out + missing.err
