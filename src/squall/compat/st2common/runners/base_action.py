"""The class that Python actions derive from. Standard library only, Python 3.8."""

from __future__ import annotations

import abc

from .utils import UNKNOWN_PACK, PackConfigDict, get_logger_for_python_runner_action

__all__ = ["Action"]


class Action(abc.ABC):
    """One action of a pack. Has `config` (the pack's), `logger`, and `action_service` (see `squall_service`).

    `run` takes the action's parameters; what it returns is the result, or `(succeeded, result)`.
    """

    description = None

    def __init__(self, config=None, action_service=None):
        wrapper = getattr(action_service, "_action_wrapper", None)
        if isinstance(config, PackConfigDict):
            self.config = config
        else:
            self.config = PackConfigDict(getattr(wrapper, "_pack", UNKNOWN_PACK), config or {})
        self.action_service = action_service
        self.logger = get_logger_for_python_runner_action(
            action_name=type(self).__name__, log_level=getattr(wrapper, "_log_level", "debug")
        )

    @property
    def datastore(self):
        """The datastore's service; older packs use it."""
        return self.action_service.datastore_service if self.action_service else None

    @abc.abstractmethod
    def run(self, **kwargs):
        """Does what the action is for."""
