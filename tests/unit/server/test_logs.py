"""The server's log: what a line holds, where it goes, and what it never shows."""

import io
import json
import logging
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from squall.config import Settings, load
from squall.core.access.secret import Secret
from squall.core.errors import ConfigError
from squall.server import logs

log = logging.getLogger("squall.test")
Configure = Callable[..., Settings]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def configure(tmp_path: Path) -> Iterator[Configure]:
    """`logs.configure` on a data directory of its own; what it did is undone after the test."""
    undo: list[Callable[[], None]] = []

    def start(stream: io.StringIO, **values: object) -> Settings:
        flags = {"server.data_dir": tmp_path / "data"} | {f"logging.{key}": value for key, value in values.items()}
        settings = load(flags, {}).settings
        undo.append(logs.configure(settings, stream))
        return settings

    yield start
    for each in undo:
        each()


def file_lines(settings: Settings) -> list[dict[str, Any]]:
    return [json.loads(line) for line in logs.log_path(settings).read_text().splitlines()]


def raise_and_log() -> None:
    try:
        raise KeyError("what")
    except KeyError:
        log.exception("failed")


def test_a_stream_that_is_no_terminal_gets_json_lines_with_fields(configure: Configure) -> None:
    stream = io.StringIO()
    configure(stream)
    log.warning("lease %s", "lost", extra={"execution_id": "abc", "attempts": 2})
    [line] = stream.getvalue().splitlines()
    record = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", record.pop("ts"))
    assert record == {
        "level": "WARNING",
        "logger": "squall.test",
        "msg": "lease lost",
        "execution_id": "abc",
        "attempts": 2,
    }


def test_a_terminal_gets_lines_for_people_and_the_file_gets_json_all_the_same(configure: Configure) -> None:
    stream = Terminal()
    settings = configure(stream)
    log.info("ready", extra={"port": 9101, "dir": "a b"})
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} INFO     squall\.test: ready port=9101 dir='a b'\n", stream.getvalue())
    assert [line["msg"] for line in file_lines(settings)] == ["ready"]


@pytest.mark.parametrize(("form", "stream", "first"), [("json", Terminal(), r"\{"), ("human", io.StringIO(), r"\d\d:")])
def test_the_form_can_be_chosen_against_the_kind_of_stream(
    configure: Configure, form: str, stream: io.StringIO, first: str
) -> None:
    configure(stream, format=form)
    log.info("x")
    assert re.match(first, stream.getvalue())


def test_colour_is_for_terminals_only_and_can_be_refused(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured, plain = Terminal(), Terminal()
    configure(coloured)
    monkeypatch.setenv("NO_COLOR", "1")
    configure(plain)
    log.error("x")
    assert "\x1b[31mERROR" in coloured.getvalue()
    assert "\x1b" not in plain.getvalue()


def test_the_level_holds_for_stream_and_file(configure: Configure) -> None:
    stream = io.StringIO()
    settings = configure(stream, level="ERROR")
    log.warning("no")
    log.error("yes")
    assert [json.loads(line)["msg"] for line in stream.getvalue().splitlines()] == ["yes"]
    assert [line["msg"] for line in file_lines(settings)] == ["yes"]


def test_an_exception_is_one_field_of_one_line(configure: Configure) -> None:
    settings = configure(io.StringIO())
    raise_and_log()
    [line] = file_lines(settings)
    assert line["msg"] == "failed"
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("KeyError: 'what'")


def test_people_see_the_traceback_below_the_message(configure: Configure) -> None:
    stream = Terminal()
    configure(stream)
    raise_and_log()
    first, second, *_, last = stream.getvalue().splitlines()
    assert first.endswith("failed")
    assert second.startswith("Traceback")
    assert last == "KeyError: 'what'"


def test_a_secret_shows_as_its_mask_wherever_it_stands(configure: Configure) -> None:
    stream = Terminal()
    settings = configure(stream)
    log.info("got %s", Secret("hunter2"), extra={"a": Secret("hunter2"), "b": {"c": [Secret("hunter2")]}})
    everything = stream.getvalue() + logs.log_path(settings).read_text()
    assert "hunter2" not in everything
    assert everything.count("********") == 6


def test_no_text_can_forge_a_line_or_drive_the_terminal(configure: Configure) -> None:
    stream = Terminal()
    settings = configure(stream)
    log.info("a\n12:00:00.000 ERROR forged \x1b[2J", extra={"f": "b\r\nc\x9b"})
    assert len(stream.getvalue().splitlines()) == 1
    assert not {"\x1b", "\r", "\x9b"} & set(stream.getvalue())
    assert len(file_lines(settings)) == 1


def test_text_that_cannot_be_encoded_is_still_logged(configure: Configure) -> None:
    settings = configure(io.StringIO())
    log.info("file %s", b"caf\xe9".decode(errors="surrogateescape"))
    assert file_lines(settings)[0]["msg"] == "file caf\udce9"


def test_a_field_cannot_replace_what_every_line_has(configure: Configure) -> None:
    settings = configure(io.StringIO())
    log.info("real", extra={"ts": 1, "level": "x", "exception": "none"})
    [line] = file_lines(settings)
    assert (line["msg"], line["level"], line["level_"], line["ts_"]) == ("real", "INFO", "x", 1)
    assert "exception" not in line


def test_the_file_and_its_directory_are_private(configure: Configure) -> None:
    path = logs.log_path(configure(io.StringIO()))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700


def test_a_full_file_is_put_aside_and_only_three_old_ones_are_kept(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 500)
    path = logs.log_path(configure(io.StringIO()))
    for _ in range(50):
        log.info("x" * 100)
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["server.log", "server.log.1", "server.log.2", "server.log.3"]
    assert all(file.stat().st_size <= 500 for file in files)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_undoing_leaves_the_process_as_it_was(tmp_path: Path) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    stream = io.StringIO()
    undo = logs.configure(load({"server.data_dir": tmp_path, "logging.level": "DEBUG"}, {}).settings, stream)
    undo()
    undo()
    log.error("after")
    assert (root.level, list(root.handlers)) == before
    assert stream.getvalue() == ""


def test_a_directory_that_cannot_be_written_is_a_config_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a directory should be")
    settings = load({"server.data_dir": tmp_path / "data"}, {}).settings
    with pytest.raises(ConfigError, match=r"server\.log: cannot be written .*--data-dir"):
        logs.configure(settings, io.StringIO())
