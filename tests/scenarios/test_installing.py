"""Installing packs on a real server: from folders and git, with virtualenvs, updates, failures and removal."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.packages import write_unbuildable, write_wheel
from tests.scenarios.live.server import Server

ACTION = "name: {name}\nrunner_type: python-script\nentry_point: {name}.py\n"
CODE = """
from st2common.runners.base_action import Action

class It(Action):
    def run(self):
        {line}
"""


def write_pack(folder: Path, version: str = "1.0.0", line: str = "return 'one'", **more: str) -> Path:
    ref = folder.name
    files = {
        "pack.yaml": f"ref: {ref}\nname: {ref}\ndescription: d\nversion: {version}\nauthor: a\n",
        "actions/it.yaml": ACTION.format(name="it"),
        "actions/it.py": CODE.format(line=line),
        **more,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without a network: wheels and the list of packs lie in folders."""
    home = tmp_path_factory.mktemp("site")
    write_wheel(home / "wheels", "squallwheel", 42)
    write_unbuildable(home / "wheels", "squallsource")
    write_pack(home / "sources" / "listed")
    index = {"packs": {"listed": {"name": "listed", "ref": "listed", "repo_url": str(home / "sources" / "listed")}}}
    (home / "index.json").write_text(json.dumps(index))
    env = {
        **QUICK,
        "SQUALL_CONTENT_PIP_OPTIONS": f"--no-index --find-links={home / 'wheels'}",
        "SQUALL_CONTENT_INDEX_URL": f"{home / 'nosuch.json'},{home / 'index.json'}",
    }
    server = Server(home, env=env)
    try:
        yield server.start()
    finally:
        server.stop()


def installed(site: Server, *packs: object, **more: Any) -> dict[str, Any]:
    reply = site.call("POST", "/v1/packs/install", {"packs": [str(pack) for pack in packs], **more})
    assert reply.status == 202, reply
    return site.ended(reply.json["execution_id"])


@pytest.fixture(scope="module")
def broken(site: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A pack in its version 1.0.0, which later versions fail to replace."""
    assert installed(site, write_pack(tmp_path_factory.mktemp("first") / "broken"))["status"] == "succeeded"


@pytest.fixture(scope="module")
def kept(site: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A pack that nothing may remove."""
    assert installed(site, write_pack(tmp_path_factory.mktemp("first") / "kept"))["status"] == "succeeded"


def run(site: Server, action: str) -> Any:
    return site.ended(site.request(action))["result"]["result"]


def test_a_folder_is_installed_with_its_virtualenv_and_all_of_it_is_shown(site: Server, tmp_path: Path) -> None:
    line = "import squallwheel; return squallwheel.VALUE"
    pack = write_pack(tmp_path / "wheeled", line=line, **{"requirements.txt": "squallwheel==1.0\n"})
    document = installed(site, pack)
    assert (document["status"], document["result"]["output"]) == (
        "succeeded",
        {"packs_list": ["wheeled"], "message": "Successfully installed packs", "conflict_list": [], "warning_list": []},
    )
    assert run(site, "wheeled.it") == 42
    with site.output(document["id"], raw_data="true") as stream:
        text = stream.rest().decode()
    assert "Copying" in text
    assert "uv pip install" in text
    assert "squallwheel==1.0" in text


def test_an_update_switches_at_once_and_what_runs_keeps_what_it_began_with(site: Server, tmp_path: Path) -> None:
    waits = "import time, pathlib\n        while not pathlib.Path({!r}).exists(): time.sleep(0.02)\n        "
    go = str(tmp_path / "go")
    pack = write_pack(tmp_path / "moving", line=waits.format(go) + "import inner; return inner.VALUE",
                      **{"actions/lib/inner.py": "VALUE = 'old'\n"})  # fmt: skip
    assert installed(site, pack)["status"] == "succeeded"
    started = site.request("moving.it")
    site.running(started)
    write_pack(pack, "2.0.0", "import inner; return inner.VALUE", **{"actions/lib/inner.py": "VALUE = 'new'\n"})
    assert installed(site, pack)["status"] == "succeeded"
    assert site.get("/v1/packs/moving")["version"] == "2.0.0"
    assert run(site, "moving.it") == "new"
    (tmp_path / "go").touch()
    assert site.ended(started)["result"]["result"] == "old"


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"actions/bad.yaml": "name: bad\nrunner_type: nosuch\n"}, 'runner_type: "nosuch" is not one this server has'),
        ({"actions/bad.yaml": "name: it\nrunner_type: noop\n"}, 'another file of this pack is "broken.it" already'),
        ({"requirements.txt": "nosuch-package-at-all==1.0\n"}, "nosuch-package-at-all"),
        ({"pack.yaml": "ref: ../up\nname: x\nversion: 1.0.0\n"}, 'ref: "../up" may only hold lower case letters'),
        ({"actions/bad.yaml": "a: &a [x]\n" * 2 + "b: [*a"}, "bad.yaml: line"),
    ],
)
def test_a_failed_installation_leaves_the_old_version_in_place(
    site: Server, tmp_path: Path, files: dict[str, str], told: str
) -> None:
    before = site.get("/v1/packs/broken")
    assert before["version"] == "1.0.0"
    pack = write_pack(tmp_path / "broken", "2.0.0", "return 'two'", **files)
    document = installed(site, pack)
    assert document["status"] == "failed"
    with site.output(document["id"], raw_data="true") as stream:
        assert told in stream.rest().decode()
    assert site.get("/v1/packs/broken") == before
    assert run(site, "broken.it") == "one"
    assert [action["ref"] for action in site.get("/v1/actions", pack="broken")] == ["broken.it"]


def test_a_file_that_is_too_large_and_a_link_out_of_the_pack_are_refused(site: Server, tmp_path: Path) -> None:
    pack = write_pack(tmp_path / "hostile")
    with open(pack / "huge", "wb") as file:
        file.truncate(100 << 20)
    document = installed(site, pack)
    assert "content.max_file_bytes" in json.dumps(document["result"])
    (pack / "huge").unlink()
    (pack / "out").symlink_to("/etc")
    assert "the link leads out of the pack" in json.dumps(installed(site, pack)["result"])
    assert site.call("GET", "/v1/packs/hostile").status == 404


def test_a_pack_comes_from_a_list_and_brings_what_it_depends_on(site: Server, tmp_path: Path) -> None:
    pack = tmp_path / "needing"
    write_pack(pack)
    (pack / "pack.yaml").write_text((pack / "pack.yaml").read_text() + "dependencies: [listed]\n")
    assert installed(site, pack)["result"]["output"]["packs_list"] == ["needing", "listed"]
    assert run(site, "listed.it") == "one"
    (pack / "pack.yaml").write_text((pack / "pack.yaml").read_text().replace("[listed]", "['listed=9.0.0']"))
    document = installed(site, pack)
    assert document["status"] == "failed"
    assert document["result"]["output"]["conflict_list"] == ["listed=9.0.0 (installed: 1.0.0)"]
    assert installed(site, pack, skip_dependencies=True)["status"] == "succeeded"
    missing = installed(site, "nosuch")
    assert 'No record of the \\"nosuch\\" pack in the index.' in json.dumps(missing["result"])


def test_the_lists_of_packs_are_shown_searched_and_told_of(site: Server) -> None:
    assert list(site.get("/v1/packs/index")["index"]) == ["listed"]
    assert site.get("/v1/packs/index/health")["indexes"]["errors"] == {"unresponsive": 1}
    found = site.call("POST", "/v1/packs/index/search", {"query": "LIST"}).json
    assert [entry["ref"] for entry in found] == ["listed"]
    assert site.call("POST", "/v1/packs/index/search", {"pack": "listed"}).json["ref"] == "listed"
    assert site.call("POST", "/v1/packs/index/search", {"pack": "nosuch"}).json is None
    assert site.call("POST", "/v1/packs/index/search", {}).status == 400


def test_two_installations_of_one_pack_both_succeed(site: Server, tmp_path: Path) -> None:
    pack = write_pack(tmp_path / "twice")
    ended: list[str] = []
    threads = [threading.Thread(target=lambda: ended.append(installed(site, pack)["status"])) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == ["succeeded", "succeeded"]
    assert run(site, "twice.it") == "one"


def test_what_is_removed_is_gone_and_what_comes_with_squall_stays(site: Server, tmp_path: Path) -> None:
    assert installed(site, write_pack(tmp_path / "leaving"))["status"] == "succeeded"
    reply = site.call("POST", "/v1/packs/uninstall", {"packs": ["leaving"]})
    assert site.ended(reply.json["execution_id"])["status"] == "succeeded"
    assert site.call("GET", "/v1/packs/leaving").status == 404
    assert not (site.data_dir / "packs" / "leaving").exists()
    assert not (site.data_dir / "virtualenvs" / "leaving").exists()
    core = site.call("POST", "/v1/packs/uninstall", {"packs": ["core"]})
    assert site.ended(core.json["execution_id"])["status"] == "failed"
    assert site.get("/v1/packs/core")["ref"] == "core"


def test_removing_a_pack_that_does_not_exist_is_an_error_and_removes_no_other(site: Server, tmp_path: Path) -> None:
    assert installed(site, write_pack(tmp_path / "staying"))["status"] == "succeeded"
    removed = site.squall("pack", "remove", "staying", "zzqqx")
    assert removed.status != 0, removed
    assert "pack 'zzqqx' does not exist" in removed.err.decode().splitlines()[-1]
    assert site.get("/v1/packs/staying")["ref"] == "staying"


@pytest.mark.parametrize(
    ("body", "told"),
    [({}, "'packs' is a required property"), ({"packs": []}, "at least one"), ({"packs": [5]}, "list of texts")],
)
def test_a_request_that_names_no_pack_is_refused(site: Server, body: Any, told: str) -> None:
    for path in ("install", "uninstall"):
        reply = site.call("POST", f"/v1/packs/{path}", body)
        assert reply.status == 400
        assert told in reply.fault


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("name", ["", ".", "..", "../../x", ".versions", "/etc", "A"])
def test_what_is_no_name_of_a_pack_removes_nothing(site: Server, name: str) -> None:
    removed = site.squall("pack", "remove", name)
    assert removed.status != 0, removed
    assert site.call("POST", "/v1/packs/uninstall", {"packs": ["kept", name]}).status == 400
    for action in ("packs.delete", "packs.uninstall", "packs.unload"):
        made = site.call("POST", "/v1/executions", {"action": action, "parameters": {"packs": [name]}}).json
        assert site.ended(made["id"])["status"] == "failed", action
    assert run(site, "kept.it") == "one"
    assert (site.data_dir / "squall.db").exists()


def test_removing_a_linked_pack_keeps_the_checkout(site: Server, tmp_path: Path) -> None:
    work = write_pack(tmp_path / "linked")
    (site.data_dir / "packs").mkdir(exist_ok=True)
    link = site.data_dir / "packs" / "linked"
    link.symlink_to(work)
    assert site.call("POST", "/v1/packs/register", {"packs": ["linked"]}).status == 200
    assert site.squall("pack", "remove", "linked").status == 0
    assert not link.is_symlink()
    assert (work / "actions" / "it.py").exists()


def test_the_words_of_the_docs_work(site: Server, tmp_path: Path) -> None:
    """`squall pack create demo && squall pack lint demo && squall pack install ./demo && squall run demo.hello`."""
    work = str(tmp_path)
    made = site.squall("pack", "create", "demo", "--in", work)
    assert made.status == 0, made
    linted = site.squall("pack", "lint", f"{work}/demo")
    assert (linted.status, linted.out) == (
        0,
        f"{work}/demo: 0 faults; 2 actions, 1 aliases, 1 rules, 1 sensors\n".encode(),
    ), linted
    tested = site.squall("pack", "test", "--no-venv", f"{work}/demo")
    assert tested.status == 0, tested
    assert b"3 passed" in tested.out
    assert b"1 of 1 rehearsals went as expected" in tested.out
    install = site.squall("pack", "install", f"{work}/demo")
    assert install.status == 0, install
    assert b'The virtualenv of "demo" is ready.' in install.out
    assert site.squall("run", "demo.hello", "who=Ada").out == b"Hello, Ada!\n"
    assert site.squall("run", "demo.greet_all").status == 0
    (tmp_path / "demo" / "actions" / "hello.yaml").write_text("name: hello\nrunner_type: python-script\nx: [\n")
    broken = site.squall("pack", "lint", f"{work}/demo")
    assert broken.status == 1
    assert b"hello.yaml: line 4, column 1" in broken.out
    assert site.squall("pack", "create", "demo", "--in", work).status == 2
    assert site.squall("pack", "create", "Not-Good").status == 2
    assert site.squall("pack", "remove", "demo").status == 0
    assert site.squall("pack", "show", "listed").status == 0
    assert b"listed" in site.squall("pack", "search", "listed").out


def test_a_pack_is_registered_again_whenever_a_file_is_saved(site: Server, tmp_path: Path) -> None:
    pack = site.data_dir / "packs" / "edited"
    write_pack(pack)
    assert site.call("POST", "/v1/packs/register", {"packs": ["edited"]}).status == 200
    words = [*site.program, "pack", "dev", str(pack), "--interval", "0.05"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=site.command_env(), text=True, bufsize=1) as dev:
        assert dev.stdout is not None
        try:
            assert "waiting for changes" in dev.stdout.readline()
            assert dev.stdout.readline().rstrip().endswith("edited: 1 actions")
            (pack / "actions" / "more.yaml").write_text(ACTION.format(name="it").replace("name: it", "name: more"))
            assert dev.stdout.readline().rstrip().endswith("edited: 2 actions")
            (pack / "actions" / "more.yaml").write_text("name: more\nrunner_type: nosuch\n")
            assert 'runner_type: "nosuch" is not one' in dev.stdout.readline()
        finally:
            dev.kill()


def test_tests_of_a_pack_find_everything_that_packs_import(site: Server) -> None:
    pack = Path(__file__).parents[1] / "packs" / "platform"
    tested = site.squall("pack", "test", "--no-venv", str(pack))
    assert tested.status == 0, tested
    assert b"7 passed" in tested.out
    assert site.squall("pack", "lint", str(pack)).status == 0
    some = site.squall("pack", "test", "--no-venv", "-k", "commands", str(pack))
    assert b"1 passed" in some.out


def printed(site: Server, execution: dict[str, Any]) -> str:
    with site.output(execution["id"], raw_data="true") as stream:
        return stream.rest().decode()


def test_installations_of_different_packs_run_side_by_side(site: Server, tmp_path: Path) -> None:
    go = tmp_path / "go"
    waits = f"import pathlib, time\nwhile not pathlib.Path({str(go)!r}).exists():\n    time.sleep(0.02)\n"
    slow = write_pack(tmp_path / "slow", **{"actions/it.py": waits + CODE.format(line="return 'slow'")})
    started = site.call("POST", "/v1/packs/install", {"packs": [str(slow)]}).json["execution_id"]
    site.running(started)
    assert installed(site, write_pack(tmp_path / "quick"))["status"] == "succeeded"
    assert run(site, "quick.it") == "one"
    assert site.get(f"/v1/executions/{started}")["status"] == "running"
    go.touch()
    assert site.ended(started)["status"] == "succeeded"
    assert run(site, "slow.it") == "slow"


def test_what_cannot_be_built_is_tried_again_and_the_last_line_names_it_and_what_is_missing(
    site: Server, tmp_path: Path
) -> None:
    pack = write_pack(tmp_path / "building", **{"requirements.txt": "squallsource==1.0\n"})
    document = installed(site, pack)
    assert document["status"] == "failed"
    text = printed(site, document)
    assert "without build isolation" in text
    line = "The requirement squallsource==1.0 cannot be built: the command pg_config is missing. "
    assert text.rstrip().splitlines()[-1].endswith(f"{line}Install what it belongs to (Debian: libpq-dev)")


def test_what_cannot_be_imported_and_what_lacks_a_runner_are_told_and_the_rest_is_installed(
    site: Server, tmp_path: Path
) -> None:
    windows = "name: windows\nrunner_type: windows-cmd\nparameters: {cmd: {default: dir}}\n"
    bad = {"actions/bad.yaml": ACTION.format(name="bad"), "actions/bad.py": "import nosuchmodule\n"}
    document = installed(site, write_pack(tmp_path / "partial", **bad, **{"actions/windows.yaml": windows}))
    assert document["status"] == "succeeded"
    fault = "actions/bad.py cannot be imported (actions: bad): ModuleNotFoundError: No module named 'nosuchmodule'"
    assert document["result"]["output"]["warning_list"] == [f"partial: {fault}"]
    text = printed(site, document)
    assert fault in text
    assert 'this server has no runner "windows-cmd"' in text
    assert {action["name"] for action in site.get("/v1/actions", pack="partial")} == {"it", "bad"}
    registered = site.squall("pack", "register", "partial")
    assert (registered.status, b"windows-cmd" in registered.err, b"2 actions" in registered.out) == (0, True, True)


def test_the_python_of_a_pack_is_chosen_and_remembered(site: Server, tmp_path: Path) -> None:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    pack = write_pack(tmp_path / "chosen", line="import sys; return list(sys.version_info[:2])")
    wanted = site.squall("pack", "install", str(pack), "--python", "3.99")
    assert wanted.status != 0
    assert b"No Python 3.99 is on this machine" in wanted.err
    assert installed(site, pack, python=version)["status"] == "succeeded"
    remembered = site.data_dir / "virtualenvs" / "chosen" / "squall-python"
    assert remembered.read_text() == f"{version}\n"
    assert installed(site, pack)["status"] == "succeeded"
    assert remembered.read_text() == f"{version}\n"
    (pack / "pack.yaml").write_text((pack / "pack.yaml").read_text() + "python: '3.99'\n")
    assert installed(site, pack)["status"] == "succeeded"
    assert "No Python 3.99 is on this machine" in json.dumps(installed(site, pack, python="default")["result"])
    assert run(site, "chosen.it") == list(sys.version_info[:2])


def test_a_file_of_overrides_replaces_what_packages_ask_for(site: Server, tmp_path: Path) -> None:
    line = "import squallwheel; return squallwheel.VALUE"
    pack = write_pack(tmp_path / "overridden", line=line, **{"requirements.txt": "squallwheel==9.0\n"})
    assert "squallwheel==9.0 cannot be installed" in json.dumps(installed(site, pack)["result"])
    (site.data_dir / "configs").mkdir(exist_ok=True)
    (site.data_dir / "configs" / "overridden.overrides.txt").write_text("squallwheel==1.0\n")
    assert installed(site, pack)["status"] == "succeeded"
    assert run(site, "overridden.it") == 42
    (site.data_dir / "configs" / "overridden.constraints.txt").write_text("squallwheel<1.0\n")
    assert installed(site, pack)["status"] == "failed"


def test_a_pack_that_lies_here_is_installed_and_tested_by_its_name(site: Server, tmp_path: Path) -> None:
    test = "import unittest\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        pass\n"
    write_pack(tmp_path / "listed", line="return 'here'", **{"tests/test_it.py": test})
    words = [*site.program, "pack", "install", "listed"]
    done = subprocess.run(words, cwd=tmp_path, env=site.command_env(), capture_output=True, check=False)
    assert done.returncode == 0, done
    assert f"listed: installing the local pack {tmp_path / 'listed'}".encode() in done.stderr
    assert run(site, "listed.it") == "here"
    words = [*site.program, "pack", "test", "--no-venv", "--data-dir", str(site.data_dir), "listed"]
    for cwd in (site.data_dir, tmp_path):
        tested = subprocess.run(words, cwd=cwd, env=site.command_env(), capture_output=True, check=False)
        assert (tested.returncode, b"1 passed" in tested.stdout) == (0, True), tested
    assert b'no pack "nosuch" is installed' in site.squall("pack", "test", "nosuch").err
    assert site.squall("pack", "install", "listed").status == 0
    assert run(site, "listed.it") == "one"
