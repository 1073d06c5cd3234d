"""Makes a message of what an execution has done."""

import json
import os
import urllib.request

from st2common.runners.base_action import Action

LONGEST = 500


class FormatExecutionResult(Action):
    """`chatops.format_execution_result`: `message`, `enabled`, and `extra` where there is some."""

    def run(self, execution_id):
        """Asks the server for the execution."""
        headers = {"X-Auth-Token": os.environ.get("ST2_ACTION_AUTH_TOKEN", "")}
        url = "%s/executions/%s" % (os.environ["ST2_ACTION_API_URL"], execution_id)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(url, headers=headers), timeout=60) as reply:
            execution = json.loads(reply.read())
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
