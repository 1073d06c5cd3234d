"""Expressions: how they are found, what the server evaluates itself, and what inspection says about them.

What is not cheap goes to a process that the kernel ends, so its cost is bounded there and not judged here.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from tests.fuzz.contract import Run, Target

from squall.core.errors import InvalidError
from squall.core.expr import parts
from squall.core.expr.bounds.errors import EvaluationError
from squall.core.expr.bounds.evaluator import NeedsProcess, NoEvaluator
from squall.core.expr.jinja import Jinja
from squall.core.expr.language import Language, unknown_functions
from squall.core.expr.scope import Scope, Variables
from squall.core.workflow.definition.inline import inline_parameters

WORDS = (
    b"{{ ", b" }}", b"{% ", b" %}", b"<% ", b" %>", b"{# ", b"ctx()", b".a", b"ctx(a)", b" | ", b"default(", b" if ",
    b" else ", b" for ", b"[0]", b"['k']", b" ~ ", b" + ", b" in ", b"raw", b"$.", b"len(", b".get(", b"item(",
    b" and ", b"dict(", b"1e999", b"trim",
)  # fmt: skip
VALUES = {"a": list(range(100)), "b": {"k": "v" * 100, "n": {"x": 1}}, "c": "text " * 50, "d": 10**300, "e": 1.5}


def names(_folder: Path) -> Run:
    def run(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        parts.languages(text), parts.has_block(text), parts.expressions(parts.YAQL, text)
        joined = "".join(part if isinstance(part, str) else part[0] for part in parts.yaql_parts(text))
        assert joined == text
        joined = "".join(
            part if isinstance(part, str) else part[0] for part in parts.jinja_parts(text, lambda _: False)
        )
        assert joined == text
        inline_parameters(text)

    return run


def templates(_folder: Path) -> Run:
    def run(data: bytes) -> None:
        # A new one: what it has compiled it remembers.
        jinja = Jinja(evaluator=NoEvaluator())
        text = data.decode("utf-8", "replace")
        for method in (jinja.names, jinja.check):
            with suppress(NeedsProcess, InvalidError):
                method(text)
        for evaluate in (jinja.render, jinja.value):
            with suppress(NeedsProcess, InvalidError):
                evaluate(text, VALUES)

    return run


def workflow_values(_folder: Path) -> Run:
    model = Language(evaluator=NoEvaluator())

    def run(data: bytes) -> None:
        language = model.twin()
        with suppress(NeedsProcess, EvaluationError):
            language.evaluate(data.decode("utf-8", "replace"), Scope(Variables(VALUES)))

    return run


def inspection(_folder: Path) -> Run:
    model = Language()

    def run(data: bytes) -> None:
        language = model.twin()
        text = data.decode("utf-8", "replace")
        language.complaints(text), language.variables(text), unknown_functions(language, text)

    return run


TARGETS = (
    Target("expression_parts", names, largest=16 << 10, words=WORDS),
    Target("cheap_templates", templates, words=WORDS),
    Target("cheap_workflow_values", workflow_values, words=WORDS),
    Target("expression_inspection", inspection, words=WORDS),
)
