"""Loggers and configs of actions. Standard library only, Python 3.8."""

from __future__ import annotations

import inspect
import logging
import sys

__all__ = ["PackConfigDict", "get_action_class_instance", "get_logger_for_python_runner_action"]

UNKNOWN_PACK = "unknown"
_AUDIT = logging.CRITICAL + 10
_MISSING = """
Config for pack "%s" is missing key "%s".
Make sure that the file %s is there on the server and has that key.
"""


class PackConfigDict(dict):
    """A pack's config, which says where a missing key belongs."""

    def __init__(self, pack_name, *args):
        values = args[0] if args else {}
        dict.__init__(self, values)
        self.pack_name = pack_name
        self.path = args[1] if len(args) > 1 and args[1] else "configs/%s.yaml" % pack_name

    def __getitem__(self, key):
        try:
            return dict.__getitem__(self, key)
        except KeyError:
            raise ValueError(_MISSING % (self.pack_name, key, self.path)) from None


class _Stderr(logging.StreamHandler):
    """Writes to whatever is standard error at the time."""

    def emit(self, record):
        self.stream = sys.stderr
        logging.StreamHandler.emit(self, record)


def get_logger_for_python_runner_action(action_name, log_level="debug"):
    """The logger `st2.actions.python.<action_name>`, whose lines go to standard error."""
    logger = logging.getLogger("st2.actions.python.%s" % action_name)
    if not logger.handlers:
        handler = _Stderr()
        handler.setFormatter(logging.Formatter("%(name)-12s: %(levelname)-8s %(message)s"))
        logger.addHandler(handler)
    logging.addLevelName(_AUDIT, "AUDIT")
    level = str(log_level or "debug").upper()
    logger.setLevel(_AUDIT if level == "AUDIT" else getattr(logging, level, logging.DEBUG))
    logger.propagate = False
    return logger


def get_action_class_instance(action_cls, config=None, action_service=None):
    """An instance of the class, whether or not its constructor knows of the service."""
    if _takes_service(action_cls):
        return action_cls(config=config, action_service=action_service)
    instance = action_cls(config)
    if getattr(instance, "action_service", None) is None:
        instance.action_service = action_service
    wrapper = getattr(action_service, "_action_wrapper", None)
    own = getattr(instance, "config", None)
    if isinstance(own, PackConfigDict) and own.pack_name == UNKNOWN_PACK:
        # Its constructor had neither a configuration nor the service, which knows the pack.
        instance.config = PackConfigDict(getattr(wrapper, "_pack", UNKNOWN_PACK), own)
    logger = getattr(instance, "logger", None)
    if wrapper is not None and isinstance(logger, logging.Logger):
        get_logger_for_python_runner_action(type(instance).__name__, wrapper._log_level)
    return instance


def _takes_service(action_cls):
    try:
        parameters = inspect.signature(action_cls.__init__).parameters
    except (TypeError, ValueError):
        return False
    kinds = {each.kind for each in parameters.values()}
    if inspect.Parameter.VAR_KEYWORD in kinds and "action_service" not in parameters:
        # Such a constructor passes on what it is given, to one that may or may not take it.
        return "config" in parameters or _base_takes(action_cls)
    return "action_service" in parameters


def _base_takes(action_cls):
    for base in action_cls.__mro__[1:]:
        if "__init__" in vars(base):
            return _takes_service(base) if base is not object else False
    return False
