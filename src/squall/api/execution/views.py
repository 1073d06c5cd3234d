"""Executions as documents: with their action and runner of the time of the request, their children, and secrets masked
or revealed."""

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
from squall.services.event.rules.views import RuleViews
from squall.services.execution.waiting import Waiting

_WITH_SECRETS_OF_OTHERS = frozenset({INQUIRY, "action-chain"})
"""Runners whose results hold sealed values that no output schema of theirs marks: answers, and results of nodes."""

_OF_RULES = ("rule", "trigger", "trigger_type", "trigger_instance")
_WHOLE = Attributes(None, None)


class Views:
    """The builder of documents. `reveal` decrypts a sealed value, `waiting` finds the reason why an execution waits,
    `rules` has the documents of the rules that request executions, `web_url` is the address of the web page."""

    def __init__(
        self, content: Content, reveal: Callable[[str], Any], waiting: Waiting, rules: RuleViews, web_url: str
    ) -> None:
        self._content = content
        self.rules = rules
        self._reveal = reveal
        self._waiting = waiting
        self._web_url = web_url

    async def execution(
        self,
        execution: Execution,
        children: Sequence[str] = (),
        selection: Attributes | None = None,
        show_secrets: bool = False,
        explain: bool = False,
    ) -> dict[str, Any]:
        """Returns the document of one execution. If `explain`, it has the reason why the execution has not started;
        that costs a database query."""
        action, runner = await self._content.snapshot(execution.snapshot)
        document = execution_document(execution, action, runner, children, self._web_url)
        selection = selection or _WHOLE
        if execution.origin is not None and any(map(selection.selects, _OF_RULES)):
            document |= await self.rules.origin(execution.origin, selection.selects("trigger_instance"))
        document = select(document, selection.include, selection.exclude)
        wait = await self._waiting.reason(execution) if explain or execution.status == RUNNING else None
        if wait is not None:
            reason = {"waiting": wait.text, "waiting_for": wait.document()}
            document |= {name: value for name, value in reason.items() if selection.selects(name)}
        result = document.pop("result", None)
        document = replace_sealed(document, self._reveal) if show_secrets else masked(document)
        if result is not None:
            document["result"] = await self.result(execution, result, show_secrets)
        return document  # type: ignore[no-any-return]

    async def result(self, execution: Execution, result: Any, show_secrets: bool = False) -> Any:
        """Returns a result, or a part of one, with the values masked that are sealed or that the output schema calls
        secret. Rows of older versions have the latter in plain text."""
        action, runner = await self._content.snapshot(execution.snapshot)
        is_marked = has_secret_output(action, runner)
        if execution.runner not in _WITH_SECRETS_OF_OTHERS and not is_marked:
            return result
        if show_secrets:
            return replace_sealed(result, self._reveal)
        return masked_output(masked(result), action, runner)

    def liveaction(self, execution: Execution) -> dict[str, Any]:
        """Returns the document of the liveaction that StackStorm has for each execution."""
        return masked(liveaction_document(execution))  # type: ignore[no-any-return]
