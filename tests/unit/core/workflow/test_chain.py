"""Chains: read, and gone through."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.errors import InvalidError
from squall.core.execution.execution import Execution
from squall.core.expr.jinja import Jinja
from squall.core.workflow.chain import Ended, RunNode, chain_result, next_step, read_chain
from squall.testing.samples import sample_execution

TWO = """
chain:
  - {name: b, ref: core.b}
  - {name: a, ref: core.a, on-success: "{{ then }}", publish: {list: [1, "{{ a.n }}"]}, params: {p: "{{ x }}"}}
default: a
"""


def child(name: str, status: str, result: Any = None) -> Execution:
    return sample_execution(context={"chain": {"name": name}}, status=status, result=result)


def test_the_default_is_the_first_node_nobody_names() -> None:
    text = "chain:\n  - {name: b, ref: x.b}\n  - {name: a, ref: x.a, on-success: b}\n"
    assert read_chain(text).default == "a"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("vars: {}\nx: 1", "The action chain has no nodes"),
        ("chain:\n  - {name: a}\n", "Each node of an action chain needs a name and a ref."),
        ("chain:\n  - {name: a, ref: x}\n  - {name: a, ref: y}\n", 'Found more than one node with name "a"'),
        ("chain:\n  - {name: a, ref: x}\ndefault: z\n", 'Unable to find node with name "z" referenced in "default".'),
        ("chain:\n  - {name: a, ref: x, params: 5}\n", 'Node "a": '),
    ],
)
def test_what_is_no_chain_is_told(text: str, told: str) -> None:
    with pytest.raises(InvalidError) as caught:
        read_chain(text)
    assert str(caught.value).startswith(told)


def test_a_chain_goes_where_its_names_lead() -> None:
    chain, jinja, inputs = read_chain(TWO), Jinja(), {"x": "in", "then": "b"}
    first = next_step(chain, inputs, {}, [], jinja)
    assert isinstance(first, RunNode)
    assert (first.node.name, first.parameters) == ("a", {"p": "in"})
    assert next_step(chain, inputs, {}, [child("a", "running")], jinja) is None
    ran = [child("a", "succeeded", {"n": 2})]
    second = next_step(chain, inputs, {}, ran, jinja)
    assert isinstance(second, RunNode)
    assert second.node.name == "b"
    ended = next_step(chain, inputs, {}, [*ran, child("b", "failed")], jinja)
    assert ended == Ended("failed", {"list": [1, 2]})


def test_a_name_that_leads_nowhere_ends_the_chain() -> None:
    found = next_step(read_chain(TWO), {"x": "", "then": "z"}, {}, [child("a", "succeeded", {"n": 1})], Jinja())
    assert isinstance(found, Ended)
    assert found.error == 'Unable to find node with name "z".'


def test_the_result_tells_of_every_node() -> None:
    result = chain_result([child("a", "succeeded", 5)], Ended("succeeded", {"p": 1}), display_published=False)
    [task] = result["tasks"]
    assert result.keys() == {"tasks"}
    assert (task["name"], task["state"], task["result"]) == ("a", "succeeded", 5)
    assert task["created_at"].endswith("+00:00")
