"""The rules that the code base keeps, each a function from source to complaints: which ring and room may import which,
what is pure, and how large things may get. `test_architecture.py` applies them; `docs/ARCHITECTURE.md` says why.
"""

from __future__ import annotations

import ast
import gc
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

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
    "client": {"core", "client"},
    "cli": {"core", "client", "cli"},
}
APP = {"app", "__main__", "assembly", "commands", "config", "server", "testing"}
"""What puts a server together, starts it, or tests it: it may import everything."""

ROOMS = {
    # ring: its rooms in an order in which each imports only those before it; "" are the files beside the rooms.
    "core": (
        "", "event", "event.schedules", "event.webhooks", "access", "schema", "expr.bounds", "expr.filters", "expr",
        "output", "workflow.definition", "content", "event.rules", "event.gates", "event.timers", "event.rehearsals",
        "execution", "event.internal", "workflow", "workflow.conducting", "workflow.rehearsal",
    ),
    "ports": ("output", "tables", ""),
    "services": (
        "", "access", "content", "output", "event", "event.triggers", "execution", "execution.policy", "event.rules",
        "event.gates", "event.internal", "event.timers", "event.webhooks", "workflow",
    ),
    "api": (
        "http", "connection", "access", "content", "workflow", "execution", "output.forms", "output", "event",
        "event.hooks", "",
    ),
    "cli": ("terminal", "", "access", "output", "workflow", "execution", "content", "event"),
    "adapters.keeper": ("", "families", "process.writing", "process", "server"),
    "adapters.sql": ("dialect", "event", "access", "content", "output", "workflow", "execution", ""),
}  # fmt: skip
MOST_FILES = 12
CROWDED: dict[str, int] = {
    # Folders with more files. A number may only shrink, and goes when it fits.
}
REMOVING = "squall.adapters.removing."
"""The one module of the adapters that removes files; those that keep files share it."""
READING = "squall.adapters.reading."
"""The one module of the adapters that opens files whose paths somebody gives."""
DURABLE = "squall.adapters.durable."
"""The one module that writes files which survive a loss of power. Commands, too, store something: tokens."""

WRITES_FILES = {
    # Files that write files otherwise, and why a loss of power may take what they write, or how it does not.
    "src/squall/adapters/durable.py": "the one module that does it",
    "src/squall/adapters/installing/default_packages.py": "below a version, which is synced when it is staged",
    "src/squall/adapters/installing/interpreters.py": "below a version, which is synced when it is staged",
    "src/squall/adapters/installing/packs.py": "below a version, which is synced when it is staged",
    "src/squall/adapters/installing/sources.py": "below a version, which is synced when it is staged",
    "src/squall/adapters/installing/versions.py": "a lock; the link behind a folder that moves syncs its name",
    "src/squall/adapters/journal/lines/index.py": "a cache with checksums, which is made anew",
    "src/squall/adapters/keeper/families/cgroups.py": "the kernel's files",
    "src/squall/adapters/keeper/process/child.py": "flushed, with its name, before its end is told",
    "src/squall/adapters/keeper/process/keeper.py": "the kernel's files",
    "src/squall/adapters/keeper/process/writing/writer.py": "flushed, with its name, before its end is told",
    "src/squall/adapters/keeper/runlog.py": "flushed before an end is told",
    "src/squall/adapters/keeper/server/pool.py": "a log of errors",
    "src/squall/adapters/marks/file.py": "ignored after a loss of power",
    "src/squall/adapters/sql/output/seals.py": "SQLite's own file",
    "src/squall/adapters/sql/sqlite.py": "SQLite's own file",
    "src/squall/cli/main.py": "the null device",
    "src/squall/commands/authoring.py": "the folder of an author, who has it under version control",
    "src/squall/server/datadir.py": "a lock",
}
WRITING_CALLS = {"write_text", "write_bytes", "symlink_to", "hardlink_to", "rename", "touch", "copytree", "copyfile"}
WRITING_FLAGS = {"O_CREAT", "O_WRONLY"}
WRITING_MODES = re.compile(r"[wax]b?\+?")

MAX_FILE = 400
MAX_FUNCTION = 60
MAX_CLASS = 200
MOST_METHODS = 10
TOO_LARGE: dict[str, int] = {
    # "src/squall/x.py" or "src/squall/x.py:name": its lines. An entry may only shrink, and goes when it fits.
}
TOO_MANY_METHODS: dict[str, int] = {
    # "src/squall/ports/x.py:Protocol": its methods. An entry may only shrink, and goes when it fits.
}

IMPURE = set(
    """
    asyncio concurrent fcntl http io logging mmap multiprocessing os pathlib queue random secrets select selectors
    shutil signal socket socketserver sqlite3 ssl subprocess tempfile threading time urllib uuid
    """.split()  # noqa: SIM905 - a paragraph of names is easier to read than a column
)
PURE = {"pathlib.PurePath", "pathlib.PurePosixPath"}
IMPURE_CALLS = {"open", "print", "input", "now", "utcnow", "today"}
STANDARD_LIBRARY_ONLY = (
    "core/output/journal.py", "core/access/secret.py", "core/output/masking.py", "core/output/mask_forms.py",
    "core/output/tagged.py", "core/execution/process.py",
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
        parsed = tuple(source(file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")) for file in files)
        for each in parsed:
            nodes(each.tree)
        gc.freeze()
    finally:
        gc.enable()
    return parsed


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
        if where.ring == "adapters" and (name + ".").startswith((REMOVING, READING)):
            continue
        if where.ring in ("adapters", "cli") and (name + ".").startswith(DURABLE):
            continue
        yield f"{where.path}:{line}: {where.ring} may not import {name}"


def room_of(module: str, ring: str) -> str:
    """The room of a module of a ring: its folder below the ring's, with dots."""
    return module.removeprefix(f"squall.{ring}").rpartition(".")[0].lstrip(".")


def room_complaints(where: Source) -> Iterator[str]:
    for ring, rooms in ROOMS.items():
        if where.path.endswith("__init__.py") or not where.module.startswith(f"squall.{ring}."):
            continue
        room = room_of(where.module, ring)
        if room not in rooms:
            yield f"{where.path}: {ring} has no room {room!r}; see ROOMS"
            continue
        allowed = rooms[: rooms.index(room) + 1]
        for name, line in imports(where):
            entered = [other for other in rooms if f"{name}.".startswith(f"squall.{ring}.{other}.".replace("..", "."))]
            if entered and max(entered, key=len) not in allowed:
                yield f"{where.path}:{line}: the room {room!r} may not import {name}"


def purity_complaints(where: Source) -> Iterator[str]:
    for name, line in imports(where):
        if name.partition(".")[0] in IMPURE and name not in PURE:
            yield f"{where.path}:{line}: core may not import {name}"
    for node in nodes(where.tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield f"{where.path}:{node.lineno}: core is not async"
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in IMPURE_CALLS:
                yield f"{where.path}:{node.lineno}: core may not call {called}()"


def sizes(where: Source) -> Iterator[tuple[str, int, int]]:
    """What has a size: its name, its lines, and how many it may have. Classes of tests hold nothing together."""
    yield where.path, len(where.text.splitlines()), MAX_FILE
    for node in nodes(where.tree):
        lines = (getattr(node, "end_lineno", 0) or 0) - getattr(node, "lineno", 0) + 1
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{where.path}:{node.name}", lines, MAX_FUNCTION
        elif isinstance(node, ast.ClassDef) and where.path.startswith("src/"):
            yield f"{where.path}:{node.name}", lines, MAX_CLASS


def size_complaints(where: Source) -> Iterator[str]:
    for name, lines, limit in sizes(where):
        if lines > TOO_LARGE.get(name, limit):
            yield f"{name} has {lines} lines, {limit} are allowed"


def protocols(where: Source) -> Iterator[tuple[str, int]]:
    """The Protocols of a file by name, with how many methods each has."""
    for node in nodes(where.tree):
        if isinstance(node, ast.ClassDef) and "Protocol" in {getattr(base, "id", "") for base in node.bases}:
            methods = [each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
            yield f"{where.path}:{node.name}", len(methods)


def protocol_complaints(where: Source) -> Iterator[str]:
    for name, methods in protocols(where):
        if methods > TOO_MANY_METHODS.get(name, MOST_METHODS):
            yield f"{name} has {methods} methods, {MOST_METHODS} are allowed"


def sql_complaints(where: Source) -> Iterator[str]:
    for node in nodes(where.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.match(node.value):
            yield f"{where.path}:{node.lineno}: SQL belongs in adapters/sql"


def writing_complaints(where: Source) -> Iterator[str]:
    for node in nodes(where.tree):
        writes = isinstance(node, ast.Attribute) and node.attr in WRITING_FLAGS
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            modes = [each.value for each in node.args[:2] if isinstance(each, ast.Constant)]
            opens = called == "open" and any(isinstance(mode, str) and WRITING_MODES.fullmatch(mode) for mode in modes)
            writes = writes or called in WRITING_CALLS or opens
        if writes and where.path not in WRITES_FILES:
            line = getattr(node, "lineno", 0)
            yield f"{where.path}:{line}: adapters/durable.py writes files, so that they survive a loss of power"


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
