"""Where packs come from: what is written is understood, and nothing hostile gets out of its folder."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from squall.adapters.installing.sources import PackRequest, check_tree, fetch, parse
from squall.core.errors import InvalidError

PACK = "name: p\nref: p\ndescription: d\nversion: 1.0.0\nauthor: a\n"


def write_pack(folder: Path) -> Path:
    (folder / "actions").mkdir(parents=True)
    (folder / "pack.yaml").write_text(PACK)
    (folder / "actions" / "run.sh").write_text("#!/bin/sh\n")
    (folder / "actions" / "run.sh").chmod(0o755)
    return folder


def fetched(source: str, into: Path, version: str | None = None) -> Path:
    fetch(PackRequest(source, version), into, lambda name: None, dict(os.environ))
    return into


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("aws", ("aws", None)),
        ("aws=1.2.3", ("aws", "1.2.3")),
        ("owner/repo=main", ("owner/repo", "main")),
        ("https://host/x/y.git", ("https://host/x/y.git", None)),
        ("https://host/x/y.git=v1", ("https://host/x/y.git", "v1")),
        ("git@host:x/y.git=feature", ("git@host:x/y.git", "feature")),
        ("file:///a/b=abc123", ("file:///a/b", "abc123")),
    ],
)
def test_a_version_stands_behind_an_equals_sign(text: str, wanted: tuple[str, str | None]) -> None:
    assert parse(text) == wanted


@pytest.mark.parametrize("text", ["", "=1.0", "--upload-pack=x", "aws=--x"])
def test_what_names_no_pack_is_told(text: str) -> None:
    with pytest.raises(InvalidError, match="is not a source of a pack"):
        parse(text)


def test_folders_and_archives_are_taken_as_they_are(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "from" / "p")
    with tarfile.open(tmp_path / "p.tar.gz", "w:gz") as tar:
        tar.add(folder, "p-1.0")
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        for path in folder.rglob("*"):
            archive.write(path, str(path.relative_to(folder)))
    for number, source in enumerate(
        (str(folder), folder.as_uri(), str(tmp_path / "p.tar.gz"), str(tmp_path / "p.zip"))
    ):
        into = fetched(source, tmp_path / f"into{number}")
        assert (into / "pack.yaml").read_text() == PACK
        assert (into / "actions" / "run.sh").stat().st_mode & 0o111


def test_a_repository_gives_branches_tags_and_commits(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "p")
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "one"], ["tag", "v1.0.0"]):
        subprocess.run([*git, *words], check=True)
    (folder / "second").touch()
    for words in (["add", "."], ["commit", "-qm", "two"]):
        subprocess.run([*git, *words], check=True)
    first = subprocess.run([*git, "rev-parse", "v1.0.0"], check=True, capture_output=True, text=True).stdout.strip()
    has = {None: True, "main": True, "v1.0.0": False, "1.0.0": False, first: False}
    for number, (version, second) in enumerate(has.items()):
        into = fetched(str(folder), tmp_path / f"into{number}", version)
        assert (into / "second").exists() is second, version
    with pytest.raises(InvalidError, match=r"Available versions are: 1\.0\.0\."):
        fetched(str(folder), tmp_path / "other", "nosuch")


def test_nothing_is_extracted_outside(tmp_path: Path) -> None:
    for name in ("../outside", "/tmp/squall-outside", "a/../../outside"):
        data = io.BytesIO(b"x")
        with tarfile.open(tmp_path / "bad.tar", "w") as tar:
            info = tarfile.TarInfo(name)
            info.size = 1
            tar.addfile(info, data)
        with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
            archive.writestr(name, "x")
        for kind in ("tar", "zip"):
            with pytest.raises(InvalidError):
                fetched(str(tmp_path / f"bad.{kind}"), tmp_path / "into" / "p")
    assert not (tmp_path / "outside").exists()
    assert not (tmp_path / "into" / "outside").exists()


@pytest.mark.parametrize("source", ["no such name", "ftp", "/nowhere/at/all", "./nothing"])
def test_what_is_nowhere_is_told(tmp_path: Path, source: str) -> None:
    with pytest.raises(InvalidError):
        fetched(source, tmp_path / "into")


def test_archives_that_are_none_and_folders_that_are_no_packs_are_told(tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"PK nothing")
    (tmp_path / "bad.tar.gz").write_bytes(b"\x1f\x8b")
    (tmp_path / "empty").mkdir()
    for name, told in (
        ("bad.zip", "cannot be extracted"),
        ("bad.tar.gz", "cannot be extracted"),
        ("empty", "pack.yaml"),
    ):
        with pytest.raises(InvalidError, match=told):
            fetched(str(tmp_path / name), tmp_path / f"into-{name}")


def test_links_out_of_a_pack_and_huge_files_are_told(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "p")
    (folder / "inside").symlink_to("actions/run.sh")
    check_tree(folder, 1000)
    (folder / "large").write_bytes(b"x" * 1001)
    with pytest.raises(InvalidError, match="large: the file has 1001 bytes"):
        check_tree(folder, 1000)
    (folder / "large").unlink()
    (folder / "actions" / "out").symlink_to("/etc")
    with pytest.raises(InvalidError, match="actions/out: the link leads out of the pack"):
        check_tree(folder, 1000)


def test_a_pack_that_is_a_link_in_its_archive_is_refused(tmp_path: Path) -> None:
    outside = write_pack(tmp_path / "outside")
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "p").symlink_to(outside)
    with pytest.raises(InvalidError, match=r"pack\.yaml is missing"):
        fetched(str(repository), tmp_path / "into")
    assert (outside / "pack.yaml").exists()


@pytest.mark.parametrize("text", ["a\0b", "a\nb", "https://host/x\r"])
def test_a_source_with_control_characters_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="is not a source of a pack"):
        parse(text)


def test_submodules_of_a_repository_come_with_it_also_those_of_a_version(tmp_path: Path) -> None:
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always"]
    for name in ("inner", "outer"):
        (tmp_path / name).mkdir()
        subprocess.run([*git, "init", "-q", "-b", "main", str(tmp_path / name)], check=True, env=env)
    (tmp_path / "inner" / "code.py").write_text("VALUE = 1\n")
    (tmp_path / "outer" / "pack.yaml").write_text("name: outer\n")
    for name in ("inner", "outer"):
        subprocess.run([*git, "add", "."], check=True, env=env, cwd=tmp_path / name)
        subprocess.run([*git, "commit", "-qm", "one"], check=True, env=env, cwd=tmp_path / name)
    words = [*git, "submodule", "--quiet", "add", "../inner", "actions/lib/inner"]
    subprocess.run(
        ["git", "remote", "add", "origin", str(tmp_path / "outer")], check=True, env=env, cwd=tmp_path / "outer"
    )
    subprocess.run(words, check=True, env=env, cwd=tmp_path / "outer")
    subprocess.run([*git, "commit", "-qm", "two"], check=True, env=env, cwd=tmp_path / "outer")
    subprocess.run([*git, "tag", "v1.0.0"], check=True, env=env, cwd=tmp_path / "outer")
    for number, version in enumerate((None, "1.0.0")):
        into = tmp_path / f"into{number}"
        fetch(PackRequest(f"file://{tmp_path / 'outer'}", version), into, lambda name: None, env)
        assert (into / "actions" / "lib" / "inner" / "code.py").read_text() == "VALUE = 1\n"
