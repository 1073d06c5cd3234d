"""Finding the class in an action's file, and making its instance. Standard library only, Python 3.8."""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
import traceback

from squall_service import ActionService
from st2common.runners.utils import PackConfigDict, get_action_class_instance


class Wrapper:
    """What an action's service knows of the action; packs look at `_pack`, `_class_name`, `_log_level` and `_user`."""

    def __init__(self, order, class_name):
        self._pack = order["pack"]
        self._file_path = order["file"]
        self._parameters = order["parameters"]
        self._config = order["config"]
        self._log_level = order["log_level"]
        self._user = order.get("user")
        self._class_name = class_name


def action_of(order):
    """The action's instance. Raises what its file, or its constructor, raises."""
    found = action_class(order["file"])
    service = ActionService(Wrapper(order, found.__name__))
    config = PackConfigDict(order["pack"], order["config"], order.get("config_file", ""))
    return get_action_class_instance(action_cls=found, config=config, action_service=service)


def action_class(path):
    """The first class, by name, that the file itself defines and that has a `run` of its own or an inherited one."""
    folder = os.path.dirname(path)
    name = os.path.splitext(os.path.basename(path))[0]
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        module = _load(name, path)
    except Exception as error:
        text = (
            'Failed to load action class from file "%s" (action file most likely doesn\'t exist or contains invalid '
            "syntax): %s\n\n%s" % (path, error, traceback.format_exc())
        )
        raise _same(error, text) from None
    classes = [found for _, found in sorted(inspect.getmembers(module, inspect.isclass)) if _is_action(found, module)]
    if not classes:
        raise Exception('File "%s" has no action class or the file doesn\'t exist.' % path)
    return classes[0]


def _load(name, path):
    """The module in a file, under the file's name, as an import of it by its neighbours finds it."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("%s is not the path of a Python file" % path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _is_action(found, module):
    run = getattr(found, "run", None)
    return found.__module__ == module.__name__ and callable(run) and not getattr(run, "__isabstractmethod__", False)


def _same(error, text):
    """An exception of the same class with this text, where that class takes one."""
    try:
        return type(error)(text)
    except Exception:
        return Exception(text)
