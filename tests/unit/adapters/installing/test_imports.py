"""What a pack runs is imported once: what fails is told, and nothing a file does there harms the others."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from squall.adapters.installing.imports import Limits, import_faults


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    for folder in ("actions/lib", "sensors"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def add(
    pack: Path, name: str, code: str, kind: str = "actions", entry: str = "", runner: str = "python-script"
) -> None:
    called = "class_name" if kind == "sensors" else "name"
    about = f"{called}: {name}\nentry_point: {entry or name}.py\nrunner_type: {runner}\n"
    (pack / kind / f"{name}.yaml").write_text(about)
    if code:
        (pack / kind / f"{entry or name}.py").write_text(code)


def faults(pack: Path, limits: Limits | None = None) -> list[str]:
    return import_faults(pack, sys.executable, os.environ, limits or Limits())


def test_what_can_be_imported_is_not_told(pack: Path) -> None:
    (pack / "actions" / "lib" / "inner.py").write_text("")
    (pack / "actions" / "beside.py").write_text("print('noise')")
    add(pack, "good", "import inner, beside\nfrom st2common.runners.base_action import Action\n")
    add(pack, "Sensor", "from st2reactor.sensor.base import Sensor\n", "sensors")
    add(pack, "shell", "import nosuch", runner="local-shell-script")
    add(pack, "missing", "")
    assert faults(pack) == []


def test_each_entry_point_that_fails_is_told_once_with_all_that_run_it(pack: Path) -> None:
    add(pack, "a", "import nosuch")
    for name in "bcdefg":
        add(pack, name, "", entry="a")
    add(pack, "Sensor", "1 / 0", "sensors")
    assert faults(pack) == [
        "actions/a.py cannot be imported (actions: a, b, c, d, e and 2 more): "
        "ModuleNotFoundError: No module named 'nosuch'",
        "sensors/Sensor.py cannot be imported (sensors: Sensor): ZeroDivisionError: division by zero",
    ]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("import os; os._exit(0)", "it ends its process"),
        ("import threading; threading.Event().wait()", "it takes too long"),
        ("import os; os.write(1, b'{]\\n'); os.close(1); raise OSError('x')", "OSError: x"),
        ("(", "SyntaxError: '(' was never closed (b.py, line 1)"),
    ],
)
def test_a_file_that_misbehaves_does_not_hide_the_others(pack: Path, code: str, told: str) -> None:
    add(pack, "a", "import nosuch1")
    add(pack, "b", code)
    add(pack, "c", "import nosuch2")
    lines = faults(pack, Limits(one=2))
    assert ["nosuch1" in lines[0], "nosuch2" in lines[2], len(lines)] == [True, True, 3]
    assert lines[1].startswith("actions/b.py cannot be imported (actions: b): ")
    assert told.partition(" (")[0] in lines[1]


def test_what_fails_only_beside_others_is_no_fault(pack: Path) -> None:
    add(pack, "a", "import sys; sys.modules['json'] = None")
    add(pack, "b", "import json")
    assert faults(pack) == []


def test_files_for_which_no_time_is_left_are_told(pack: Path) -> None:
    add(pack, "a", "")
    add(pack, "b", "import json")
    (line,) = faults(pack, Limits(all=0))
    assert line.endswith("it was not tried, as the others took too long")


def test_an_entry_point_outside_of_the_pack_is_not_imported(pack: Path) -> None:
    add(pack, "a", "", entry="../../outside")
    (pack.parent / "outside.py").write_text("raise ValueError")
    assert faults(pack) == []
