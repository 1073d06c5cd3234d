"""Executions as documents: with what they were requested with, their children, and secrets masked or revealed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from squall.api.http.pages import Attributes
from squall.core.access.secret import masked, replace_sealed
from squall.core.content.output_schema import has_secret_output, masked_output
from squall.core.execution.document import execution_document, liveaction_document, select
from squall.core.execution.execution import RUNNING, Execution
from squall.core.execution.inquiry import RUNNER as INQUIRY
from squall.services.content.content import Content
from squall.services.execution.waiting import Waiting

_WITH_SECRETS_OF_OTHERS = frozenset({INQUIRY, "action-chain"})
"""Runners whose results hold sealed values that no output schema of theirs marks: answers, and results of nodes."""


class Views:
    """Builds documents. `reveal` opens a sealed value, `waiting` knows what executions wait for, `web_url` is
    the address people open in a browser."""

    def __init__(self, content: Content, reveal: Callable[[str], Any], waiting: Waiting, web_url: str) -> None:
        self._content = content
        self._reveal = reveal
        self._waiting = waiting
        self._web_url = web_url

    async def execution(
        self,
        execution: Execution,
        children: Sequence[str] = (),
        asked: Attributes | None = None,
        show_secrets: bool = False,
        explain: bool = False,
    ) -> dict[str, Any]:
        """The document of one execution; to `explain` why one that has not started waits takes a look into the
        database."""
        action, runner = await self._content.snapshot(execution.snapshot)
        shown = execution_document(execution, action, runner, children, self._web_url)
        shown = select(shown, asked.include, asked.exclude) if asked is not None else select(shown, None, None)
        wait = await self._waiting.reason(execution) if explain or execution.status == RUNNING else None
        if wait is not None:
            told = {"waiting": wait.text, "waiting_for": wait.document()}
            shown |= {name: value for name, value in told.items() if asked is None or asked.wants(name)}
        result = shown.pop("result", None)
        shown = replace_sealed(shown, self._reveal) if show_secrets else masked(shown)
        if result is not None:
            shown["result"] = await self.result(execution, result, show_secrets)
        return shown  # type: ignore[no-any-return]

    async def result(self, execution: Execution, result: Any, show_secrets: bool = False) -> Any:
        """What is shown of a result, or of a part of it: what is sealed, or secret by an output schema, is masked. Rows
        of older versions have the latter in plain text."""
        action, runner = await self._content.snapshot(execution.snapshot)
        is_marked = has_secret_output(action, runner)
        if execution.runner not in _WITH_SECRETS_OF_OTHERS and not is_marked:
            return result
        if show_secrets:
            return replace_sealed(result, self._reveal)
        return masked_output(masked(result), action, runner)

    def liveaction(self, execution: Execution) -> dict[str, Any]:
        """The document of the liveaction that StackStorm would have beside the execution."""
        return masked(liveaction_document(execution))  # type: ignore[no-any-return]
