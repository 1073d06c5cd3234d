"""Processes that evaluate expressions: they are ended in time, ask the server, and never take it with them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from squall.adapters.evaluation.processes import EvaluationProcesses
from squall.core.content.config_context import ConfigContext
from squall.core.content.keyvalue import KeyNames
from squall.core.errors import InvalidError, UnavailableError
from squall.core.expr.bounds.errors import EvaluationError, UnstorableError
from squall.core.expr.jinja import Jinja
from squall.core.expr.language import Language
from squall.core.expr.scope import Scope, Variables
from squall.server import evaluator
from squall.testing.waiting import until


class Programs:
    """Starts the real programs and remembers them."""

    def __init__(self) -> None:
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, connection: socket.socket) -> subprocess.Popen[bytes]:
        self.started.append(evaluator.start({}, connection))
        return self.started[-1]


@pytest.fixture
def programs() -> Programs:
    return Programs()


@pytest.fixture
def processes(programs: Programs) -> Iterator[EvaluationProcesses]:
    processes = EvaluationProcesses(programs.start, 0.5)
    yield processes
    processes.close()
    assert all(program.poll() is not None for program in programs.started)


def scope(**values: Any) -> Scope:
    return Scope(Variables(values))


def test_an_expression_that_never_comes_back_is_ended_and_named(processes: EvaluationProcesses) -> None:
    with pytest.raises(EvaluationError, match=r"'<% range\(1.*more than 0.5 seconds"):
        Language(evaluator=processes).evaluate("<% range(1000000000000).len() %>", scope())
    assert Language(evaluator=processes).evaluate("<% range(3).toList() %>", scope()) == [0, 1, 2]


def test_a_template_that_takes_too_long_is_ended(processes: EvaluationProcesses) -> None:
    text = "{% for i in range(9999) %}{% set x = ('ab' * 16000000) | replace('a', 'c') %}{% endfor %}"
    with pytest.raises(InvalidError, match=r"more than 0.5 seconds"):
        Jinja(None, processes).render(text, {})


def test_an_expression_that_takes_too_much_memory_fails_alone(programs: Programs) -> None:
    processes = EvaluationProcesses(programs.start, 60)
    text = (
        "{% set n = namespace(all=[]) %}{% for i in range(99) %}{% set n.all = n.all + ['a' * 30000000] %}{% endfor %}"
    )
    with pytest.raises(InvalidError):
        Jinja(None, processes).render(text + "{{ n.all | length }}", {})
    assert Jinja(None, processes).render("{{ [1, 2] | sum }}", {}) == "3"
    processes.close()


def test_values_come_back_as_they_are(processes: EvaluationProcesses) -> None:
    values = {"a": 2**90, "b": [1.5, None, True], "c": "é\x00", "d": {"x": {"y": []}}}
    assert Language(evaluator=processes).evaluate("<% ctx().items().toDict($[0], $[1]) %>", scope(**values)) == values
    with pytest.raises(UnstorableError, match="two of its keys"):
        Language(evaluator=processes).evaluate("<% dict(1 => a, '1' => b).items().toDict($[0], $[1]) %>", scope())


def test_an_expression_asks_the_server_for_keys(processes: EvaluationProcesses) -> None:
    asked = Scope(Variables({}), key_of=lambda key, decrypt: {"system.a": f"value {decrypt}"}[key])
    language = Language(evaluator=processes)
    assert language.evaluate("<% st2kv('system.a', decrypt => true).toUpper() %>", asked) == "VALUE TRUE"
    assert language.evaluate("<% st2kv('system.b', default => none).toUpper() %>", asked) == "NONE"
    with pytest.raises(EvaluationError, match='The key "b" does not exist'):
        language.evaluate("<% st2kv('system.b').toUpper() %>", asked)


def test_an_error_of_the_environment_stays_one(processes: EvaluationProcesses) -> None:
    def away(_key: str, _decrypt: bool) -> Any:
        raise UnavailableError("the database is away")

    with pytest.raises(UnavailableError, match="the database is away"):
        Language(evaluator=processes).evaluate("<% st2kv('a').toUpper() %>", Scope(Variables({}), key_of=away))


def test_secrets_that_a_template_reads_are_told(processes: EvaluationProcesses) -> None:
    opened: list[Any] = []
    config = ConfigContext({"open": "o", "inner": {"secret": "s3cret"}}, frozenset({"s3cret"}), opened.append)
    names = {"config_context": config, "st2kv": {"system": KeyNames({"k": "cipher"})}}
    jinja = Jinja(lambda ciphertext: f"plain {ciphertext}", processes)
    assert jinja.render("{{ config_context.open | reverse }}", names) == "o"
    assert opened == []
    assert jinja.render("{{ config_context.inner.secret | reverse }}", names) == "terc3s"
    assert opened == ["s3cret"]
    assert jinja.render("{{ st2kv.system.k | decrypt_kv | reverse }}", names) == "rehpic nialp"


def test_a_process_that_is_killed_in_the_middle_is_replaced(processes: EvaluationProcesses, programs: Programs) -> None:
    kills: list[int] = []

    def kill_once(_key: str, _decrypt: bool) -> str:
        if not kills:
            kills.append(programs.started[-1].pid)
            os.kill(kills[0], signal.SIGKILL)
        return "x"

    assert (
        Language(evaluator=processes).evaluate("<% st2kv('a').toUpper() %>", Scope(Variables({}), key_of=kill_once))
        == "X"
    )
    assert len(programs.started) == 2


def test_closing_ends_evaluations_that_are_running(programs: Programs) -> None:
    processes = EvaluationProcesses(programs.start, 600)
    errors: list[BaseException] = []

    def evaluate() -> None:
        try:
            Language(evaluator=processes).evaluate("<% range(1000000000000).len() %>", scope())
        except UnavailableError as error:
            errors.append(error)

    thread = threading.Thread(target=evaluate)
    thread.start()
    until(lambda: bool(programs.started), "the process has started")
    processes.close()
    thread.join()
    assert len(errors) == 1
    assert programs.started[0].wait() == -signal.SIGKILL


def test_more_evaluations_than_processes_all_end(programs: Programs) -> None:
    processes = EvaluationProcesses(programs.start, 60, most=2)
    values: list[str] = []

    def render(number: int) -> None:
        values.append(Jinja(None, processes).render("{{ [n, 1] | sum }}", {"n": number}))

    threads = [threading.Thread(target=render, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(int, values)) == list(range(1, 13))
    assert len(programs.started) <= 2
    processes.close()
