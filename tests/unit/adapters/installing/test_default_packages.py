"""The packages every pack may import: one folder per interpreter, made once, and better later if it is incomplete."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from squall.adapters.installing.default_packages import PACKAGES, DefaultPackages, link

INSTALLER = """
import os, pathlib, sys
calls, folder, *packages = sys.argv[1:]
with open(calls, "a") as file: print(len(packages), file=file)
lacking = os.environ.get("LACKING", "").split()
if set(packages) & set(lacking): sys.exit(1)
for name in packages: pathlib.Path(folder, name.partition("<")[0].partition(">")[0] + ".py").touch()
"""


class Site:
    """A data directory, and an installer that writes down how many packages each of its calls is for."""

    def __init__(self, folder: Path) -> None:
        self.calls = folder / "calls"
        self.calls.touch()
        self.packages = DefaultPackages(folder / "packages")

    def provide(self, lacking: str = "") -> Path:
        """The folder, where the packages `lacking` cannot be had."""
        command = [sys.executable, "-c", INSTALLER, str(self.calls)]
        env = {**os.environ, "LACKING": lacking}
        return self.packages.provide(sys.executable, lambda folder: [*command, str(folder)], env)

    def installs(self) -> list[int]:
        """How many packages each call was for."""
        return [int(line) for line in self.calls.read_text().split()]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_the_folder_is_made_once(site: Site) -> None:
    folder = site.provide()
    assert (folder / "six.py").is_file()
    assert site.provide() == folder
    assert site.installs() == [len(PACKAGES)]


def test_two_that_need_it_at_once_make_it_once(site: Site) -> None:
    threads = [threading.Thread(target=site.provide) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert site.installs() == [len(PACKAGES)]


def test_what_cannot_be_had_is_told_and_is_there_once_it_can_be_had(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = site.provide(lacking="paramiko")
    assert (folder / "six.py").is_file()
    assert "WARNING: paramiko cannot be had" in capsys.readouterr().out
    assert site.provide(lacking="six") == folder
    assert (folder / "six.py").is_file()
    assert "WARNING: paramiko cannot be had" in capsys.readouterr().out
    assert site.provide() == folder
    assert (folder / "paramiko.py").is_file()
    assert "WARNING" not in capsys.readouterr().out


def test_a_later_installation_without_a_network_tries_all_at_once_only(site: Site) -> None:
    every = " ".join(PACKAGES)
    site.provide(lacking=every)
    assert site.installs() == [len(PACKAGES)] + [1] * len(PACKAGES)
    site.provide(lacking=every)
    assert site.installs()[1 + len(PACKAGES) :] == [len(PACKAGES)]


def test_a_virtualenv_imports_them_behind_everything_else(tmp_path: Path) -> None:
    virtualenv, packages = tmp_path / "virtualenv", tmp_path / "packages"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(virtualenv)], check=True)
    (site_packages,) = virtualenv.glob("lib/python3*/site-packages")
    for folder, names in ((packages, ("both", "only")), (site_packages, ("both",))):
        folder.mkdir(exist_ok=True)
        for name in names:
            (folder / f"{name}.py").touch()
    link(virtualenv, packages)
    program = "import both, only, sys; print(both.__file__, only.__file__, sys.path[-1], sep='\\n')"
    printed = subprocess.run([virtualenv / "bin" / "python", "-c", program], capture_output=True, text=True, check=True)
    assert printed.stdout.split() == [str(site_packages / "both.py"), str(packages / "only.py"), str(packages)]
