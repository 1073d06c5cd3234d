"""Python actions on a real server: what they return, print and import, warm and cold."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Server, serving
from tests.scenarios.python_pack import write_python_pack

from squall.testing.waiting import until


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("python")
    write_python_pack(root / "packs", root / "configs")
    return root / "packs", root / "configs"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, folders: tuple[Path, Path]) -> Iterator[Server]:
    env = {**QUICK, "SQUALL_CONTENT_CONFIGS_DIR": str(folders[1])}
    with serving(tmp_path_factory.mktemp("server"), folders[0], env=env) as server:
        yield server


def run(server: Server, mode: str, arg: Any = None, action: str = "py.shapes", **more: Any) -> dict[str, Any]:
    given = {"mode": mode, **more} if arg is None else {"mode": mode, "arg": arg, **more}
    return server.ended(server.request(action, **given))


def fork_servers(keeper: int) -> list[int]:
    """The fork servers of a keeper that runs no action: an action that one made has the same command line."""
    children = Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()
    return [int(pid) for pid in children if b"squall_action.py\0--serve" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def warm(server: Server) -> list[int]:
    """Runs actions until one was made by a fork server: the fork servers, while nothing runs."""

    def from_fork_server() -> Any:
        told = run(server, "where")["result"]["result"]
        return told if "--serve" in told["self"] else None

    return fork_servers(until(from_fork_server, "an action is made by a fork server", pause=0)["keeper"])


@pytest.mark.parametrize("action", ["py.shapes", "py.cold"])
@pytest.mark.parametrize(
    ("mode", "arg", "status", "code", "result"),
    [
        ("pair", "x", "succeeded", 0, {"given": "x"}),
        ("pair", None, "succeeded", 0, {"given": None}),
        ("failed", None, "failed", 0, {"reason": "asked to fail"}),
        ("plain", None, "succeeded", 0, [1, "two", None]),
        ("nothing", None, "succeeded", 0, None),
        ("boolean", None, "succeeded", 0, False),
        ("odd_pair", None, "succeeded", 0, "{1}"),
        ("exits", "0", "succeeded", 0, "None"),
        ("exits", "7", "failed", 7, "None"),
    ],
)
def test_what_an_action_returns_becomes_its_result(
    live: Server, action: str, mode: str, arg: str | None, status: str, code: int, result: Any
) -> None:
    ended = run(live, mode, arg, action)
    assert (ended["status"], ended["result"]["exit_code"], ended["result"]["result"]) == (status, code, result)
    assert (ended["result"]["stdout"], ended["result"]["stderr"]) == ("", "")


def test_a_result_that_is_no_json_is_told_as_text(live: Server) -> None:
    result = run(live, "odd")["result"]["result"]
    assert result.startswith("<object object at 0x")
    assert result.endswith("'status': None}")


def test_a_pair_without_a_status_fails_with_an_explanation(live: Server) -> None:
    ended = run(live, "bad_pair")
    assert ended["status"] == "failed"
    assert "must either be True or False, got: yes" in ended["result"]["error"]


def test_an_exception_ends_on_standard_error(live: Server) -> None:
    ended = run(live, "raises")
    assert (ended["status"], ended["result"]["exit_code"], ended["result"]["result"]) == ("failed", 1, "None")
    assert ended["result"]["stdout"] == "before\n"
    assert ended["result"]["stderr"].startswith("Traceback")
    assert ended["result"]["stderr"].endswith("InvalidActionParameterException: asked to raise\n")


def test_loggers_speak_on_standard_error_in_the_form_of_stackstorm(live: Server) -> None:
    ended = run(live, "speaks", log_level="INFO")
    assert ended["result"]["stdout"] == "out\n"
    assert ended["result"]["stderr"] == "st2.actions.python.Shapes: INFO     told\n"


def test_output_shows_while_the_action_runs(live: Server, tmp_path: Path) -> None:
    started = live.request("py.shapes", mode="waits", arg=str(tmp_path / "go"))
    with live.stream(end_execution_id=started, events="st2.execution.output__create") as stream:
        assert next(iter(stream.events())).body["data"].startswith("waiting")
        (tmp_path / "go").touch()
    assert live.ended(started)["result"]["result"] == {"seen": True}


@pytest.mark.stalls("the server answers with a JSON document of fifty megabytes in one piece")
def test_binary_output_and_a_huge_result_are_no_trouble(live: Server) -> None:
    assert run(live, "binary")["result"]["result"] == "done"
    ended = run(live, "huge", str(50_000_000))
    assert (ended["status"], len(ended["result"]["result"])) == ("succeeded", 50_000_000)


def test_secrets_of_parameters_and_config_are_masked_in_results_too(live: Server) -> None:
    ended = run(live, "secret", "hunter2-hunter2", "py.hidden")
    assert ended["result"]["result"] == {"mine": "********", "config": "********", "whole": "********!"}
    assert ended["result"]["stdout"] == "******** ********\n"


def test_a_key_that_the_config_lacks_is_explained(live: Server) -> None:
    assert 'Config for pack "py" is missing key "nowhere"' in run(live, "missing")["result"]["stderr"]


def test_libraries_of_the_pack_and_of_the_platform_are_importable(live: Server) -> None:
    assert run(live, "imports")["result"]["result"][:2] == ["from the lib", "1970-01-01T00:00:00.000000Z"]


def test_the_process_has_what_stackstorm_gives_it(live: Server) -> None:
    ended = run(live, "where", env={"GIVEN": "1", "PYTHONPATH": "/nowhere"})
    told = ended["result"]["result"]
    assert (told["ST2_ACTION_PACK_NAME"], told["ST2_ACTION_EXECUTION_ID"]) == ("py", ended["id"])
    assert told["ST2_API_URL"] == told["ST2_ACTION_API_URL"] == f"http://127.0.0.1:{live.port}/v1"
    assert (told["GIVEN"], told["SQUALL_RESULT_FD"], told["args"], told["stdin"]) == ("1", None, [], "")
    assert told["leader"] is True


def test_a_timeout_ends_it(live: Server, tmp_path: Path) -> None:
    ended = run(live, "waits", str(tmp_path / "never"), timeout=1)
    assert (ended["status"], ended["result"]["exit_code"], ended["result"]["result"]) == ("timeout", -9, "None")
    assert ended["result"]["error"] == "Action failed to complete in 1 seconds"
    assert ended["result"]["stdout"] == "waiting\n"


def test_it_can_be_cancelled(live: Server, tmp_path: Path) -> None:
    started = live.request("py.shapes", mode="waits", arg=str(tmp_path / "never"))
    live.running(started)
    assert live.call("DELETE", f"/v1/executions/{started}").status == 200
    assert live.ended(started)["status"] == "canceled"


def test_a_pack_with_requirements_needs_its_virtualenv(live: Server) -> None:
    ended = run(live, "pair", "x", "needy.shapes")
    assert ended["status"] == "failed"
    assert 'for pack "needy" does not exist' in ended["result"]["error"]


def test_actions_go_on_when_their_fork_server_is_killed(live: Server, tmp_path: Path) -> None:
    servers = warm(live)
    started = live.request("py.shapes", mode="waits", arg=str(tmp_path / "go"))
    live.running(started)
    assert servers
    for pid in servers:
        os.kill(pid, signal.SIGKILL)
    ended = run(live, "pair", "x")
    assert ended["result"].get("result") == {"given": "x"}, ended
    (tmp_path / "go").touch()
    assert live.ended(started)["result"]["result"] == {"seen": True}


def test_a_fork_server_that_hangs_only_costs_time(live: Server) -> None:
    for pid in warm(live):
        os.kill(pid, signal.SIGSTOP)
    assert run(live, "pair", "x")["result"]["result"] == {"given": "x"}


def test_a_result_survives_the_server(
    tmp_path_factory: pytest.TempPathFactory, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    env = {**QUICK, "SQUALL_CONTENT_CONFIGS_DIR": str(folders[1])}
    with serving(tmp_path_factory.mktemp("killed"), folders[0], env=env) as server:
        started = server.request("py.shapes", mode="waits", arg=str(tmp_path / "go"))
        server.running(started)
        server.signal(signal.SIGKILL)
        server.wait()
        (tmp_path / "go").touch()
        server.start()
        assert server.ended(started)["result"] == {
            "stdout": "waiting\n", "stderr": "", "exit_code": 0, "result": {"seen": True},
        }  # fmt: skip
