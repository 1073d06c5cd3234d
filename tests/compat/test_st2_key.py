"""The datastore with the official client."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.scenarios.live.server import Ran, Server

St2 = Callable[..., Ran]


def test_keys_are_set_listed_shown_and_deleted(plain_server: Server, st2: St2) -> None:
    assert st2(plain_server, "key", "set", "st2.one", "first").status == 0
    assert st2(plain_server, "key", "set", "-e", "st2.two", "hidden").status == 0
    assert json.loads(st2(plain_server, "key", "get", "st2.one", "-j").out)["value"] == "first"
    found = json.loads(st2(plain_server, "key", "list", "--prefix", "st2.", "-j").out)
    assert {key["name"] for key in found} == {"st2.one", "st2.two"}
    assert b"hidden" not in st2(plain_server, "key", "list", "--prefix", "st2.").out
    assert b"hidden" in st2(plain_server, "key", "get", "-d", "st2.two").out
    assert st2(plain_server, "key", "delete", "st2.one").status == 0
    assert b"not found" in st2(plain_server, "key", "get", "st2.one").out
    assert st2(plain_server, "key", "delete_by_prefix", "-p", "st2.").status == 0
    assert json.loads(st2(plain_server, "key", "list", "--prefix", "st2.", "-j").out or "[]") == []


def test_keys_with_slashes_are_set_shown_and_deleted(plain_server: Server, st2: St2) -> None:
    assert st2(plain_server, "key", "set", "st2/db/word", "first").status == 0
    assert json.loads(st2(plain_server, "key", "get", "st2/db/word", "-j").out)["value"] == "first"
    assert st2(plain_server, "key", "delete", "st2/db/word").status == 0
    assert b"not found" in st2(plain_server, "key", "get", "st2/db/word").out


def test_keys_are_loaded_from_a_file_with_encrypted_values_as_they_are(
    plain_server: Server, st2: St2, tmp_path: Path
) -> None:
    st2(plain_server, "key", "set", "-e", "load.secret", "hidden")
    ciphertext = plain_server.get("/v1/keys/load.secret")["value"]
    file = tmp_path / "keys.json"
    entry = {"name": "load.copy", "value": ciphertext, "secret": True, "encrypted": True}
    file.write_text(json.dumps([{"name": "load.plain", "value": "x"}, entry]))
    assert st2(plain_server, "key", "load", str(file)).status == 0
    assert plain_server.get("/v1/keys/load.plain")["value"] == "x"
    assert plain_server.get("/v1/keys/load.copy", decrypt="true")["value"] == "hidden"
