"""Keeps a value in the datastore, and tells what was there."""

from naming import key
from oslo_config import cfg
from st2common.content.utils import get_pack_base_path
from st2common.exceptions.action import InvalidActionParameterException
from st2common.runners.base_action import Action
from st2common.util import isotime
from st2common.util.shell import quote_unix


class Remember(Action):
    def __init__(self, config):
        # As most packs do: without `action_service`.
        super().__init__(config)
        self.prefix = self.config.get("prefix", "")

    def run(self, name, value):
        if not name:
            raise InvalidActionParameterException("name is empty")
        before = self.action_service.get_value(key(name))
        self.action_service.set_value(key(name), self.prefix + value)
        self.logger.info("kept %s", quote_unix(name))
        where = {"base": cfg.CONF.content.packs_base_paths is not None, "pack": bool(get_pack_base_path("platform"))}
        return True, {"before": before, "at": isotime.format(isotime.parse("2026-01-02T03:04:05Z")), **where}
