"""Packs in folders: what is found, what replaces what, and that nothing a person has written wrong stops the rest."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from squall.adapters.packs import PackFolders
from squall.core.action import Action, Pack

RUNNERS = """
- name: local-shell-cmd
  runner_module: local
  runner_parameters: {cmd: {type: string}, timeout: {type: integer, default: 60}}
- name: noop
  runner_module: noop
"""
GOOD = "name: good\nrunner_type: noop\n"


class Folders:
    """Two roots of packs, the second of which replaces."""

    def __init__(self, root: Path) -> None:
        self.runners = root / "runners"
        self.roots = [root / "bundled", root / "mine"]
        for folder in (self.runners, *self.roots):
            folder.mkdir()
        (self.runners / "some.yaml").write_text(RUNNERS)

    def pack(self, ref: str, yaml: str | bytes | None = None, *, root: int = 0, **actions: str | bytes) -> Path:
        """A pack with a good action and others by file name."""
        folder = self.roots[root] / ref
        (folder / "actions").mkdir(parents=True)
        files = {"pack.yaml": f"name: {ref}\n" if yaml is None else yaml}
        files |= {f"actions/{name}.yaml": text for name, text in ({"good": GOOD} | actions).items()}
        for name, text in files.items():
            (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return folder

    def load(self) -> dict[str, tuple[Pack, list[Action]]]:
        """The packs with their actions, by ref."""
        _, packs, _ = PackFolders(self.runners, self.roots).load()
        return {pack.ref: (pack, actions) for pack, actions in packs}

    def actions(self, ref: str) -> list[str]:
        """The refs of a pack's actions."""
        return [action.ref for action in self.load()[ref][1]]


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


@pytest.fixture
def complaints(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    caplog.set_level(logging.WARNING)
    return lambda: " ".join(f"{record.getMessage()} {record.__dict__.get('error')}" for record in caplog.records)


def test_a_pack_is_what_its_folder_says(folders: Folders) -> None:
    folder = folders.pack(
        "tools", "ref: tools\nname: The Tools\nversion: 1.5\nkeywords: [a, 5]\nauthor: Ada\ndescription: d\n"
    )
    pack, actions = folders.load()["tools"]
    assert pack == Pack(
        ref="tools",
        name="The Tools",
        description="d",
        version="1.5",
        author="Ada",
        keywords=["a", "5"],
        files=["pack.yaml", "actions/good.yaml"],
        uid="pack:tools",
        path=str(folder.resolve()),
        id="",
    )
    assert [(action.ref, action.uid, action.metadata_file) for action in actions] == [
        ("tools.good", "action:tools:good", "actions/good.yaml")
    ]


def test_an_action_is_what_its_file_says(folders: Folders) -> None:
    folders.pack(
        "tools",
        run="name: run\nrunner_type: local-shell-cmd\nenabled: false\nentry_point: run.sh\ndescription: d\n"
        "parameters: {cmd: {default: x, immutable: true}, who: {type: string, position: 0}}\n"
        "tags: [{name: a, value: b}]\n",
    )
    action = folders.load()["tools"][1][1]
    assert (action.ref, action.enabled, action.entry_point, action.runner_type) == (
        "tools.run",
        False,
        "run.sh",
        "local-shell-cmd",
    )
    assert list(action.parameters) == ["cmd", "who"]
    assert action.tags == [{"name": "a", "value": "b"}]


def test_every_runner_type_is_found(folders: Folders) -> None:
    (folders.runners / "more.yaml").write_text("- {name: more, runner_module: m}\n")
    runners, _, _ = PackFolders(folders.runners, folders.roots).load()
    assert {runner.name: runner.uid for runner in runners} == {
        name: f"runner_type:{name}" for name in ("local-shell-cmd", "noop", "more")
    }


def test_a_later_pack_replaces_the_whole_of_an_earlier_one_of_the_same_name(folders: Folders) -> None:
    folders.pack("core", other="name: other\nrunner_type: noop\n")
    mine = folders.pack("core", "name: core\nversion: 9.0.0\n", root=1)
    pack, actions = folders.load()["core"]
    assert (pack.version, pack.path) == ("9.0.0", str(mine.resolve()))
    assert [action.ref for action in actions] == ["core.good"]


def test_a_pack_is_known_by_its_ref_not_by_its_folder(folders: Folders) -> None:
    folders.pack("core")
    folders.pack("a_folder", "ref: core\nname: Mine\n", root=1)
    assert {ref: pack.name for ref, (pack, _) in folders.load().items()} == {"core": "Mine"}


def test_what_is_no_pack_is_passed_over(folders: Folders, complaints: Callable[[], str]) -> None:
    (folders.roots[0] / "empty").mkdir()
    (folders.roots[0] / "file").touch()
    assert folders.load() == {}
    assert complaints() == ""


def test_a_missing_folder_of_packs_is_told(folders: Folders, complaints: Callable[[], str]) -> None:
    folders.pack("core")
    folders.roots.append(folders.roots[0] / "nosuch")
    assert folders.load().keys() == {"core"}
    assert "no such folder" in complaints()


@pytest.mark.parametrize(
    "text",
    [
        "name: [",
        "- a list",
        "just text",
        "",
        "5",
        b"\xff\xfe\xff",
        "name: \tx\n\t- y",
        "&a [*a, ",
        "!!python/object/apply:os.system ['true']",
        "runner_type: noop\n",
        "name: bad\n",
        "name: bad\nrunner_type: nosuch\n",
        "name: [bad]\nrunner_type: noop\n",
        "name: bad\nrunner_type: noop\nenabled: perhaps\n",
        "name: bad\nrunner_type: noop\nparameters: [a]\n",
        "name: bad\nrunner_type: noop\nparameters: {a: text}\n",
        "name: bad\nrunner_type: noop\nparameters: {a-b: {type: string}}\n",
        "name: bad\nrunner_type: noop\nparameters: {1: {type: string}}\n",
        "name: bad\nrunner_type: noop\nparameters: {a: {type: strng}}\n",
        "name: bad\nrunner_type: noop\nparameters: {a: {type: [string, 'null']}}\n",
        "name: bad\nrunner_type: noop\nparameters: {a: {type: {b: c}}}\n",
        "name: bad\nrunner_type: noop\nparameters: {a: {position: 0}, b: {position: 0}}\n",
        "name: bad\nrunner_type: noop\nparameters: {a: {position: 0}, b: {position: 2}}\n",
        "name: bad\nrunner_type: noop\nparameters: {a: {position: first}}\n",
        "name: bad\nrunner_type: noop\nparameters: {a: {position: null}, b: {position: 1}}\n",
        "name: bad\nrunner_type: local-shell-cmd\nparameters: {cmd: {type: integer}}\n",
        "name: bad\nrunner_type: noop\nparameters: {a: {type: string, immutable: true}}\n",
        "name: bad\nrunner_type: noop\ndescription: {a: b}\n",
        "name: bad\nrunner_type: noop\ntags: [text]\n",
    ],
)
def test_a_broken_action_is_left_out_and_told_and_the_others_stay(
    folders: Folders, complaints: Callable[[], str], text: str | bytes
) -> None:
    folders.pack("tools", bad=text)
    assert folders.actions("tools") == ["tools.good"]
    assert "action left out" in complaints()
    assert "bad.yaml" in complaints()


@pytest.mark.parametrize(
    "text",
    [
        "name: [",
        "",
        "- a",
        b"\xff\xff",
        "ref: Upper\n",
        "ref: ../up\n",
        "ref: a.b\n",
        'ref: "a\\n"\n',
        "keywords: 5\nname: bad\n",
        "name: bad\ndescription: {a: b}\n",
        "name: bad\ndescription: 2026-01-01\n",
    ],
)
def test_a_broken_pack_is_left_out_or_made_readable_and_the_others_stay(folders: Folders, text: str | bytes) -> None:
    folders.pack("bad", text)
    folders.pack("tools")
    packs = folders.load()
    assert packs["tools"][0].ref == "tools"
    for pack, actions in packs.values():
        # What is registered must be readable again.
        assert msgspec.json.decode(msgspec.json.encode(pack), type=Pack) == pack
        for action in actions:
            assert msgspec.json.decode(msgspec.json.encode(action), type=Action) == action


def test_two_files_of_one_name_are_one_action_and_told(folders: Folders, complaints: Callable[[], str]) -> None:
    folders.pack("tools", twice=GOOD)
    assert folders.actions("tools") == ["tools.good"]
    assert "left out" in complaints()


def test_yaml_that_refers_to_itself_for_ever_is_left_out(folders: Folders) -> None:
    folders.pack("tools", bad="name: bad\nrunner_type: noop\nparameters: {a: {type: object, default: &x {y: *x}}}\n")
    assert folders.actions("tools") == ["tools.good"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_file_that_may_not_be_read_is_left_out(folders: Folders, complaints: Callable[[], str]) -> None:
    folder = folders.pack("tools", bad=GOOD)
    (folder / "actions/bad.yaml").chmod(0)
    for parent in folder.parents:
        parent.chmod(parent.stat().st_mode | 0o055) if parent.name.startswith(("test_", "pytest-")) else None
    os.seteuid(65534)
    try:
        assert folders.actions("tools") == ["tools.good"]
    finally:
        os.seteuid(0)
    assert "bad.yaml" in complaints()


@pytest.mark.parametrize("value", ["yes", "2026-01-01", "1_000", "0x1F", "~", "1.0e+3", ".nan", "!!binary aGk="])
def test_yaml_values_of_any_kind_can_be_kept(folders: Folders, value: Any) -> None:
    folders.pack("tools", odd=f"name: odd\nrunner_type: noop\nparameters: {{a: {{type: string, default: {value}}}}}\n")
    for action in folders.load()["tools"][1]:
        msgspec.json.encode(action)


def test_an_actions_own_output_limit_is_read_with_its_unit(folders: Folders) -> None:
    folders.pack("tools", big="name: big\nrunner_type: noop\noutput_limit: {bytes: 10 MiB, policy: fail}\n")
    (action,) = [action for action in folders.load()["tools"][1] if action.ref == "tools.big"]
    assert action.output_limit is not None
    assert (action.output_limit.bytes, action.output_limit.policy) == (10 << 20, "fail")


@pytest.mark.parametrize("limit", ["5", "{bytes: many}", "{bytes: -1}", "{policy: drop}", "{size: 1}", "[1]"])
def test_a_wrong_output_limit_leaves_the_action_out_and_is_told(
    folders: Folders, complaints: Callable[[], str], limit: str
) -> None:
    folders.pack("tools", bad=f"name: bad\nrunner_type: noop\noutput_limit: {limit}\n")
    assert folders.actions("tools") == ["tools.good"]
    assert "output_limit" in complaints()
