"""Settings: where each value comes from, and what is said when one is wrong."""

import argparse
import tomllib
from pathlib import Path
from typing import Any

import pytest

from squall.config import Loaded, Settings, add_flags, flags_from, load, show
from squall.core.errors import ConfigError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory without any settings."""
    return tmp_path


def loaded(home: Path, flags: dict[str, object] | None = None, /, **environ: str) -> Loaded:
    return load(flags or {}, {"HOME": str(home), **environ})


def settings_file(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def parsed(*arguments: str) -> dict[str, object]:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return flags_from(parser.parse_args(arguments))


def values_of(settings: Settings) -> dict[str, Any]:
    return {
        f"{section}.{key}": getattr(getattr(settings, section), key)
        for section in settings.__struct_fields__
        for key in getattr(settings, section).__struct_fields__
    }


def test_without_anything_given_all_values_are_defaults(home: Path) -> None:
    settings, sources = loaded(home)
    assert set(sources.values()) == {"default"}
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 9101)
    assert settings.server.data_dir == home / ".squall"
    assert settings.actionrunner.stream_output is True


def test_flags_beat_the_environment_which_beats_the_file_which_beats_defaults(home: Path) -> None:
    file = settings_file(home / "s.toml", "[server]\nport = 1\nhost = '::1'\n[queue]\npoll_seconds = 2\n")
    settings, sources = loaded(home, parsed("--config", file, "--port", "3"), SQUALL_PORT="2", SQUALL_HOST="localhost")
    assert (settings.server.port, settings.server.host, settings.queue.poll_seconds) == (3, "localhost", 2.0)
    assert sources["server.port"] == "flag --port"
    assert sources["server.host"] == "environment SQUALL_HOST"
    assert sources["queue.poll_seconds"] == f"file {file}"
    assert sources["queue.lease_seconds"] == "default"


def test_the_data_directorys_own_file_is_read_wherever_the_directory_is(home: Path) -> None:
    file = settings_file(home / "elsewhere" / "squall.toml", "[server]\nport = 7\n")
    settings, sources = loaded(home, parsed("--data-dir", str(home / "elsewhere")))
    assert (settings.server.port, sources["server.port"]) == (7, f"file {file}")


def test_a_named_file_replaces_the_data_directorys_own(home: Path) -> None:
    settings_file(home / ".squall" / "squall.toml", "[server]\nport = 7\n")
    by_variable = settings_file(home / "variable.toml", "[server]\nport = 8\n")
    by_flag = settings_file(home / "flag.toml", "[server]\nport = 9\n")
    assert loaded(home).settings.server.port == 7
    assert loaded(home, SQUALL_CONFIG=by_variable).settings.server.port == 8
    assert loaded(home, parsed("--config", by_flag), SQUALL_CONFIG=by_variable).settings.server.port == 9


def test_a_file_in_the_data_directory_cannot_move_that_directory(home: Path) -> None:
    settings_file(home / ".squall" / "squall.toml", "[server]\ndata_dir = '/elsewhere'\n")
    with pytest.raises(ConfigError, match="--data-dir"):
        loaded(home)


def test_every_setting_can_be_given_in_the_environment_by_its_section_and_key(home: Path) -> None:
    for section, table in tomllib.loads(show(loaded(home))).items():
        for key, default in table.items():
            variable = f"SQUALL_{section}_{key}".upper()
            settings, sources = loaded(home, **{variable: str(default) if default not in ("", []) else "given"})
            assert sources[f"{section}.{key}"] == f"environment {variable}"
            assert default in ("", []) or settings == loaded(home).settings


def test_an_empty_variable_counts_as_unset(home: Path) -> None:
    assert loaded(home, SQUALL_PORT="").sources["server.port"] == "default"


def test_paths_are_absolute_and_start_where_they_were_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    file = settings_file(home / "etc" / "s.toml", "[server]\npacks_dirs = ['packs', '~/mine', '/abs']\n")
    assert loaded(home, parsed("--config", file)).settings.server.packs_dirs == (
        home / "etc" / "packs",
        home / "mine",
        Path("/abs"),
    )
    assert loaded(home, SQUALL_PACKS_DIR="a::b").settings.server.packs_dirs == (home / "a", home / "b")
    repeated = parsed("--packs-dir", "a", "--packs-dir", "b:c")
    assert loaded(home, repeated).settings.server.packs_dirs == (home / "a", home / "b:c")


def test_sizes_are_numbers_or_text_with_a_unit(home: Path) -> None:
    file = settings_file(home / "s.toml", "[actionrunner]\noutput_limit_bytes = '2 MiB'\nresult_output_bytes = 4096\n")
    runner = loaded(home, parsed("--config", file)).settings.actionrunner
    assert (runner.output_limit_bytes, runner.result_output_bytes) == (2 * 1024 * 1024, 4096)
    variable = {"SQUALL_ACTIONRUNNER_OUTPUT_LIMIT_BYTES": "1.5 kB"}
    assert loaded(home, **variable).settings.actionrunner.output_limit_bytes == 1500


@pytest.mark.parametrize(("text", "value"), [("yes", True), ("ON", True), ("1", True), ("no", False), ("False", False)])
def test_a_switch_in_the_environment_takes_the_usual_words(home: Path, text: str, value: bool) -> None:
    assert loaded(home, SQUALL_ACTIONRUNNER_STREAM_OUTPUT=text).settings.actionrunner.stream_output is value


def test_what_show_prints_is_toml_that_loads_to_the_same_values(home: Path) -> None:
    odd = home / 'a "quoted" \\ dir\x7f with # in it'
    first = loaded(home, {"server.packs_dirs": [odd], "server.classic_ports": True, "queue.poll_seconds": 0.25})
    file = settings_file(home / "shown.toml", show(first))
    again = loaded(home, parsed("--config", file))
    assert values_of(again.settings) == values_of(first.settings)
    assert set(again.sources.values()) == {f"file {file}"}


def test_show_tells_the_source_of_each_value_at_the_end_of_its_line(home: Path) -> None:
    lines = show(loaded(home, parsed("--port", "0"), SQUALL_LOG_LEVEL="debug")).splitlines()
    assert "port = 0  # from flag --port" in lines
    assert 'level = "DEBUG"  # from environment SQUALL_LOG_LEVEL' in lines
    assert 'host = "127.0.0.1"  # from default' in lines


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[server]\nprot = 1", ["server.prot", "did you mean server.port?"]),
        ("[servr]\nport = 1", ["[servr]", "did you mean [server]?"]),
        ("[nothing-like-it]\nport = 1", ["[nothing-like-it]", "squall config show"]),
        ("port = 1", ["port stands outside", "[server]"]),
        ("[server]\nport = '1'", ["server.port must be a whole number from 0 to 65535, not '1'"]),
        ("[server]\nport = true", ["server.port must be a whole number"]),
        ("[server]\nport = 65536", ["from 0 to 65535, not 65536"]),
        ("[server]\nclassic_ports = 1", ["true or false"]),
        ("[server]\ndata_dir = ''", ["server.data_dir must be a path"]),
        ("[server]\npacks_dirs = 'a'", ["a list of paths"]),
        ("[server]\nmax_body_bytes = '10 bananas'", ["server.max_body_bytes", "1 MiB"]),
        ("[server]\nmax_body_bytes = 0", ["from 1 up"]),
        ("[queue]\nlease_seconds = 0", ["more than 0"]),
        ("[queue]\nlease_seconds = nan", ["queue.lease_seconds", "not nan"]),
        ("[queue]\nlease_seconds = inf", ["at most 86400"]),
        ("[server]\nshutdown_grace_seconds = -1", ["from 0 to 86400"]),
        ("[actionrunner]\noutput_limit_policy = 'drop'", ["one of fail, truncate, unlimited, not 'drop'"]),
        ("[actionrunner]\nsystem_user = 3", ["actionrunner.system_user must be a string"]),
        ("[server]\nhost = '0.0.0.0'", ["loopback", "--auth"]),
        ("[server]\nhost = 'example.org'", ["loopback"]),
        ("[server\n", ["not valid TOML", "line 1"]),
    ],
)
def test_a_mistake_in_a_file_names_the_file_the_field_and_what_is_right(home: Path, text: str, says: list[str]) -> None:
    file = settings_file(home / "s.toml", text)
    with pytest.raises(ConfigError) as told:
        loaded(home, parsed("--config", file))
    for part in [file, *says]:
        assert part in str(told.value)


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"SQUALL_PORT": "http"}, "environment SQUALL_PORT: server.port must be a whole number"),
        ({"SQUALL_SERVER_PROT": "1"}, "did you mean SQUALL_SERVER_PORT?"),
        ({"SQUALL_JOURNAL_COLOUR": "1"}, "SQUALL_JOURNAL_COLOUR: there is no such setting"),
        ({"SQUALL_DATADIR": "/x"}, "did you mean SQUALL_DATA_DIR?"),
        ({"SQUALL_PORT": "1", "SQUALL_SERVER_PORT": "1"}, "unset one of them"),
        ({"SQUALL_QUEUE_POLL_SECONDS": "nan"}, "more than 0"),
        ({"SQUALL_CONFIG": "/does/not/exist.toml"}, "No such file"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(home: Path, environ: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError) as told:
        loaded(home, **environ)
    assert says in str(told.value)


def test_variables_of_others_that_begin_with_our_name_are_left_alone(home: Path) -> None:
    loaded(home, SQUALL_URL="http://127.0.0.1:1", SQUALL_SOAK_MINUTES="3", SQUALL_HELM_CHART="x")


@pytest.mark.parametrize("flag", ["--port", "--log-level", "--host"])
def test_a_mistake_in_a_flag_names_the_flag(home: Path, flag: str) -> None:
    with pytest.raises(ConfigError, match=f"^flag {flag}: "):
        loaded(home, parsed(flag, "wrong"))


def test_every_flag_reaches_its_setting(home: Path) -> None:
    settings = loaded(
        home,
        parsed("--host", "::1", "--port", "1", "--data-dir", str(home / "d"), "--packs-dir", str(home / "p"))
        | parsed("--classic-ports", "--allow-local-users", "--log-level", "warning"),
    ).settings
    assert (settings.server.host, settings.server.port, settings.logging.level) == ("::1", 1, "WARNING")
    assert (settings.server.data_dir, settings.server.packs_dirs) == (home / "d", (home / "p",))
    assert settings.server.classic_ports
    assert settings.server.allow_local_users
    assert parsed() == {}


def test_every_setting_is_in_the_documentation_with_its_default(home: Path) -> None:
    rows = (ROOT / "docs" / "settings.md").read_text().splitlines()
    shown = show(loaded(home)).replace(str(home), "~")
    section = ""
    for line in shown.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line:
            key, _, rest = line.partition(" = ")
            default = rest.partition("  # from")[0]
            start = f"| `{section}.{key}` | `{default}` | "
            assert any(row.startswith(start) for row in rows), f"docs/settings.md has no row that begins {start}"
