"""Secrets that an action prints, in any form and split over writes, are in no file and in no answer."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from urllib.parse import quote, quote_plus

from tests.scenarios.faults.mortal import Mortal, mortal_server

from squall.testing.waiting import until

SECRET = 'Tr0ub4dor&3 "é/漢" ~horse+staple='


def forms() -> dict[str, bytes]:
    """What must not be found anywhere."""
    raw = SECRET.encode()
    found = {
        "raw": raw,
        "JSON": json.dumps(SECRET)[1:-1].encode(),
        "JSON, UTF-8": json.dumps(SECRET, ensure_ascii=False)[1:-1].encode(),
        "URL": quote(SECRET, safe="").encode(),
        "form": quote_plus(SECRET).encode(),
    }
    # Of base64 only the characters that hold nothing but the secret's bits.
    for before in range(3):
        encoded = base64.b64encode(b"x" * before + raw)
        found[f"base64 after {before}"] = encoded[-(-8 * before // 6) : 8 * (before + len(raw)) // 6]
    return found


def holders(server: Mortal) -> list[str]:
    """The files of the data directory that hold the secret in any form."""
    found = []
    for path in server.data_dir.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found += [f"{path.relative_to(server.data_dir)}: {name}" for name, form in forms().items() if form in data]
    return found


def test_no_file_and_no_answer_has_a_secret_that_an_action_printed(tmp_path: Path, fault_packs: Path) -> None:
    with mortal_server(tmp_path, fault_packs, SQUALL_LOGGING_LEVEL="DEBUG") as server:
        folder = server.folder()
        os.mkfifo(folder / "go")
        execution = server.request("faults.blabbing", folder=str(folder), password=SECRET)
        with server.output(execution, format="raw") as stream:
            seen = stream.until(b"all told\n")
        assert holders(server) == []
        for keeper in server.keepers():
            for name in ("cmdline", "environ"):
                assert SECRET.encode() not in Path(f"/proc/{keeper.number}/{name}").read_bytes()
        server.kill()
        server.again()
        assert holders(server) == []
        with (folder / "go").open("w"):
            pass
        document = server.ended(execution)
        assert document["status"] == "succeeded"
        with server.output(execution, format="raw") as stream:
            whole = stream.rest()
        assert whole.startswith(seen[:100])
        assert whole.count(b"<********>") >= 2 * len(forms())
        assert b"once more: ********\n" in whole
        told = json.dumps(document, ensure_ascii=False).encode() + json.dumps(document).encode() + whole
        told += "".join(event.data for event in server.tail(execution, "*")).encode()
        assert [name for name, form in forms().items() if form in told] == []
        assert holders(server) == []
        until(lambda: server.logged(execution, "end") or True, "the keeper is through")
        server.signal(15)
        assert server.wait() == 0
        assert holders(server) == []
