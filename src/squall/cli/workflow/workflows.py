"""`squall workflow test|lint|graph`: tools for workflow definitions that need no server."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from squall.cli.terminal import exits
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb
from squall.core.errors import ConfigError, InvalidError, UnavailableError


def _read(path: Path) -> str:
    """Returns the text of a file; `-` is standard input. Raises `InvalidError`."""
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidError(f"{path} cannot be read: {error}") from error


def _configure_test(parser: ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="rehearsal files, or folders of them")
    parser.add_argument(
        "--base", type=Path, metavar="DIR", help="the folder of the paths in them (default: FILE's folder)"
    )


def _test(args: Namespace, target: Target) -> int:
    files = [each for path in args.files for each in (sorted(path.glob("**/*.yaml")) if path.is_dir() else [path])]
    failed = 0
    for file in files:
        deviations = _rehearse(file, args.base)
        failed += bool(deviations)
        print(f"{'FAILED' if deviations else 'ok    '} {file}")
        for line in deviations:
            print(f"       {line}")
    print(f"{len(files) - failed} of {len(files)} rehearsals went as expected")
    return exits.FAILED if failed else exits.OK


def _rehearse(file: Path, base: Path | None) -> list[str]:
    """Runs a rehearsal. Returns its deviations from the expectations. A file that is no rehearsal gives one, too."""
    import yaml

    from squall.core.expr.language import Language
    from squall.core.workflow.rehearsal.rehearsal import read_rehearsal, rehearse

    try:
        try:
            document = yaml.safe_load(_read(file))
        except yaml.YAMLError as error:
            raise InvalidError(str(error)) from error
        rehearsal = read_rehearsal(document)
        folder = _folder(file, base, rehearsal.workflow)
        for mock in rehearsal.mock_action_executions:
            if mock.result_path is not None:
                mock.result = _result(folder / mock.result_path)
        if rehearsal.workflow is not None:
            text = _read(folder / rehearsal.workflow)
        elif rehearsal.definition is not None:
            definition = rehearsal.definition
            text = definition if isinstance(definition, str) else json.dumps(definition)
        else:
            raise InvalidError("The rehearsal names no workflow: add workflow (a path) or definition.")
        return rehearse(rehearsal, text, Language())
    except InvalidError as error:
        return [str(error)]


def _folder(file: Path, base: Path | None, workflow: str | None) -> Path:
    """Returns the folder of a rehearsal's paths: `base`, else the nearest folder above the file that has the workflow,
    else the file's folder."""
    if base is not None or workflow is None:
        return base or file.parent
    ancestors = [file.parent, *file.resolve().parents]
    return next((folder for folder in ancestors if (folder / workflow).is_file()), file.parent)


def _result(path: Path) -> Any:
    import yaml

    text = _read(path)
    if path.suffix == ".json":
        return json.loads(text)
    return yaml.safe_load(text) if path.suffix in (".yaml", ".yml") else text


def _configure_lint(parser: ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="workflow definitions")
    parser.add_argument("-j", "--json", action="store_true", help="print JSON")
    parser.add_argument("--actions", action="store_true", help="also check on the server the actions that tasks name")


def _lint(args: Namespace, target: Target) -> int:
    from squall.core.expr.language import Language
    from squall.core.workflow.definition.lines import line_of
    from squall.core.workflow.definition.lint import all_faults
    from squall.core.workflow.definition.spec import load_document

    language = Language()
    faults: list[dict[str, Any]] = []
    unchecked = None if args.actions else "add --actions to check them on the server"
    for file in args.files:
        text = _read(file)
        try:
            document = load_document(text)
            complaints = all_faults(text, document, language)
        except InvalidError as error:
            document, complaints = {}, [{"type": "syntax", "message": str(error), "spec_path": None}]
        if document and unchecked is None:
            try:
                complaints += _action_faults(document, target)
            except (UnavailableError, ConfigError) as error:
                unchecked = str(error)
        faults += [{"file": str(file), "line": line_of(text, each.get("spec_path")), **each} for each in complaints]
    faults.sort(key=lambda each: (each["file"], each["line"]))
    if args.json:
        print(json.dumps(faults, indent=2))
    else:
        for each in faults:
            expression = f" ({each['expression']})" if each.get("expression") else ""
            print(f"{each['file']}:{each['line']}: {each['type']}: {each['message']}{expression}")
        if not faults:
            print("no faults found")
    if unchecked is not None:
        print(f"The actions that tasks name were not checked: {unchecked}", file=sys.stderr)
    return exits.FAILED if faults else exits.OK


def _action_faults(document: dict[str, Any], target: Target) -> list[dict[str, Any]]:
    """Returns the faults that the server finds in a workflow's actions. Raises `UnavailableError` and `ConfigError` if
    no server runs."""
    from squall.core.expr.json_value import json_value

    with target.api() as api:
        return [each for each in api.inspect_workflow(json_value(document)) if each["type"] == "content"]


def _configure_graph(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a workflow definition")
    parser.add_argument("--format", choices=("text", "dot", "mermaid"), default="text", help="default: text")


def _graph(args: Namespace, target: Target) -> int:
    from squall.core.workflow.definition.draw import FORMS
    from squall.core.workflow.definition.graph import Graph
    from squall.core.workflow.definition.spec import load_document, read_workflow

    document = load_document(_read(args.file))
    try:
        graph = Graph(read_workflow(document))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InvalidError(f"{args.file} is not a valid workflow. Run: squall workflow lint {args.file}") from error
    print(FORMS[args.format](graph), end="")
    return exits.OK


VERBS = {
    "workflow test": Verb(_configure_test, _test),
    "workflow lint": Verb(_configure_lint, _lint),
    "workflow graph": Verb(_configure_graph, _graph),
}
