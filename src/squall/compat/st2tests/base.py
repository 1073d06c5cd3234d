"""What tests of packs derive from. Standard library only, Python 3.8; tests of aliases need PyYAML."""

from __future__ import annotations

import inspect
import os
import re
import unittest

from st2common.runners.utils import PackConfigDict, get_action_class_instance

from st2tests.mocks.action import MockActionService, MockActionWrapper
from st2tests.mocks.datastore import MockDatastoreService
from st2tests.mocks.sensor import MockSensorService, MockSensorWrapper

__all__ = [
    "BaseActionAliasTestCase",
    "BaseActionTestCase",
    "BasePackResourceTestCase",
    "BaseSensorTestCase",
    "MockActionService",
    "MockDatastoreService",
    "MockSensorService",
]


class BasePackResourceTestCase(unittest.TestCase):
    """Tests of something in a pack's `tests` folder."""

    def get_fixture_content(self, fixture_path):
        """The text of a file in `tests/fixtures`."""
        with open(os.path.join(self._tests(), "fixtures", fixture_path), encoding="utf-8") as file:
            return file.read()

    @classmethod
    def _tests(cls):
        """The folder `tests` of the pack; of a test below it, too."""
        folder = os.path.dirname(os.path.abspath(inspect.getfile(cls)))
        above = folder
        while os.path.basename(above) and not os.path.isfile(os.path.join(os.path.dirname(above), "pack.yaml")):
            above = os.path.dirname(above)
        return above if os.path.basename(above) else folder


class BaseActionTestCase(BasePackResourceTestCase):
    """Tests of the action `action_cls`."""

    action_cls = None

    def setUp(self):
        """Makes the service that instances are given."""
        super().setUp()
        class_name = self.action_cls.__name__ if self.action_cls else "tests"
        self.action_service = MockActionService(MockActionWrapper(pack="tests", class_name=class_name))

    def get_action_instance(self, config=None):
        """An instance with this config."""
        return get_action_class_instance(
            action_cls=self.action_cls,
            config=PackConfigDict("tests", config) if config else None,
            action_service=self.action_service,
        )


class BaseSensorTestCase(BasePackResourceTestCase):
    """Tests of the sensor `sensor_cls`."""

    sensor_cls = None

    def setUp(self):
        """Makes the service that instances are given."""
        super().setUp()
        class_name = self.sensor_cls.__name__ if self.sensor_cls else "tests"
        self.sensor_service = MockSensorService(MockSensorWrapper(pack="tests", class_name=class_name))

    def get_sensor_instance(self, config=None, poll_interval=None):
        """An instance with this config; `poll_interval` is given only where there is one."""
        given = {"config": config} if config else {}
        if poll_interval is not None:
            given["poll_interval"] = poll_interval
        return self.sensor_cls(sensor_service=self.sensor_service, **given)

    def get_dispatched_triggers(self):
        """What was dispatched so far: dicts with `trigger`, `payload` and `trace_context`."""
        return self.sensor_service.dispatched_triggers

    def get_last_dispatched_trigger(self):
        """The one that was dispatched last."""
        return self.sensor_service.dispatched_triggers[-1]

    def assertTriggerDispatched(self, trigger, payload=None, trace_context=None):
        """Whether a trigger was dispatched: with this payload and trace, where they are given."""
        for found in self.get_dispatched_triggers():
            if found["trigger"] != trigger:
                continue
            if payload is not None and found["payload"] != payload:
                continue
            if trace_context is not None and found["trace_context"] != trace_context:
                continue
            return True
        raise AssertionError('Trigger "%s" hasn\'t been dispatched' % trigger)


class BaseActionAliasTestCase(BasePackResourceTestCase):
    """Tests of the alias `action_alias_name`, which is in the pack's folder `aliases`."""

    action_alias_name = None
    action_alias_db = None

    def setUp(self):
        """Reads the alias."""
        super().setUp()
        if not self.action_alias_name:
            raise ValueError('"action_alias_name" class attribute needs to be specified')
        self.action_alias_db = self._read(os.path.join(os.path.dirname(self._tests()), "aliases"))

    def _read(self, folder):
        import yaml

        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            if name.endswith((".yaml", ".yml")):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    data = yaml.safe_load(file)
                if isinstance(data, dict) and data.get("name") == self.action_alias_name:
                    return _Alias(data)
        raise ValueError('Alias with name "%s" not found' % self.action_alias_name)

    def assertCommandMatchesExactlyOneFormatString(self, format_strings, command):
        """One of the formats fits the command, and no other one."""
        matched = [text for text in format_strings if _extract(text, command) is not None]
        if not matched:
            raise AssertionError('Command "%s" didn\'t match any of the provided format strings' % command)
        if len(matched) > 1:
            raise AssertionError(
                'Command "%s" matched multiple format strings: %s' % (command, ", ".join(sorted(matched)))
            )

    def assertCommandMatchesFormatString(self, format_string, command):
        """The format fits the command."""
        if _extract(format_string, command) is None:
            raise AssertionError('Command "%s" didn\'t match format string "%s"' % (command, format_string))

    def assertExtractedParametersMatch(self, format_string, command, parameters, match_multiple=False):
        """The format fits the command, and gives these parameters."""
        found = _extract(format_string, command)
        if found is None:
            raise AssertionError('Command "%s" didn\'t match format string "%s"' % (command, format_string))
        if match_multiple and isinstance(parameters, list):
            found = [found]
        if found != parameters:
            raise AssertionError(
                "Extracted parameters from command string don't match expected ones: %r != %r" % (found, parameters)
            )


class _Alias:
    """An alias: its keys as attributes; `formats` as they are written."""

    def __init__(self, data):
        self._data = data

    def __getattr__(self, name):
        if name in ("ack", "result", "extra", "immutable_parameters"):
            return self._data.get(name) or {}
        return self._data.get(name)

    def get_format_strings(self):
        """Every text that a command may be like."""
        found = []
        for entry in self._data.get("formats") or []:
            if isinstance(entry, dict):
                texts = entry.get("representation") or []
                found += [texts] if not isinstance(texts, list) else texts
            else:
                found.append(entry)
        return found


_PARAMETER = re.compile(r"{{\s*(.+?)\s*(?:=\s*(?:{{)?\s*(.+?)\s*(?:}})?)?\s*}}")
_PAIR = re.compile(r"(\w+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|({.+?})|(\S+))")


def _pattern(format_string):
    """A format as a regular expression, and the defaults of its parameters."""
    defaults = {}
    parts = []
    at = 0
    for found in _PARAMETER.finditer(format_string):
        literal = format_string[at : found.start()]
        at = found.end()
        name, default = found.group(1), found.group(2)
        value = r"(?P<%s>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|{.+?}|.+?)" % name
        if default is None:
            parts += [literal, value]
            continue
        defaults[name] = default.strip("\"'") if default[:1] == default[-1:] and default[:1] in "\"'" else default
        # What has a default may be left out, with the space before it.
        space = literal[len(literal.rstrip()) :]
        parts += [literal.rstrip(), r"(?:%s%s)?" % (r"\s+" if space else "", value)]
    parts.append(format_string[at:])
    return "".join(parts), defaults


def _extract(format_string, command):
    """The parameters in a command, or None if it is not like the format; the formats are StackStorm's."""
    pattern, defaults = _pattern(format_string)
    pairs = r"(?P<_more>(?:\s+\w+\s*=\s*(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|{.+?}|\S+))*)"
    try:
        found = re.match(r"^\s*%s%s\s*$" % (pattern.strip(), pairs), command, re.DOTALL | re.IGNORECASE)
    except re.error:
        return None
    if found is None:
        return None
    values = dict(defaults)
    for name, value in found.groupdict().items():
        if name != "_more":
            values[name] = _unquoted(value) if value is not None else values.get(name)
    for pair in _PAIR.finditer(found.group("_more") or ""):
        values[pair.group(1)] = next(value for value in pair.groups()[1:] if value is not None)
    return values


def _unquoted(value):
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
