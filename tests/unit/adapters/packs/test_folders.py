"""Packs in folders: what is found, what replaces what, and that nothing a person has written wrong stops the rest."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from squall.adapters.packs.folders import PackFolders
from squall.core.content.action import Action, Pack

RUNNERS = """
- name: local-shell-cmd
  runner_module: local
  runner_parameters: {cmd: {type: string}, timeout: {type: integer, default: 60}}
- name: noop
  runner_module: noop
"""
POLICY = "name: p\nresource_ref: tools.good\npolicy_type: action.concurrency\nparameters: {threshold: 1}\n"
GOOD = "name: good\nrunner_type: noop\n"


class Folders:
    """Two roots of packs, the first of which wins."""

    def __init__(self, root: Path) -> None:
        self.runners = root / "runners"
        self.roots = [root / "mine", root / "bundled"]
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
        packs = PackFolders(self.runners, self.roots).load().packs
        return {found.pack.ref: (found.pack, found.actions) for found in packs}

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
    runners = PackFolders(folders.runners, folders.roots).load().runners
    assert {runner.name: runner.uid for runner in runners} == {
        name: f"runner_type:{name}" for name in ("local-shell-cmd", "noop", "more")
    }


def test_the_first_pack_of_a_name_is_the_one_and_nothing_of_others_is_in_it(folders: Folders) -> None:
    folders.pack("core", None, root=1, other="name: other\nrunner_type: noop\n")
    mine = folders.pack("core", "name: core\nversion: 9.0.0\n")
    pack, actions = folders.load()["core"]
    assert (pack.version, pack.path) == ("9.0.0", str(mine.resolve()))
    assert [action.ref for action in actions] == ["core.good"]


def test_a_pack_is_known_by_its_ref_not_by_its_folder(folders: Folders) -> None:
    folders.pack("core", root=1)
    folders.pack("a_folder", "ref: core\nname: Mine\n")
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
        parent.chmod(parent.stat().st_mode | 0o055) if parent.name.startswith(("test_", "pytest-", "popen-")) else None
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


def faults(folders: Folders) -> list[str]:
    return [text for _, text in PackFolders(folders.runners, folders.roots).load().faults]


def test_what_is_wrong_is_told_with_its_file_line_and_key(folders: Folders) -> None:
    folder = folders.pack("tools", bad="name: bad\nrunner_type: noop\nparameters:\n  a:\n    type: strng\n")
    assert faults(folders) == [
        f"{folder / 'actions' / 'bad.yaml'}:5: parameters.a.type: 'strng' is none of "
        "array, boolean, integer, null, number, object, string"
    ]
    (folder / "actions" / "bad.yaml").write_text("name: bad\nrunner_type: [\n")
    assert faults(folders)[0].startswith(f"{folder / 'actions' / 'bad.yaml'}: line 3, column 1: ")


def test_every_kind_of_content_is_counted_and_its_faults_are_told(folders: Folders) -> None:
    folder = folders.pack("tools")
    files = {
        "rules/on.yaml": "name: start\ntrigger: {type: a.b}\naction: {ref: core.noop}\n",
        "rules/off.yml": "name: stop\naction: {ref: core.noop}\n",
        "sensors/s.yaml": "class_name: S\nentry_point: s.py\n",
        "triggers/t.yaml": "name: t\n",
        "aliases/a.yaml": "name: a\naction_ref: core.noop\nformats: [x]\n",
        "policies/p.yaml": POLICY,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    loaded = PackFolders(folders.runners, folders.roots).load()
    assert loaded.packs[0].counts == {
        "actions": 1, "policies": 1, "aliases": 1, "rules": 1, "sensors": 1, "triggers": 1,
    }  # fmt: skip
    assert [text for _, text in loaded.faults] == [f"{folder / 'rules' / 'off.yml'}: 'trigger' is a required property"]


def test_yaml_that_grows_without_end_is_left_out(folders: Folders) -> None:
    bomb = "name: bad\nrunner_type: noop\nparameters:\n  a: &a {default: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]}\n"
    for level in "bcdefgh":
        bomb += f"  {level}: &{level} {{default: [{', '.join([f'*{chr(ord(level) - 1)}'] * 10)}]}}\n"
    folders.pack("tools", bad=bomb)
    assert folders.actions("tools") == ["tools.good"]
    assert "its *aliases expand to more than 200000 values" in faults(folders)[0]


def test_huge_and_deep_files_are_left_out(folders: Folders) -> None:
    folders.pack("tools", huge="#" * (5 << 20), deep="a: " + "[" * 100_000)
    assert folders.actions("tools") == ["tools.good"]
    assert "the limit for metadata is" in " ".join(faults(folders))


def test_a_link_out_of_the_pack_is_left_out(folders: Folders, tmp_path: Path) -> None:
    folder = folders.pack("tools")
    (tmp_path / "outside.yaml").write_text("name: outside\nrunner_type: noop\n")
    (folder / "actions" / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    assert folders.actions("tools") == ["tools.good"]
    assert "the link leads to a file outside of the pack" in faults(folders)[0]


def test_only_the_packs_that_are_asked_for_are_looked_into(folders: Folders) -> None:
    folders.pack("tools")
    folders.pack("more", bad="name: 5\n")
    loaded = PackFolders(folders.runners, folders.roots).load(["tools"])
    assert [found.pack.ref for found in loaded.packs] == ["tools"]
    assert (loaded.faults, sorted(loaded.refs)) == ([], ["more", "tools"])


def test_a_pack_that_cannot_be_read_now_is_still_there(folders: Folders) -> None:
    folders.pack("tools", "name: [")
    loaded = PackFolders(folders.runners, folders.roots).load()
    assert (loaded.packs, loaded.refs) == ([], ["tools"])


def test_two_packs_of_one_name_in_one_folder_are_told(folders: Folders) -> None:
    folders.pack("a", "name: One\nref: same\n")
    second = folders.pack("b", "name: Two\nref: same\n")
    loaded = PackFolders(folders.runners, folders.roots).load()
    assert [found.pack.name for found in loaded.packs] == ["One"]
    assert loaded.faults == [("b", f'{second / "pack.yaml"}: the pack "same" is in {second.parent / "a"} already')]


def test_what_is_hardly_meant_is_told_and_used_as_it_is(folders: Folders, complaints: Callable[[], str]) -> None:
    doubtful = "name: odd\nrunner_type: noop\nparameters:\n  a: {type: string}\n  a: {type: integer, default: x}\n"
    folder = folders.pack("tools", "name: tools\nversoin: 1\n", odd=doubtful)
    (folder / "aliases").mkdir()
    (folder / "aliases" / "a.yaml").write_text("name: a\naction_ref: tools.odd\nformats: ['{{x}} {{x}}']\n")
    loaded = PackFolders(folders.runners, folders.roots).load()
    assert loaded.faults == []
    assert folders.actions("tools") == ["tools.good", "tools.odd"]
    assert [message.removeprefix(f"{folder}/").partition(";")[0] for _, message in loaded.doubts] == [
        "pack.yaml:2: versoin: this word is not known here",
        "actions/odd.yaml:5: parameters.a: this key is in line 4 already",
        "actions/odd.yaml:5: parameters.a.default: 'x' is not of type 'integer'",
        'aliases/a.yaml:3: formats: the parameter "x" is more than once in the format "{{x}} {{x}}"',
    ]
    assert "versoin" in complaints()


def test_packs_that_come_with_squall_are_not_replaced_and_one_warning_names_the_others(
    tmp_path: Path, complaints: Callable[[], str], caplog: pytest.LogCaptureFixture
) -> None:
    bundled, other = tmp_path / "bundled", tmp_path / "stackstorm"
    for root, refs in ((bundled, ("core", "packs", "examples")), (other, ("core", "packs", "examples", "linux"))):
        for ref in refs:
            (root / ref).mkdir(parents=True)
            (root / ref / "pack.yaml").write_text(f"name: {ref}\n")
    (other / "core").rename(other / "renamed")
    (other / "renamed" / "pack.yaml").write_text("ref: core\nname: core\n")
    source = PackFolders(bundled / "_runners", [other, bundled])
    folders = {found.pack.ref: Path(found.pack.path).parent for found in source.load().packs}
    assert folders == {"core": bundled, "packs": bundled, "examples": other, "linux": other}
    source.load()
    (record,) = caplog.records
    assert record.__dict__["paths"] == f"{other / 'packs'}, {other / 'renamed'}"
    (other / "packs" / "pack.yaml").unlink()
    source.load()
    assert len(caplog.records) == 2


@pytest.mark.parametrize("runner", ["windows-cmd", "windows-script", "mistral-v2", "cloudslang"])
def test_an_action_for_a_runner_of_stackstorm_that_is_lacking_leaves_its_pack_without_a_fault(
    folders: Folders, runner: str
) -> None:
    folders.pack("tools", windows=f"name: windows\nrunner_type: {runner}\n", typo="name: t\nrunner_type: windows-cmt\n")
    loaded = PackFolders(folders.runners, folders.roots).load()
    (found,) = loaded.packs
    assert [action.ref for action in found.actions] == ["tools.good"]
    ((pack, told),) = loaded.lacking
    assert pack == "tools"
    assert f'actions/windows.yaml:2: runner_type: this server has no runner "{runner}": ' in told
    assert ["typo.yaml" in text for _, text in loaded.faults] == [True]


def test_a_server_with_a_plug_in_runs_what_others_leave_out(folders: Folders) -> None:
    (folders.runners / "more.yaml").write_text("- name: windows-cmd\n  runner_module: windows\n")
    folders.pack("tools", windows="name: windows\nrunner_type: windows-cmd\n")
    assert folders.actions("tools") == ["tools.good", "tools.windows"]
