"""Which part of the program runs a line: the client, or a command of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from squall.__main__ import _local, main


def name_of(command: Any) -> str:
    return str(getattr(command, "func", command).__name__)


@pytest.mark.parametrize(
    ("line", "command", "words"),
    [
        ("serve --port 0", "_serve", "--port 0"),
        ("--data-dir D --debug serve --port 0", "_serve", "--port 0 --data-dir D"),
        ("help serve", "_serve", "--help"),
        ("config --data-dir=D show", "_config_show", "--data-dir D"),
        ("user --data-dir D add ada", "users", "add ada --data-dir D"),
        ("--color never pack lint .", "pack", "lint ."),
        ("--data-dir D pack test .", "pack", "test ."),
        ("--debug demo", "demo", ""),
        ("backup to --data-dir D", "backup", "to --data-dir D"),
        ("restore from", "restore", "from"),
        ("--url U restore from", "restore", "from --url U"),
    ],
)
def test_commands_of_this_machine_take_global_options_in_any_place(line: str, command: str, words: str) -> None:
    local = _local(line.split())
    assert local is not None
    assert (name_of(local[0]), local[1]) == (command, words.split())


@pytest.mark.parametrize(
    "line", ["", "run core.local serve", "user", "user --help", "pack list", "help", "--url", "-h"]
)
def test_the_client_runs_every_other_line(line: str) -> None:
    assert _local(line.split()) is None


@pytest.mark.parametrize(
    "line",
    [
        "user add", "user remove", "user passwd", "backup", "restore", "pack lint", "pack test", "pack create",
        "serve --port", "config show --data-dir",
    ],
)  # fmt: skip
def test_an_empty_name_is_refused(line: str, monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["squall", *line.split(), ""])
    try:
        status: Any = main()
    except SystemExit as leaving:
        status = leaving.code
    assert status == 2
    assert "an empty " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
