"""Inspection of a workflow's flow: undefined tasks, unreachable joins, variables that are used before they are set."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from squall.core.expr.language import Language
from squall.core.workflow.definition.inline import inline_parameters
from squall.core.workflow.definition.paths import TASK_SCHEMA, WrittenTask, names_of, written_tasks
from squall.core.workflow.definition.spec import COMMANDS, action_and_input

_Complaint = dict[str, Any]
_NO_START = (
    "Unable to identify any tasks to start the workflow. If the workflow has a loop, please add a task that serves as"
    " an entry point (or lead) into the loop."
)
_UNREACHABLE = (
    'The join task "{}" is unreachable. A join task is determined to be unreachable if there are nested forks from'
    " multi-referenced tasks that join on the said task. This is ambiguous to the workflow engine because it does not"
    " know at which level should the join occurs."
)


class _Flow:
    """The tasks of a document and the ways between them."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.tasks = {task.name: task for task in written_tasks(document)}
        self.next = {name: task.next_tasks() for name, task in self.tasks.items()}
        self.prev: dict[str, int] = {}
        for edges in self.next.values():
            for target, _ in edges:
                self.prev[target] = self.prev.get(target, 0) + 1
        self.starts = sorted(name for name in self.tasks if name not in self.prev)
        self._cyclic: dict[str, bool] = {}

    def joins(self, name: str) -> bool:
        return name in self.tasks and self.tasks[name].written.get("join") is not None

    def splits(self, name: str) -> bool:
        return not self.joins(name) and self.prev.get(name, 0) > 1

    def in_cycle(self, name: str) -> bool:
        if name not in self._cyclic:
            reached: set[str] = set()
            waiting = [target for target, _ in self.next.get(name, ())]
            while waiting and name not in reached:
                each = waiting.pop()
                if each not in reached:
                    reached.add(each)
                    waiting += [target for target, _ in self.next.get(each, ())]
            self._cyclic[name] = name in reached
        return self._cyclic[name]


def semantic_complaints(document: Mapping[str, Any]) -> list[_Complaint]:
    """Returns complaints about reserved names, a missing start, undefined tasks, unreachable joins, and items without
    an action."""
    flow = _Flow(document)
    complaints = [
        _about(task, f'The task name "{name}" is reserved with special function.')
        for name, task in flow.tasks.items()
        if name in COMMANDS
    ]
    if flow.tasks and not flow.starts:
        complaints.append({"message": _NO_START, "spec_path": "tasks", "schema_path": "properties.tasks"})
    complaints += _undefined(flow)
    complaints += _unreachable(flow)
    complaints += [
        _about(task, "The action property is required for with items task.")
        for task in flow.tasks.values()
        if task.written.get("with") and not task.written.get("action")
    ]
    return complaints


def _about(task: WrittenTask, message: str) -> _Complaint:
    return {"message": message, "spec_path": task.path, "schema_path": TASK_SCHEMA}


def _undefined(flow: _Flow) -> Iterator[_Complaint]:
    waiting = deque(flow.starts)
    visited = set(flow.starts)
    while waiting:
        task = flow.tasks[waiting.popleft()]
        for at, entry in task.transitions():
            for name in names_of(entry):
                if name in flow.tasks or name in COMMANDS:
                    if name in flow.tasks and name not in visited:
                        visited.add(name)
                        waiting.append(name)
                    continue
                yield {
                    "message": f'The task "{name}" is not defined.',
                    "spec_path": f"{task.path}.next[{at}].do",
                    "schema_path": f"{TASK_SCHEMA}.properties.next.items.properties.do",
                }


def _unreachable(flow: _Flow) -> Iterator[_Complaint]:
    """Yields complaints about joins whose ways in were split at different tasks.

    Each way carries on only the splits that no earlier way has carried there.
    """
    splits: dict[str, set[str]] = {}
    prev: dict[str, set[str]] = {}
    tracked: dict[tuple[str, str], set[str]] = {}
    waiting: deque[tuple[str | None, str, frozenset[str]]] = deque((None, name, frozenset()) for name in flow.starts)
    while waiting:
        before, name, passed = waiting.popleft()
        if name not in flow.tasks:
            continue
        if flow.splits(name) and not flow.in_cycle(name):
            passed |= {name}
        splits.setdefault(name, set()).update(passed)
        prev.setdefault(name, set())
        if before is not None:
            prev[name].add(before)
        for target, _ in flow.next[name]:
            if target in splits and flow.in_cycle(target):
                continue
            earlier = tracked.get((name, target))
            if earlier is None:
                tracked[name, target] = set(passed)
                waiting.append((name, target, passed))
            elif not passed <= earlier:
                waiting.append((name, target, passed - earlier))
                earlier |= passed
    for name, sources in prev.items():
        if flow.joins(name) and any(splits[name] != splits[source] for source in sources):
            yield _about(flow.tasks[name], _UNREACHABLE.format(name))


def context_complaints(document: Mapping[str, Any], language: Language, context: Collection[str]) -> list[_Complaint]:
    """Returns complaints about variables that are used before any way to the place has set them, and about uses of the
    engine's own variables."""
    check = _VariableCheck(language)
    defined = set(context)
    for name in ("input", "vars"):
        defined = check.entries(document.get(name), name, f"properties.{name}", defined, sets=True)
    defined |= _tasks_context(document, check, defined)
    check.entries(document.get("output"), "output", "properties.output", defined, sets=True)
    unique = {repr(sorted(each.items(), key=str)): each for each in check.complaints}
    return list(unique.values())


class _VariableCheck:
    """Checks the variables in values, and collects the complaints."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self.complaints: list[_Complaint] = []

    def value(self, value: Any, spec_path: str, schema_path: str, defined: Collection[str]) -> None:
        """Complains about the variables in a value that are not `defined`."""
        for language, text, name in self._language.variables(value):
            messages = []
            if name.startswith("__"):
                messages.append(
                    f'Variable "{name}" that is prefixed with double underscores is considered a private variable and'
                    " cannot be referenced."
                )
            if name not in defined:
                messages.append(f'Variable "{name}" is referenced before assignment.')
            self.complaints += [
                {
                    "language": language,
                    "expression": text,
                    "message": message,
                    "spec_path": spec_path,
                    "schema_path": schema_path,
                }
                for message in messages
            ]

    def entries(self, value: Any, spec_path: str, schema_path: str, defined: set[str], sets: bool) -> set[str]:
        """Checks a list in its order: later entries may use the variables that earlier ones set. Returns the variables
        that are defined after it."""
        if isinstance(value, str):
            inline = inline_parameters(value)
            value = [{name: item} for name, item in inline] if inline else value
        if not isinstance(value, list):
            self.value(value, spec_path, schema_path, defined)
            return defined | (_set_by(value) if sets else set())
        for at, entry in enumerate(value):
            self.value(entry, f"{spec_path}[{at}]", schema_path, defined)
            defined = defined | (_set_by(entry) if sets else set())
        return defined


def _set_by(entry: Any) -> set[str]:
    if isinstance(entry, dict):
        return {str(key) for key in entry}
    return {entry} if isinstance(entry, str) else set()


def _tasks_context(document: Mapping[str, Any], check: _VariableCheck, defined: set[str]) -> set[str]:
    """Walks the ways through the tasks. Returns all variables that were set on any of them.

    There may be as many ways as subsets of the tasks. So each task has two sets: the variables that all ways to it set,
    of which it may use any, and those that some way sets, which a join gets. It is visited again only if a further way
    makes the first set smaller or the second one larger.
    """
    flow = _Flow(document)
    waiting: deque[tuple[str, set[str], set[str]]] = deque((name, set(defined), set(defined)) for name in flow.starts)
    joined: dict[str, set[str]] = {}
    arrived: dict[str, tuple[set[str], set[str]]] = {}
    traversed: set[str] = set()
    everything = set(defined)
    while waiting:
        name, always, sometimes = waiting.popleft()
        traversed.add(name)
        if name in joined:
            always = sometimes = set(joined[name])
        task = flow.tasks[name]
        _task_context(task, check, always)
        everything |= sometimes
        for at, entry in task.transitions():
            path, schema = f"{task.path}.next[{at}]", f"{TASK_SCHEMA}.properties.next.items.properties"
            check.value(entry.get("when"), f"{path}.when", f"{schema}.when", always)
            after = check.entries(entry.get("publish"), f"{path}.publish", f"{schema}.publish", set(always), sets=True)
            check.value(entry.get("do"), f"{path}.do", f"{schema}.do", after)
            carried = sometimes | after
            everything |= carried
            for target in names_of(entry):
                if target in traversed or target not in flow.tasks:
                    continue
                if flow.tasks[target].written.get("join"):
                    if target not in joined or not carried <= joined[target]:
                        joined[target] = joined.get(target, set()) | carried
                        waiting.append((target, set(), set()))
                    continue
                least, most = arrived.get(target, (after, carried))
                if target not in arrived or not (least <= after and carried <= most):
                    arrived[target] = (least & after, most | carried)
                    waiting.append((target, *arrived[target]))
    return everything


def _task_context(task: WrittenTask, check: _VariableCheck, defined: set[str]) -> None:
    schema = f"{TASK_SCHEMA}.properties"
    check.value(task.written.get("delay"), f"{task.path}.delay", f"{schema}.delay", defined)
    items = task.written.get("with")
    if isinstance(items, dict):
        for key in ("items", "concurrency"):
            check.value(items.get(key), f"{task.path}.with.{key}", f"{schema}.with.properties.{key}", defined)
    action, inputs = action_and_input(task.written)
    check.value(action, f"{task.path}.action", f"{schema}.action", defined)
    if isinstance(inputs, dict | str):
        check.value(inputs, f"{task.path}.input", f"{schema}.input", defined)
