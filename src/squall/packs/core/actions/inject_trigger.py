"""Makes an instance of a trigger."""

import json
import os
import urllib.error
import urllib.request

from st2common.runners.base_action import Action


class InjectTrigger(Action):
    """`core.inject_trigger`: asks the server's webhook of that name; it says so where it has no triggers."""

    def run(self, trigger=None, trigger_name=None, payload=None, trace_tag=None):
        """Fails with the server's words."""
        name = trigger or trigger_name
        if not name:
            return False, "Either trigger or trigger_name is required"
        body = {"trigger": name, "payload": payload or {}, **({"trace": trace_tag} if trace_tag else {})}
        headers = {"Content-Type": "application/json", "X-Auth-Token": os.environ.get("ST2_ACTION_AUTH_TOKEN", "")}
        request = urllib.request.Request(
            os.environ["ST2_ACTION_API_URL"] + "/webhooks/st2", json.dumps(body).encode(), headers, method="POST"
        )
        try:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(request, timeout=60) as reply:
                return True, json.loads(reply.read() or b"{}")
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return False, "This server has no triggers yet, so %s was not made" % name
            return False, json.loads(error.read() or b"{}").get("faultstring", str(error))
