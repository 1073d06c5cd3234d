"""Action chains: actions one after the other, each chosen by the status of the one before it.

A chain has no state of its own: its position follows from the executions that it has requested, in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from squall.core.access.secret import MASK, replace_sealed
from squall.core.errors import InvalidError
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution
from squall.core.expr.jinja import Jinja
from squall.core.expr.json_value import NotJsonError, json_value
from squall.core.schema.taint import Taint
from squall.core.workflow.definition.spec import load_document


class Node(msgspec.Struct, frozen=True):
    """One action of a chain; the names of the nodes behind it may be templates."""

    name: str
    ref: str
    params: dict[str, Any] | None = None
    parameters: dict[str, Any] | None = None
    on_success: str | None = None
    on_failure: str | None = None
    publish: dict[str, Any] | None = None
    notify: dict[str, Any] | None = None

    @property
    def all_parameters(self) -> dict[str, Any]:
        """The parameters, from both of their fields."""
        return {**(self.params or {}), **(self.parameters or {})}


class Chain(msgspec.Struct, frozen=True):
    """A chain: its nodes by name, the first one to run, and its variables."""

    nodes: dict[str, Node]
    default: str
    vars: dict[str, Any] = {}


class RunNode(msgspec.Struct, frozen=True):
    """A step: run this node next, with these parameters. `secrets` maps a parameter's name to the secrets in it."""

    node: Node
    parameters: dict[str, Any]
    secrets: dict[str, list[Any]] = {}


class Ended(msgspec.Struct, frozen=True):
    """A step: the chain has ended with this status; `error` is set if a template could not be rendered."""

    status: str
    published: dict[str, Any]
    error: str | None = None


def read_chain(text: str) -> Chain:
    """Reads a chain from YAML. Raises `InvalidError` in StackStorm's words."""
    document = load_document(text)
    entries = document.get("chain")
    if not isinstance(entries, list) or not entries:
        raise InvalidError("The action chain has no nodes: 'chain' is a required property")
    nodes: dict[str, Node] = {}
    variables, default = document.get("vars") or {}, document.get("default")
    if not isinstance(variables, dict):
        raise InvalidError("The vars of the action chain are not an object: write one line `name: value` for each.")
    if not isinstance(default, str | None):
        raise InvalidError(f'The default of the action chain is {default!r}: write the name of a node, such as "a".')
    for entry in entries:
        node = _node(entry)
        if node.name in nodes:
            raise InvalidError(f'Found more than one node with name "{node.name}": names must be unique.')
        nodes[node.name] = node
    chain = Chain(nodes, default or _first(nodes), _plain("vars", variables))
    _check_names(chain)
    return chain


def _node(entry: Any) -> Node:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or not isinstance(entry.get("ref"), str):
        raise InvalidError("Each node of an action chain needs a name and a ref.")
    plain = _plain(f'task "{entry["name"]}"', entry)
    fields = {key.replace("-", "_"): value for key, value in plain.items()}
    try:
        return msgspec.convert(fields, Node)
    except msgspec.ValidationError as error:
        raise InvalidError(f'Node "{entry["name"]}": {error}') from error


def _plain(part: str, value: Any) -> Any:
    """Turns a part of a chain from YAML into plain JSON. Raises `InvalidError`."""
    try:
        return json_value(value)
    except NotJsonError as error:
        raise InvalidError(f"{part}: a value of the action chain cannot be stored: {error}") from error


def _first(nodes: Mapping[str, Node]) -> str:
    """Returns the first node that no other one names."""
    targets = {name for node in nodes.values() for name in (node.on_success, node.on_failure)}
    return next((name for name in nodes if name not in targets), next(iter(nodes)))


def _check_names(chain: Chain) -> None:
    if "{{" not in chain.default and chain.default not in chain.nodes:
        raise InvalidError(f'Unable to find node with name "{chain.default}" referenced in "default".')
    for node in chain.nodes.values():
        for key, name in (("on-success", node.on_success), ("on-failure", node.on_failure)):
            if name and "{{" not in name and name not in chain.nodes:
                raise InvalidError(
                    f'Unable to find node with name "{name}" referenced in "{key}" in task "{node.name}".'
                )


def next_step(
    chain: Chain,
    inputs: Mapping[str, Any],
    names: Mapping[str, Any],
    children: Sequence[Execution],
    jinja: Jinja,
    taint: Taint | None = None,
    reveal: Callable[[str], Any] = str,
) -> RunNode | Ended | None:
    """Returns the step that follows the executions so far (in their order); None while one of them has not ended.

    `names` are the values for templates besides parameters, variables, results and published values. `taint` watches
    `jinja`, and holds the secrets of parameters. `reveal` opens the sealed values in results.
    """
    if children and children[-1].status not in ex.FINAL:
        return None
    context: dict[str, Any] = {**names, **inputs}
    render = _Render(context, jinja, taint or Taint())
    published: dict[str, Any] = {}
    results: dict[str, Any] = {}
    try:
        for variable, value in chain.vars.items():
            context[variable] = render.variable(variable, value)
        name: str | None = _name(chain.default, context, jinja)
        for child in children:
            node = chain.nodes[child.context["chain"]["name"]]
            secrets: list[Any] = []
            results[node.name] = context[node.name] = _opened(child.result, reveal, secrets)
            context["__results"] = results
            render.taint.only(node.name, secrets)
            render.taint.hold("__results", secrets)
            name = None
            if child.status == ex.SUCCEEDED:
                _publish(node, render, context, published)
                name = _name(node.on_success, context, jinja)
            elif child.status != ex.CANCELED:
                name = _name(node.on_failure, context, jinja)
    except InvalidError as error:
        return Ended(ex.FAILED, published, f"Failed rendering the chain: {error}")
    if not name:
        return Ended(children[-1].status if children else ex.SUCCEEDED, published)
    if name not in chain.nodes:
        return Ended(ex.FAILED, published, f'Unable to find node with name "{name}".')
    return _run(chain.nodes[name], render, published)


def _opened(result: Any, reveal: Callable[[str], Any], secrets: list[Any]) -> Any:
    """A result with its sealed values in plain text; these are added to `secrets`."""

    def open_one(envelope: str) -> Any:
        secrets.append(reveal(envelope))
        return secrets[-1]

    return replace_sealed(result, open_one) if ex.holds_sealed(result) else result


def _publish(node: Node, render: _Render, context: dict[str, Any], published: dict[str, Any]) -> None:
    """Adds the values that a node publishes. Raises `InvalidError` that names the node."""
    for key, value in (node.publish or {}).items():
        try:
            context[key] = render.variable(key, value)
        except InvalidError as error:
            raise InvalidError(f'task "{node.name}", {error}') from error
        published[key] = MASK if render.taint.of(key) else context[key]


class _Render:
    """Renders the values of one chain, and records which of them contain secrets."""

    def __init__(self, context: dict[str, Any], jinja: Jinja, taint: Taint) -> None:
        self._context = context
        self._jinja = jinja
        self.taint = taint

    def value(self, value: Any) -> tuple[Any, list[Any]]:
        """Returns the rendered value, and the secrets in it. Raises `InvalidError`."""
        mark = self.taint.mark()
        rendered = _rendered(value, self._context, self._jinja)
        secrets = self.taint.opened_since(mark)
        for used in sorted(_names(value, self._jinja)):
            secrets += self.taint.of(used)
        return rendered, secrets

    def variable(self, name: str, value: Any) -> Any:
        """Returns the rendered value for templates to use as `name` from now on. Raises `InvalidError`."""
        try:
            rendered, secrets = self.value(value)
        except InvalidError as error:
            raise InvalidError(f'variable "{name}": {error}') from error
        self.taint.only(name, secrets)
        return rendered


def _names(value: Any, jinja: Jinja) -> set[str]:
    """Returns the names that the templates in a value use."""
    if isinstance(value, str):
        return set(jinja.names(value))
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {name for item in inner for name in _names(item, jinja)}


def _run(node: Node, render: _Render, published: dict[str, Any]) -> RunNode | Ended:
    parameters = {}
    secrets = {}
    for key, value in node.all_parameters.items():
        try:
            parameters[key], used = render.value(value)
        except InvalidError as error:
            message = (
                f'Failed rendering value for action parameter "{key}" in task "{node.name}" '
                f"(template string={value}): {error}"
            )
            return Ended(ex.FAILED, published, message)
        if used:
            secrets[key] = used
    return RunNode(node, parameters, secrets)


def _name(text: str | None, context: Mapping[str, Any], jinja: Jinja) -> str | None:
    return jinja.render(text, context) if text else None


def _rendered(value: Any, context: Mapping[str, Any], jinja: Jinja) -> Any:
    """Renders a value. A template in a text gives text; in a list or object, a single expression keeps its type."""
    if isinstance(value, str):
        return jinja.render(value, context)
    if isinstance(value, dict):
        return {key: _inside(item, context, jinja) for key, item in value.items()}
    if isinstance(value, list):
        return [_inside(item, context, jinja) for item in value]
    return value


def _inside(value: Any, context: Mapping[str, Any], jinja: Jinja) -> Any:
    return jinja.value(value, context) if isinstance(value, str) else _rendered(value, context, jinja)


def chain_result(children: Sequence[Execution], ended: Ended, display_published: bool) -> dict[str, Any]:
    """Returns the result document: every node that ran, the published values, and the error if there was one."""
    result: dict[str, Any] = {"tasks": [_task(child) for child in children]}
    if display_published:
        result["published"] = ended.published
    if ended.error is not None:
        result |= {"error": ended.error, "traceback": ""}
    return result


def _task(child: Execution) -> dict[str, Any]:
    name = child.context["chain"]["name"]
    return {
        "id": name,
        "name": name,
        "execution_id": child.id,
        "liveaction_id": child.id,
        "workflow": None,
        "created_at": _time(child.start),
        "updated_at": _time(child.end if child.end is not None else child.start),
        "state": child.status,
        "result": child.result,
    }


def _time(at: int) -> str:
    """Writes a time (µs since 1970) as chains do: with an offset instead of `Z`."""
    return (
        datetime.fromtimestamp(at // 1_000_000, UTC)
        .replace(microsecond=at % 1_000_000)
        .isoformat(timespec="microseconds")
    )


def child_context(node: Node) -> dict[str, Any]:
    """Returns the description of a node for the context of its execution."""
    return {
        "name": node.name,
        "ref": node.ref,
        "params": node.params,
        "parameters": node.parameters,
        "on_success": node.on_success,
        "on_failure": node.on_failure,
        "publish": node.publish,
        "notify": node.notify,
    }
