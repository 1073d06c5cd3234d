"""The rules the code base keeps by machine: which ring may import which, what is pure, and how large things may get.

`docs/ARCHITECTURE.md` says why. Each rule is a function from source to complaints, so that the rules themselves are
tested below on source that breaks them.
"""

from __future__ import annotations

import ast
import gc
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "squall"

RINGS = {
    # ring: rings it may import; "own" is its own folder: adapters/sql may import adapters/sql, not adapters/bus.
    "core": {"core"},
    "ports": {"core", "ports"},
    "services": {"core", "ports", "services"},
    "adapters": {"core", "ports", "own"},
    "roles": {"core", "ports", "services"},
    "api": {"core", "services", "api"},
    "installing": {"core", "installing"},
    "client": {"core", "client"},
    "cli": {"core", "client", "cli", "installing"},
}
APP = set(
    """
    app authoring skeleton backup values wiring conducting linereader __main__ datadir survival plugins config logs demo
    testing users
    """.split()  # noqa: SIM905 - as below
)

MAX_FILE = 400
MAX_FUNCTION = 60
TOO_LARGE: dict[str, int] = {
    # "src/squall/x.py" or "src/squall/x.py:function": its lines. An entry may only shrink, and goes when it fits.
}

IMPURE = set(
    """
    asyncio concurrent fcntl http io logging mmap multiprocessing os pathlib queue random secrets select selectors
    shutil signal socket socketserver sqlite3 ssl subprocess tempfile threading time urllib uuid
    """.split()  # noqa: SIM905 - a paragraph of names is easier to read than a column
)
IMPURE_CALLS = {"open", "print", "input", "now", "utcnow", "today"}
STANDARD_LIBRARY_ONLY = (
    "core/journal.py", "core/secret.py", "core/masking.py", "core/mask_forms.py", "core/tagged.py",
)  # fmt: skip
BANNED_NAMES = {"base", "common", "helper", "helpers", "manager", "managers", "misc", "shared", "util", "utils"}
SQL = re.compile(
    r"\s*(SELECT\s|INSERT\s+(INTO|OR)\s|UPDATE\s*$|UPDATE\s+\S+\s+SET\s|DELETE\s+FROM\s|CREATE\s+(TABLE|\w*\s*INDEX)\s)"
)
NEEDS_TEST = 60


class Source(NamedTuple):
    """A file: its path below the repository, its text, and the text parsed."""

    path: str
    text: str
    tree: ast.Module

    @property
    def module(self) -> str:
        """The dotted name it is imported by."""
        parts = Path(self.path).with_suffix("").parts
        parts = parts[1:] if parts[0] == "src" else parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def ring(self) -> str:
        """The second word of its dotted name; empty for the package itself."""
        return [*self.module.split("."), ""][1]


@cache
def nodes(tree: ast.Module) -> tuple[ast.AST, ...]:
    """Every node of a file; each rule looks at them."""
    return tuple(ast.walk(tree))


def source(path: str, text: str) -> Source:
    return Source(path, text, ast.parse(text))


@cache
def sources(*folders: str) -> tuple[Source, ...]:
    files = [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]
    # Most of the time would be spent on looking for garbage among half a million nodes that stay.
    gc.disable()
    try:
        found = tuple(source(file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")) for file in files)
        for each in found:
            nodes(each.tree)
        gc.freeze()
    finally:
        gc.enable()
    return found


def package() -> list[Source]:
    """The modules of Squall. Packs are data that comes with it: nobody imports their scripts. What packs import
    (`compat`) has the names that packs give it, and a rule of its own."""
    return [each for each in sources("src/squall") if each.ring not in {"packs", "compat"}]


def imports(where: Source) -> Iterator[tuple[str, int]]:
    """The dotted names it imports, lazily or not, with their lines; `from a import b` gives `a.b`."""
    for node in nodes(where.tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = where.module.split(".")
            depth = node.level - where.path.endswith("__init__.py")
            above = start[: len(start) - depth] if node.level else []
            stem = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((f"{stem}.{alias.name}", node.lineno) for alias in node.names)


def ring_complaints(where: Source) -> Iterator[str]:
    if where.ring in APP or where.module == "squall":
        return
    if where.ring not in RINGS:
        yield f"{where.path}: {where.ring} is no ring; see RINGS and APP"
        return
    allowed = RINGS[where.ring]
    own = ".".join(where.module.split(".")[:3])
    for name, line in imports(where):
        first, _, rest = name.partition(".")
        ring = rest.partition(".")[0]
        if first != "squall" or ring in allowed or ring not in {*RINGS, *APP}:
            continue
        if "own" in allowed and (name + ".").startswith(own + "."):
            continue
        yield f"{where.path}:{line}: {where.ring} may not import {name}"


def purity_complaints(where: Source) -> Iterator[str]:
    for name, line in imports(where):
        if name.partition(".")[0] in IMPURE:
            yield f"{where.path}:{line}: core may not import {name}"
    for node in nodes(where.tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield f"{where.path}:{node.lineno}: core is not async"
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in IMPURE_CALLS:
                yield f"{where.path}:{node.lineno}: core may not call {called}()"


def size_complaints(where: Source) -> Iterator[str]:
    sizes = [(where.path, len(where.text.splitlines()), MAX_FILE)]
    for node in nodes(where.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            sizes.append((f"{where.path}:{node.name}", lines, MAX_FUNCTION))
    for name, lines, limit in sizes:
        if lines > TOO_LARGE.get(name, limit):
            yield f"{name} has {lines} lines, {limit} are allowed"


def sql_complaints(where: Source) -> Iterator[str]:
    for node in nodes(where.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.match(node.value):
            yield f"{where.path}:{node.lineno}: SQL belongs in adapters/sql"


def docstring_complaints(where: Source) -> Iterator[str]:
    lines = where.text.splitlines()

    def below(body: list[ast.stmt]) -> Iterator[str]:
        for node in body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
                continue
            names = {getattr(mark, "id", getattr(mark, "attr", "")) for mark in node.decorator_list}
            excused = names & {"overload", "override", "setter"} or "noqa: D10" in lines[node.body[0].lineno - 1]
            if not ast.get_docstring(node) and not excused:
                yield f"{where.path}:{node.lineno}: {node.name} has no docstring"
            if isinstance(node, ast.ClassDef):
                yield from below(node.body)

    if where.text.strip() and not ast.get_docstring(where.tree):
        yield f"{where.path}:1: the module has no docstring"
    yield from below(where.tree.body)


def cycles(edges: dict[str, set[str]]) -> list[list[str]]:
    """The groups of modules that import each other, directly or not (Tarjan's algorithm)."""
    found: list[list[str]] = []
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []

    def visit(name: str) -> None:
        order[name] = low[name] = len(order)
        stack.append(name)
        for other in edges.get(name, ()):
            if other not in order:
                visit(other)
            if other in stack:
                low[name] = min(low[name], low[other])
        if low[name] == order[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1 or name in edges.get(name, ()):
                found.append(sorted(group))

    for name in sorted(edges):
        if name not in order:
            visit(name)
    return found


def module_edges(files: list[Source]) -> dict[str, set[str]]:
    names = {each.module for each in files}
    edges: dict[str, set[str]] = {name: set() for name in names}
    for each in files:
        for name, _ in imports(each):
            target = name if name in names else name.rpartition(".")[0]
            if target in names:
                edges[each.module].add(target)
    return edges


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


def test_the_list_of_what_is_too_large_only_shrinks() -> None:
    now = {}
    for each in sources("src", "tests", "bench"):
        now[each.path] = len(each.text.splitlines())
        for node in nodes(each.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                now[f"{each.path}:{node.name}"] = (node.end_lineno or 0) - node.lineno + 1
    for name, allowed in TOO_LARGE.items():
        limit = MAX_FUNCTION if ":" in name else MAX_FILE
        assert now.get(name, 0) > limit, f"{name} fits now (or is gone): take its entry out"
        assert now[name] == allowed, f"{name} has {now[name]} lines: write that number into its entry"


def test_no_module_has_a_name_that_says_nothing() -> None:
    named = {each.path: set(Path(each.path).with_suffix("").parts) & BANNED_NAMES for each in package()}
    assert {path: words for path, words in named.items() if words} == {}


def test_sql_is_written_in_its_adapter_only() -> None:
    no_complaints(sql_complaints, [each for each in package() if not each.path.startswith("src/squall/adapters/sql/")])


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
        (purity_complaints, "src/squall/core/a.py", "import struct, zlib\nfrom datetime import datetime"),
        (sql_complaints, "src/squall/api/a.py", "x = ['DELETE', 'UPDATE of a row', 'Select one', 'DELETE /v1/x']"),
        (docstring_complaints, "src/squall/a.py", "'''M.'''\ndef _f(): ...\nclass _C:\n    def f(self): ..."),
    ],
)
def test_a_rule_is_silent_about_what_keeps_it(rule: Callable[[Source], Iterator[str]], path: str, text: str) -> None:
    assert list(rule(source(path, text))) == []


def test_cycles_are_found_at_any_length_and_only_where_they_are() -> None:
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert cycles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
    assert cycles({"a": {"a"}}) == [["a"]]
