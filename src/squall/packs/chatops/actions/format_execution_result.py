"""Makes a message of what an execution has done."""

import json

from squall_service import call
from st2common.runners.base_action import Action

LONGEST = 500


class FormatExecutionResult(Action):
    """`chatops.format_execution_result`: `message`, `enabled`, and `extra` where there is some."""

    def run(self, execution_id):
        """Asks the server for the execution."""
        execution = call("GET", "/executions/" + execution_id)
        return {"enabled": True, "message": told(execution)}


def told(execution):
    """A sentence, and what was printed or returned, as far as a chat room wants it."""
    action, result = execution["action"]["ref"], execution.get("result") or {}
    lines = ["%s: %s (%s)" % (action, execution["status"], execution["id"])]
    shown = (
        [result.get(name) for name in ("stdout", "stderr", "result", "error")] if isinstance(result, dict) else [result]
    )
    for value in shown:
        text = value if isinstance(value, str) else json.dumps(value) if value is not None else ""
        if text.strip():
            lines.append(text.strip() if len(text) <= LONGEST else text[:LONGEST] + " ...")
    if execution.get("web_url"):
        lines.append(execution["web_url"])
    return "\n".join(lines)
