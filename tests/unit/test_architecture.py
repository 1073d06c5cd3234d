"""The rules the code base keeps by machine: which ring may import which, what is pure, and how large things may get.

`docs/ARCHITECTURE.md` says why. The rules themselves are in `architecture.py`,
and are tested below on source that breaks them.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.architecture import (
    BANNED_NAMES,
    CROWDED,
    MAX_CLASS,
    MAX_FILE,
    MAX_FUNCTION,
    MOST_FILES,
    MOST_METHODS,
    NEEDS_TEST,
    PACKAGE,
    ROOT,
    STANDARD_LIBRARY_ONLY,
    TOO_LARGE,
    TOO_MANY_METHODS,
    WRITES_FILES,
    Source,
    cycles,
    docstring_complaints,
    imports,
    module_edges,
    nodes,
    package,
    protocol_complaints,
    protocols,
    purity_complaints,
    ring_complaints,
    room_complaints,
    size_complaints,
    sizes,
    source,
    sources,
    sql_complaints,
    writing_complaints,
)


def no_complaints(rule: Callable[[Source], Iterator[str]], files: list[Source]) -> None:
    complaints = [complaint for each in files for complaint in rule(each)]
    assert not complaints, "\n" + "\n".join(complaints)


def test_every_ring_imports_only_what_the_table_allows() -> None:
    no_complaints(ring_complaints, package())


def test_core_is_pure() -> None:
    no_complaints(purity_complaints, [each for each in package() if each.ring == "core"])


@pytest.mark.parametrize("name", STANDARD_LIBRARY_ONLY)
def test_what_the_keeper_loads_imports_the_standard_library_only(name: str) -> None:
    [where] = [each for each in package() if each.path == f"src/squall/{name}"]
    ours = {f"squall.{path.removesuffix('.py').replace('/', '.')}" for path in STANDARD_LIBRARY_ONLY}
    foreign = [
        name
        for name, _ in imports(where)
        if name.partition(".")[0] not in sys.stdlib_module_names and not any(name.startswith(each) for each in ours)
    ]
    assert foreign == []


def test_what_packs_import_needs_nothing_of_squall_and_little_else() -> None:
    """It runs under the interpreter of a pack's virtualenv. Jinja2 and PyYAML are asked for by those who have them."""
    compat = [each for each in sources("src/squall") if each.ring == "compat"]
    own = {Path(each.path).relative_to("src/squall/compat").parts[0].removesuffix(".py") for each in compat}
    allowed = own | set(sys.stdlib_module_names) | {"jinja2", "yaml", "squall"}
    for each in compat:
        for name, line in imports(each):
            top = name.partition(".")[0]
            assert top in allowed, f"{each.path}:{line}: {name}"
            assert top != "squall" or name.startswith("squall.compat."), f"{each.path}:{line}: {name}"


def test_no_module_imports_itself_through_others() -> None:
    assert cycles(module_edges(package())) == []


def test_files_and_functions_keep_their_size() -> None:
    no_complaints(size_complaints, list(sources("src", "tests", "bench")))


def test_protocols_have_few_methods() -> None:
    no_complaints(protocol_complaints, package())


def test_rooms_import_only_what_stands_before_them() -> None:
    no_complaints(room_complaints, package())


def test_a_folder_holds_few_files() -> None:
    counts = Counter(Path(each.path).parent.as_posix() for each in package() if not each.path.endswith("__init__.py"))
    crowded = {folder: count for folder, count in counts.items() if count > CROWDED.get(folder, MOST_FILES)}
    assert crowded == {}
    assert {folder: counts[folder] for folder in CROWDED} == CROWDED, "write the number, or take the entry out"
    assert min(CROWDED.values(), default=MOST_FILES + 1) > MOST_FILES


def test_the_top_of_the_package_has_folders_and_two_files_only() -> None:
    files = {path.name for path in PACKAGE.iterdir() if path.is_file()}
    assert files == {"__init__.py", "__main__.py", "app.py", "py.typed"}


def test_the_lists_of_what_is_too_large_only_shrink() -> None:
    now: dict[str, tuple[int, int]] = {}
    for each in sources("src", "tests", "bench"):
        for name, lines, limit in sizes(each):
            now[name] = max((lines, limit), now.get(name, (0, limit)))
        now |= {f"{name}()": (methods, MOST_METHODS) for name, methods in protocols(each)}
    listed = TOO_LARGE | {f"{name}()": methods for name, methods in TOO_MANY_METHODS.items()}
    for name, allowed in listed.items():
        size, limit = now.get(name, (0, 0))
        assert size > limit, f"{name} fits now (or is gone): take its entry out"
        assert size == allowed, f"{name} has {size}: write that number into its entry"


def test_no_module_has_a_name_that_says_nothing() -> None:
    named = {each.path: set(Path(each.path).with_suffix("").parts) & BANNED_NAMES for each in package()}
    assert {path: words for path, words in named.items() if words} == {}


def test_sql_is_written_in_its_adapter_only() -> None:
    no_complaints(sql_complaints, [each for each in package() if not each.path.startswith("src/squall/adapters/sql/")])


def test_files_that_must_survive_a_loss_of_power_are_written_in_one_place() -> None:
    no_complaints(writing_complaints, [each for each in package() if each.ring != "testing"])
    names = {each.path for each in package()}
    assert set(WRITES_FILES) <= names, "an exception is about a file that is gone"


def test_everything_public_says_what_it_means() -> None:
    no_complaints(docstring_complaints, list(sources("src")))


def test_every_file_with_logic_in_core_and_services_has_tests_of_its_own() -> None:
    missing = []
    for each in package():
        has_logic = any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in nodes(each.tree))
        if each.ring in {"core", "services"} and has_logic and len(each.text.splitlines()) > NEEDS_TEST:
            below = Path(each.path).relative_to("src/squall")
            test = Path("tests/unit") / below.parent / f"test_{below.name}"
            if not (ROOT / test).is_file():
                missing.append(test.as_posix())
    assert not missing, "\n" + "\n".join(missing)


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (ring_complaints, "src/squall/core/a.py", "from squall.services import b"),
        (ring_complaints, "src/squall/core/a.py", "from squall import services"),
        (ring_complaints, "src/squall/core/a.py", "from ..services import b"),
        (ring_complaints, "src/squall/core/a.py", "import squall.config"),
        (ring_complaints, "src/squall/core/__init__.py", "from ..api import b"),
        (ring_complaints, "src/squall/adapters/sql/a.py", "from squall.adapters.bus import b"),
        (ring_complaints, "src/squall/adapters/sql/a.py", "from squall.adapters.sqlite import b"),
        (ring_complaints, "src/squall/api/a.py", "def f():\n    from squall.ports import Store"),
        (ring_complaints, "src/squall/cli/a.py", "from squall.api import b"),
        (ring_complaints, "src/squall/client/a.py", "from squall.cli import b"),
        (ring_complaints, "src/squall/newring/a.py", ""),
        (room_complaints, "src/squall/core/a.py", "from squall.core.access.secret import MASK"),
        (room_complaints, "src/squall/core/access/a.py", "from squall.core.execution import execution"),
        (room_complaints, "src/squall/core/access/a.py", "def f():\n    import squall.core.execution.execution"),
        (room_complaints, "src/squall/core/newroom/a.py", ""),
        (room_complaints, "src/squall/adapters/sql/content/a.py", "from squall.adapters.sql import sqlite"),
        (
            protocol_complaints,
            "src/squall/a.py",
            "class P(Protocol):\n" + "    def f(self): ...\n" * 11,
        ),
        (size_complaints, "src/squall/a.py", "class C:\n" + "    x = 1\n" * MAX_CLASS),
        (purity_complaints, "src/squall/core/a.py", "import os.path"),
        (purity_complaints, "src/squall/core/a.py", "from time import time"),
        (purity_complaints, "src/squall/core/a.py", "def f():\n    open('x')"),
        (purity_complaints, "src/squall/core/a.py", "x = datetime.now()"),
        (purity_complaints, "src/squall/core/a.py", "async def f(): ..."),
        (size_complaints, "src/squall/a.py", "\n" * (MAX_FILE + 1)),
        (size_complaints, "src/squall/a.py", "def f():\n" + "    x = 1\n" * MAX_FUNCTION),
        (sql_complaints, "src/squall/services/a.py", "x = 'SELECT 1'"),
        (sql_complaints, "src/squall/services/a.py", "x = f'DELETE FROM {t}'"),
        (sql_complaints, "src/squall/services/a.py", "x = f'UPDATE {t} SET a = 1'"),
        (sql_complaints, "src/squall/services/a.py", "x = '''\n  CREATE TABLE t (a)'''"),
        (writing_complaints, "src/squall/a.py", "open(path, 'w')"),
        (writing_complaints, "src/squall/a.py", "path.open('ab')"),
        (writing_complaints, "src/squall/a.py", "path.write_text('')"),
        (writing_complaints, "src/squall/a.py", "os.open(path, os.O_WRONLY)"),
        (writing_complaints, "src/squall/a.py", "link.symlink_to(target)"),
        (docstring_complaints, "src/squall/a.py", "x = 1"),
        (docstring_complaints, "src/squall/a.py", "'''M.'''\ndef f(): ..."),
        (docstring_complaints, "src/squall/a.py", "'''M.'''\nclass C:\n    '''C.'''\n    def f(self): ..."),
    ],
)
def test_a_rule_complains_about_what_breaks_it(rule: Callable[[Source], Iterator[str]], path: str, text: str) -> None:
    assert list(rule(source(path, text)))


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (ring_complaints, "src/squall/core/a.py", "from squall import __version__\nimport squall\nimport msgspec"),
        (ring_complaints, "src/squall/adapters/sql/a.py", "from squall.adapters.sql import b\nfrom .c import d"),
        (ring_complaints, "src/squall/config.py", "from squall.adapters.sql import b"),
        (ring_complaints, "src/squall/testing/a.py", "from squall.api import b"),
        (
            room_complaints,
            "src/squall/core/content/a.py",
            "from squall.core.access import secret",
        ),
        (room_complaints, "src/squall/services/content/a.py", "from squall.core.workflow.chain import b"),
        (room_complaints, "src/squall/adapters/bus/a.py", "from squall.adapters.bus import b"),
        (purity_complaints, "src/squall/core/a.py", "import struct, zlib\nfrom datetime import datetime"),
        (sql_complaints, "src/squall/api/a.py", "x = ['DELETE', 'UPDATE of a row', 'Select one', 'DELETE /v1/x']"),
        (writing_complaints, "src/squall/a.py", "open(path, 'rb')\nos.open(path, os.O_RDONLY)\nopen('w.txt')"),
        (docstring_complaints, "src/squall/a.py", "'''M.'''\ndef _f(): ...\nclass _C:\n    def f(self): ..."),
    ],
)
def test_a_rule_is_silent_about_what_keeps_it(rule: Callable[[Source], Iterator[str]], path: str, text: str) -> None:
    assert list(rule(source(path, text))) == []


def test_cycles_are_found_at_any_length_and_only_where_they_are() -> None:
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert cycles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
    assert cycles({"a": {"a"}}) == [["a"]]
