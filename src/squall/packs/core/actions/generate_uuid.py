"""Makes a UUID of the kind that `uuid_type` names."""

import uuid

from st2common.runners.base_action import Action


class GenerateUuid(Action):
    """The action `core.uuid`."""

    def run(self, uuid_type):
        """The UUID as text."""
        return str(uuid.uuid1() if uuid_type == "uuid1" else uuid.uuid4())
