"""Makes an instance of a trigger."""

from squall_service import ApiError, call
from st2common.runners.base_action import Action


class InjectTrigger(Action):
    """`core.inject_trigger`: asks the server's webhook of that name; it says so where it has no triggers."""

    def run(self, trigger=None, trigger_name=None, payload=None, trace_tag=None):
        """Fails with the server's words."""
        name = trigger or trigger_name
        if not name:
            return False, "Either trigger or trigger_name is required"
        body = {"trigger": name, "payload": payload or {}, **({"trace": trace_tag} if trace_tag else {})}
        try:
            return True, call("POST", "/webhooks/st2", body=body)
        except ApiError as error:
            if error.status == 404:
                return False, "This server has no triggers yet, so %s was not made" % name
            return False, str(error)
