"""`squall pack create|lint|test`: the commands for authors of packs. They need no server."""

from __future__ import annotations

import getpass
import hashlib
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from squall import config
from squall.adapters.installing.default_packages import PACKAGES
from squall.adapters.installing.virtualenvs import Recipe, install, make_virtualenv
from squall.adapters.packs.document import located, read_yaml, repeated_keys
from squall.adapters.packs.folders import PackFolders
from squall.adapters.removing import remove
from squall.adapters.runners.local import COMPAT
from squall.assembly import arguments
from squall.assembly.plugins import runner_types
from squall.cli.terminal.parser import Parser
from squall.commands.skeleton import FILES
from squall.core.content.action import merged_parameters
from squall.core.content.metadata import missing_of_pack, pack_ref, python_request
from squall.core.content.metadata_schemas import FILES as METADATA_FILES
from squall.core.content.metadata_schemas import SCHEMAS
from squall.core.content.metadata_words import MetadataError, schema_doubts
from squall.core.content.pack_config import check_values
from squall.core.errors import ConflictError, InvalidError, NotFoundError
from squall.core.event.rehearsals.faults import Context, rule_faults
from squall.core.execution.params import wrong_defaults
from squall.core.expr.jinja import Jinja
from squall.core.names import is_pack_name
from squall.ports import Loaded

COMMANDS = ("create", "lint", "test")
_NO_TESTS = 5


def pack(arguments: list[str]) -> int:
    """Runs `squall pack create|lint|test …`. Returns the exit status. Raises `SquallError`."""
    run = {"create": _create, "lint": _lint, "test": _test}[arguments[0]]
    return run(arguments[1:])


def _create(arguments: list[str]) -> int:
    parser = Parser(
        prog="squall pack create", description="Make a new pack: an action, a workflow, a sensor, a rule, and tests."
    )
    parser.add_argument("name", help="the name of the pack: lower case letters, digits and _")
    parser.add_argument(
        "--in", dest="parent", type=Path, default=Path(), metavar="DIR", help="the parent folder (default: here)"
    )
    args = parser.parse_args(arguments)
    pack_ref({"ref": args.name}, args.name)
    folder = args.parent / args.name
    if folder.exists():
        raise ConflictError(f"{folder} exists already: choose another name, or another folder with --in")
    _ship_schemas(folder)
    author = re.sub(r"[^A-Za-z0-9_.-]", "", getpass.getuser()) or "somebody"
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(ref=args.name, author=author))
    print(f"{folder}: {len(FILES)} files. Try: squall pack test {folder} && squall pack install ./{folder}")
    return 0


def _ship_schemas(folder: Path) -> None:
    """Writes the schemas of metadata files for editors with YAML support (Red Hat's extension of VS Code)."""
    for kind, schema in SCHEMAS.items():
        path = folder / ".schemas" / f"{kind}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(schema, indent=1) + "\n")
    settings = {"yaml.schemas": {f"./.schemas/{kind}.json": files for kind, files in METADATA_FILES.items()}}
    (folder / ".vscode").mkdir(exist_ok=True)
    (folder / ".vscode" / "settings.json").write_text(json.dumps(settings, indent=2) + "\n")


def _lint(arguments: list[str]) -> int:
    parser = Parser(
        prog="squall pack lint",
        description="List the faults of packs: the file, the line, the key, and the correct value.",
    )
    parser.add_argument("path", nargs="+", type=Path, help="folders of packs")
    args = parser.parse_args(arguments)
    total = 0
    for path in args.path:
        faults, summary = lint(path)
        for fault in faults:
            print(fault)
        print(f"{path}: {len(faults)} faults; {summary}")
        total += len(faults)
    return 1 if total else 0


def lint(path: Path) -> tuple[list[str], str]:
    """Returns the faults of the pack in a folder, and a summary of the files that were read. Raises `NotFoundError`."""
    folder = path.resolve()
    if not (folder / "pack.yaml").is_file():
        raise NotFoundError(f"{path}: there is no pack.yaml")
    # The faults are the result; they must not go to a log as well.
    logging.getLogger("squall.packs").addHandler(logging.NullHandler())
    source = PackFolders(arguments.BUNDLED / "_runners", [], runner_types(), staging=_Only(folder))
    try:
        ref = pack_ref(read_yaml(folder / "pack.yaml"), folder.name)
    except InvalidError as error:
        return [f"{path / 'pack.yaml'}: {error}"], "the other files were not read"
    loaded = source.prepared([ref])
    faults = [text for _, text in (*loaded.faults, *loaded.lacking, *loaded.doubts)]
    faults += _rule_faults(path, loaded)
    summary = "no files were read"
    for each in loaded.packs:
        summary = ", ".join(f"{count} {kind}" for kind, count in each.counts.items() if count) or "no content"
        missing = missing_of_pack(read_yaml(folder / "pack.yaml"))
        faults += [f"{path / 'pack.yaml'}: '{key}' is a required property" for key in missing]
        for action in each.actions:
            entry = action.entry_point
            if entry and not entry.startswith("/") and not (folder / "actions" / entry).is_file():
                faults.append(f"{path / action.metadata_file}: entry_point: there is no actions/{entry}")
        faults += _lint_config(path, folder)
    return faults, summary


def _rule_faults(path: Path, loaded: Loaded) -> list[str]:
    """Returns the faults of a pack's rules. Those of triggers and actions are seen in the pack itself and in the packs
    that come with Squall."""
    bundled = PackFolders(arguments.BUNDLED / "_runners", [arguments.BUNDLED], runner_types()).load()
    packs = {each.pack.ref: each for each in (*bundled.packs, *loaded.packs)}
    runners = {runner.name: runner for runner in loaded.runners}
    context = Context(
        frozenset(packs),
        {each.ref: each for pack in packs.values() for each in pack.trigger_types},
        {
            action.ref: merged_parameters(action, runners[action.runner_type])
            for pack in packs.values()
            for action in pack.actions
        },
    )
    rules = [rule for pack in loaded.packs for rule in pack.rules]
    return [f"{path / rule.metadata_file}: {fault}" for rule in rules for fault in rule_faults(rule, context)]


def _lint_config(path: Path, folder: Path) -> list[str]:
    """Returns the faults of the configuration schema and of the example configurations."""
    schema_path = folder / "config.schema.yaml"
    faults: list[str] = []
    try:
        schema = read_yaml(schema_path) if schema_path.exists() else {}
        if not isinstance(schema, dict):
            raise InvalidError(f"{schema_path}: expected a mapping")
        faults += repeated_keys(schema_path) + [str(located(schema_path, error)) for error in _schema_doubts(schema)]
        for example in folder.glob("*.yaml.example"):
            values = read_yaml(example)
            check_values(folder.name, str(example), values if isinstance(values, dict) else {}, schema, Jinja())
    except InvalidError as error:
        faults.append(f"{path}: {error}")
    return faults


def _schema_doubts(schema: dict[str, Any]) -> Iterator[MetadataError]:
    for name, attribute in schema.items():
        yield from schema_doubts(attribute, str(name))
    for keys, reason in wrong_defaults(schema, casts=False):
        yield MetadataError(reason, *keys, "default")


class _Only:
    """A `Staging` of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def staged(self, ref: str, installation: str) -> Path | None:
        """Returns the folder."""
        return self._folder

    def activate(self, ref: str, installation: str) -> None:
        """Does nothing: the folder is in use already."""

    def discard(self, ref: str, installation: str) -> None:
        """Does nothing: there is nothing to remove."""


def _test(arguments: list[str]) -> int:
    parser = Parser(
        prog="squall pack test",
        description="Run a pack's tests: pytest in a virtualenv of its own, rehearsals of workflows, cases of rules.",
    )
    parser.add_argument("path", type=Path, help="the pack's folder, or the name of a pack that is installed here")
    parser.add_argument("--data-dir", metavar="DIR", help="the server's data directory, for an installed pack")
    parser.add_argument("--no-venv", action="store_true", help="use the Python that runs this command")
    parser.add_argument("--fresh", action="store_true", help="create the virtualenv again")
    parser.add_argument("-k", metavar="EXPRESSION", help="run only tests whose names match")
    parser.add_argument("-v", "--verbose", action="store_true", help="name each test")
    args = parser.parse_args(arguments)
    folder = _pack_folder(args.path, args.data_dir)
    ref = pack_ref(read_yaml(folder / "pack.yaml"), folder.name)
    tests = folder / "tests"
    if not tests.is_dir():
        raise NotFoundError(f"{args.path}: the pack has no folder tests")
    python = sys.executable if args.no_venv else str(_virtualenv(ref, folder, args.fresh) / "bin" / "python")
    options = [*(["-v"] if args.verbose else []), *(["-k", args.k] if args.k else [])]
    status = subprocess.run(
        [python, "-m", "pytest", "-p", "no:cacheprovider", *options, str(tests)],
        cwd=folder, env=_test_environment(folder), check=False,
    ).returncode  # fmt: skip
    statuses = [0 if status == _NO_TESTS else status]
    for kind, name in (("workflow", "rehearsals"), ("rule", "rules")):
        if files := sorted((tests / name).glob("**/*.yaml")):
            words = [sys.executable, "-m", "squall", kind, "test", *map(str, files)]
            statuses.append(subprocess.run(words, cwd=folder, check=False).returncode)
    if status == _NO_TESTS and len(statuses) == 1:
        print(f"squall: {tests} has no tests", file=sys.stderr)
        return status
    return max(statuses)


def _pack_folder(path: Path, data_dir: str | None) -> Path:
    """Returns a pack's folder: the one at `path`, or the one of the installed pack with that name.

    Raises `NotFoundError`.
    """
    folder = path.resolve()
    if (folder / "pack.yaml").is_file():
        return folder
    if is_pack_name(str(path)):
        settings = config.load({"server.data_dir": data_dir} if data_dir else {}, os.environ).settings
        installed = arguments.installing(settings).installed(str(path))
        if installed is not None:
            return installed.resolve()
        raise NotFoundError(f'There is no folder {path} with a pack.yaml here, and no pack "{path}" is installed')
    raise NotFoundError(f"{path}: there is no pack.yaml")


def _test_environment(folder: Path) -> dict[str, str]:
    """Returns the environment of a pack's tests. As in StackStorm, they can import the pack and its dependencies."""
    places = ["actions", "actions/lib", "sensors", "lib", "etc", "tests"]
    paths = [str(folder / place) for place in places if (folder / place).is_dir()]
    inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    above = str(folder.parent)
    return {**inherited, "PYTHONPATH": os.pathsep.join([*paths, str(COMPAT)]), "ST2_ACTION_PACKS_PATHS": above}


def _virtualenv(ref: str, pack_folder: Path, fresh: bool) -> Path:
    """Returns the virtualenv for the tests of a pack. It is created once per content of the requirement files.

    Raises `InvalidError`.
    """
    files = [pack_folder / "requirements.txt", pack_folder / "requirements-tests.txt"]
    python = read_yaml(pack_folder / "pack.yaml").get("python")
    request = python_request(python) if python not in (None, "") else None
    contents = b"\0".join(path.read_bytes() if path.is_file() else b"" for path in files)
    key = hashlib.sha256(contents + "\n".join([sys.version, request or "", *PACKAGES]).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "squall" / "pack-tests" / f"{ref}-{key}"
    if fresh or not (folder / "ready").exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        remove(folder.parent, folder)
        options = os.environ.get("SQUALL_CONTENT_PIP_OPTIONS", "").split()
        packages = folder.parent / ".default-packages"
        recipe = Recipe(requirements=files, packages=packages, options=options, python=request)
        make_virtualenv(folder, recipe, os.environ)
        install(folder, ["pytest", "mock"], options, os.environ)
        (folder / "ready").touch()
    return folder
