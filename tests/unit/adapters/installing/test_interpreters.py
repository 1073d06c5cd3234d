"""Which Python a virtualenv is made with: what is asked for, what was, what the pack says, or the server's own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from squall.adapters.installing import interpreters
from squall.core.errors import InvalidError


@pytest.mark.parametrize(
    ("asked", "remembered", "said", "request_and_choice"),
    [
        (None, None, None, (None, None)),
        (None, None, "3.9", ("3.9", None)),
        (None, "3.10", "3.9", ("3.10", "3.10")),
        ("3.12", "3.10", "3.9", ("3.12", "3.12")),
        ("default", "3.10", "3.9", ("3.9", None)),
        ("default", "3.10", None, (None, None)),
        ("", "3.10", None, ("3.10", "3.10")),
        ("/opt/python", None, "3.9", ("/opt/python", "/opt/python")),
        (None, None, 3.1, ("3.10", None)),
    ],
)
def test_what_is_asked_for_wins_over_what_was_and_that_over_what_the_pack_says(
    tmp_path: Path, asked: str | None, remembered: str | None, said: object, request_and_choice: object
) -> None:
    interpreters.remember(tmp_path, remembered)
    assert interpreters.chosen(asked, tmp_path, said) == request_and_choice


@pytest.mark.parametrize("asked", ["2.7", "3.7", "--python-downloads", "python3", "3.9; ls", "~/x", "./x", "3.9,3.10"])
def test_what_is_no_python_is_refused(tmp_path: Path, asked: str) -> None:
    with pytest.raises(InvalidError, match="names no Python"):
        interpreters.chosen(asked, tmp_path, None)


def test_a_pack_cannot_name_a_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="names no Python"):
        interpreters.chosen(None, tmp_path, "/opt/python")


def test_the_servers_own_python_is_used_if_it_fits() -> None:
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for request in (None, own, ".".join(map(str, sys.version_info[:3]))):
        assert interpreters.find(request, None, {}) == sys.executable


def test_an_interpreter_of_this_machine_is_found_and_one_that_is_missing_is_told_with_what_to_do(
    tmp_path: Path,
) -> None:
    python = tmp_path / "python3.77"
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    assert interpreters.find("3.77", None, {"PATH": str(tmp_path)}) == str(python)
    assert interpreters.find(str(python), None, {}) == str(python)
    never = {**os.environ, "PYENV_ROOT": str(tmp_path), "UV_PYTHON_DOWNLOADS": "never"}
    for uv in (None, interpreters.installer()):
        with pytest.raises(InvalidError, match=r"No Python 3\.78 is on this machine.*uv python install 3\.78"):
            interpreters.find("3.78", uv, never)


def test_an_interpreter_of_pyenv_is_found_behind_a_shim_that_fails(tmp_path: Path) -> None:
    shims, folder = tmp_path / "shims", tmp_path / "versions" / "3.77.1" / "bin"
    for each, line in ((shims, "exit 127"), (folder, "")):
        each.mkdir(parents=True)
        (each / "python3.77").write_text(f"#!/bin/sh\n{line}\n")
    (folder / "python3.77").chmod(0o755)
    env = {"PYENV_ROOT": str(tmp_path), "PATH": str(shims)}
    assert interpreters.find("3.77", None, env) == str(folder / "python3.77")
    (tmp_path / ".pyenv").symlink_to(tmp_path)
    by_home = interpreters.find("3.77", None, {"HOME": str(tmp_path), "PATH": str(shims)})
    assert by_home == str(tmp_path / ".pyenv" / "versions" / "3.77.1" / "bin" / "python3.77")
