"""YAML of authors: any document, the metadata of packs, workflows, chains and policies."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from tests.fuzz.contract import Run, Target

from squall.adapters.packs.document import read_yaml, repeated_keys
from squall.core.content.action import RunnerType
from squall.core.content.metadata import RESOURCES, read_action, read_pack, read_resource
from squall.core.content.metadata_words import doubts
from squall.core.errors import InvalidError
from squall.core.execution.params import wrong_defaults
from squall.core.execution.policy import read_policy
from squall.core.expr.language import Language
from squall.core.safe_yaml import load_yaml
from squall.core.workflow.chain import read_chain
from squall.core.workflow.definition.draw import as_dot, as_mermaid, as_text
from squall.core.workflow.definition.graph import Graph
from squall.core.workflow.definition.inspect import inspect_workflow
from squall.core.workflow.definition.lint import lint_workflow
from squall.core.workflow.definition.spec import load_document, read_workflow

YAML = (
    b"&a ",
    b"*a",
    b"<<: ",
    b"!!int ",
    b"!!float ",
    b"!!timestamp ",
    b"!!binary ",
    b"!!omap ",
    b"%TAG ",
    b"? ",
    b"|",
)
METADATA = (
    b"runner_type: ",
    b"parameters: ",
    b"default: ",
    b"position: ",
    b"immutable: ",
    b"$ref: ",
    b"output_schema: ",
)
PARAMETERS = {"cmd": {"type": "string"}, "sudo": {"type": "boolean"}}
WORKFLOW = (b"tasks: ", b"next: ", b"when: ", b"publish: ", b"do: ", b"with: ", b"join: ", b"retry: ", b"<% ", b" %>")


def any_yaml(_folder: Path) -> Run:
    return load_yaml


def metadata(folder: Path) -> Run:
    path = folder / "it.yaml"
    runners = {
        "local-shell-cmd": RunnerType(
            name="local-shell-cmd", uid="r", runner_module="local", runner_parameters=PARAMETERS, id=""
        )
    }
    readers: list[Callable[[Any], Any]] = [
        lambda data: read_pack(data, "it", "/packs/it", []),
        lambda data: list(wrong_defaults(read_action(data, "it", "actions/it.yaml", runners).parameters)),
        lambda data: read_policy(data, "it", "policies/it.yaml"),
        *(lambda data, kind=kind: read_resource(kind, data, "it") for kind in RESOURCES),
    ]

    def run(data: bytes) -> None:
        path.write_bytes(data)
        document = read_yaml(path)
        repeated_keys(path)
        for reader in readers:
            with suppress(InvalidError):
                reader(document)
        for kind in ("actions", *RESOURCES):
            list(doubts(kind, document))

    return run


def workflows(_folder: Path) -> Run:
    language = Language()

    def run(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        document = load_document(text)
        complaints = inspect_workflow(document, language, lambda _: {"message": {"required": True}})
        list(lint_workflow(text, document, language))
        if not complaints:
            graph = Graph(read_workflow(document))
            as_text(graph), as_dot(graph), as_mermaid(graph)

    return run


def chains(_folder: Path) -> Run:
    return lambda data: read_chain(data.decode("utf-8", "replace"))


TARGETS = (
    Target("yaml", any_yaml, (yaml.YAMLError, ValueError), words=YAML),
    Target("metadata", metadata, (InvalidError,), words=YAML + METADATA),
    Target("workflow", workflows, (InvalidError,), words=YAML + WORKFLOW),
    Target("chain", chains, (InvalidError,), words=(*YAML, b"chain: ", b"name: ", b"ref: ", b"on-success: ")),
)
