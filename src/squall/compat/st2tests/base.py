"""What tests of packs derive from. Standard library only, Python 3.8; tests of aliases need PyYAML."""

from __future__ import annotations

import inspect
import os
import re
import unittest

from squall_aliases import extract, extract_all
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
        found = extract_all(format_string, command) if match_multiple else _extract(format_string, command)
        if found is None or (match_multiple and not found):
            raise AssertionError('Command "%s" didn\'t match format string "%s"' % (command, format_string))
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


def _extract(format_string, command):
    """The parameters in a command, or None if it is not like the format."""
    try:
        return extract(format_string, command)
    except re.error:
        return None
