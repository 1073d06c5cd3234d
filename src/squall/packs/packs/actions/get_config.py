"""The configuration of this pack."""

from st2common.runners.base_action import Action


class GetConfig(Action):
    """`packs.get_config`."""

    def run(self):
        """The values, with defaults."""
        return dict(self.config or {})
