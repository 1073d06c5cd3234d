"""Makes an instance of a trigger."""

from squall_service import ApiError, call
from st2common.runners.base_action import Action


class InjectTrigger(Action):
    """`core.inject_trigger`: sends an event to the generic webhook of the server."""

    def run(self, trigger=None, trigger_name=None, payload=None, trace_tag=None):
        """Returns the trigger and its payload. Fails with the server's words."""
        # A workflow with a variable "trigger" may fill the parameter of this name, so the other one wins.
        name = trigger_name or trigger
        if not name:
            return False, "You must include the `trigger_name` parameter."
        body = {"trigger": name, "payload": payload or {}, **({"trace": trace_tag} if trace_tag else {})}
        try:
            call("POST", "/webhooks/st2", body=body)
        except ApiError as error:
            return False, 'Failed to inject trigger "%s": %s' % (name, error)
        return True, {"trigger": name, "payload": payload or {}}
