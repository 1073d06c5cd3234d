"""The rules of the web page's source, each a function from files to complaints: which folder of `web/src` may import
which, and that no files import each other in a circle. `test_page_architecture.py` applies them.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "web" / "src"

ORDER = ("api", "ui", "log", "graph", "execution", "history", "access", "")
"""Folders, in an order in which each imports only itself and those before it; "" are `routes.tsx` and `main.tsx`."""

PAGES = {"execution", "history", "access"}
"""Folders of pages: a page imports no other page."""

IMPORT = re.compile(
    r"""^\s*(?:import|export)\b[^;"']*?["'](\.[^"']*)["']|\bimport\(\s*["'](\.[^"']*)["']""", re.MULTILINE
)
ENDINGS = ("", ".ts", ".tsx", "/index.ts")


def files() -> dict[str, str]:
    """The text of each source file by its path below `web/src`."""
    paths = [path for path in sorted(SOURCE.rglob("*.ts*")) if not path.name.endswith(".gen.ts")]
    return {path.relative_to(SOURCE).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def imports(texts: Mapping[str, str]) -> dict[str, list[str]]:
    """The files that each file imports, also for types only and also when it runs."""
    return {path: list(dict.fromkeys(_imported(path, text, texts))) for path, text in texts.items()}


def _imported(path: str, text: str, texts: Mapping[str, str]) -> Iterator[str]:
    for match in IMPORT.finditer(text):
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), match[1] or match[2]))
        yield from (target + ending for ending in ENDINGS if target + ending in texts)


def wrong_imports(texts: Mapping[str, str]) -> list[str]:
    """A complaint for each import that the order of folders does not allow."""
    complaints = []
    for path, targets in imports(texts).items():
        for target in targets:
            source_folder, target_folder = (posixpath.dirname(each).partition("/")[0] for each in (path, target))
            if unknown := {source_folder, target_folder}.difference(ORDER):
                complaints.append(f"{path}: the folder {min(unknown)!r} has no place in ORDER")
            elif ORDER.index(target_folder) > ORDER.index(source_folder):
                complaints.append(
                    f"{path} imports {target}: {source_folder} may not import {target_folder or 'the top'}"
                )
            elif source_folder != target_folder and {source_folder, target_folder} <= PAGES:
                complaints.append(f"{path} imports {target}: a page imports no other page")
    return complaints


def circles(texts: Mapping[str, str]) -> list[str]:
    """The first circle of imports, as a path of files; nothing if there is none."""
    try:
        TopologicalSorter(imports(texts)).prepare()
    except CycleError as error:
        return [" -> ".join(error.args[1])]
    return []
