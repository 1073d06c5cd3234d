"""Imports files of a pack, and tells what fails: a program, run by the interpreter of the pack's virtualenv.

It reads one JSON object from its standard input: `paths` (what goes to the front of `sys.path`) and `files` (their
absolute paths, in order). For each file it writes a line to its standard output: the JSON of `null`, or of what was
raised, as a text. What the files print is thrown away. Standard library only, Python 3.8.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys


def main():
    """Imports all files, one after the other."""
    order = json.loads(sys.stdin.read())
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    here = os.path.dirname(os.path.abspath(__file__))
    rest = [path for path in sys.path if path not in order["paths"] and os.path.abspath(path or ".") != here]
    sys.path[:] = [path for path in order["paths"] if path != here] + rest + [here]
    for path in order["files"]:
        lines.write(json.dumps(fault_of(path)) + "\n")
        lines.flush()
    # Threads that a file has started, and what it would do at exit, are none of ours.
    os._exit(0)


def fault_of(path):
    """What the import of a file raises, as a text; None if it raises nothing."""
    folder = os.path.dirname(path)
    if folder not in sys.path:
        sys.path.append(folder)
    name = os.path.splitext(os.path.basename(path))[0]
    try:
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    except BaseException as error:
        return "%s: %s" % (type(error).__name__, error)
    return None


if __name__ == "__main__":
    main()
