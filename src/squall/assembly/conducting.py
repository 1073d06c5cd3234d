"""Assembles the services of workflows. `wiring` is the only caller."""

from __future__ import annotations

import os
import socket
import time
from typing import NamedTuple

from squall.assembly.outside import Outside
from squall.config.settings import Workflow
from squall.core.expr.bounds.limits import Deadline
from squall.core.expr.language import Language
from squall.services.content.content import Content
from squall.services.content.keys import Keys
from squall.services.execution.binding import Binding
from squall.services.execution.executions import Executions
from squall.services.execution.reservations import Starting
from squall.services.execution.transitions import Transitions
from squall.services.holdups import Holdups
from squall.services.suspects import Suspects
from squall.services.workflow.chains import Chains
from squall.services.workflow.definitions import Definitions
from squall.services.workflow.expressions import Languages, key_reader
from squall.services.workflow.graphs import WorkflowGraphs
from squall.services.workflow.reruns import Reruns
from squall.services.workflow.run_store import RunStore
from squall.services.workflow.runs import Runs
from squall.services.workflow.workflows import Workflows


class Ground(NamedTuple):
    """The adapters and services that the services of workflows need."""

    out: Outside
    content: Content
    binding: Binding
    executions: Executions
    starting: Starting
    transitions: Transitions
    keys: Keys
    holdups: Holdups
    suspects: Suspects


class Conducting(NamedTuple):
    """The use cases of workflows."""

    languages: Languages
    definitions: Definitions
    workflows: Workflows
    graphs: WorkflowGraphs
    reruns: Reruns


def conducting(settings: Workflow, ground: Ground, url: str) -> Conducting:
    """Returns the use cases of workflows. `url` is the address of the API."""

    def new_language() -> Language:
        return Language(Deadline(time.monotonic, settings.expression_seconds), evaluator=ground.out.evaluator)

    out, content, binding, executions, starting, transitions, keys, holdups, suspects = ground
    store, clock, vault = out.store, out.clock, out.vault
    languages = Languages(new_language, carried=out.marks.carried)
    info = {"hostname": socket.gethostname(), "pid": os.getpid()}
    definitions = Definitions(store, content, languages)
    stored = RunStore(store, clock, vault, binding, definitions, key_reader(keys), settings.most_tasks)
    runs = Runs(store, clock, content, binding, definitions, stored, info, url, settings.most_nested)
    chains = Chains(store, clock, content, binding, executions, starting, transitions, info)
    workflows = Workflows(
        store, clock, executions, starting, transitions, runs, stored, chains, suspects, languages, holdups
    )
    return Conducting(languages, definitions, workflows, WorkflowGraphs(store, stored), Reruns(executions, stored))
