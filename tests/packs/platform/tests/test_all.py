import json

from counter import Counter
from remember import Remember
from st2common.exceptions.action import InvalidActionParameterException
from st2tests.base import BaseActionAliasTestCase, BaseActionTestCase, BaseSensorTestCase
from st2tests.mocks.sensor import MockSensorService, MockSensorWrapper


class RememberTestCase(BaseActionTestCase):
    action_cls = Remember

    def test_a_value_is_kept_in_the_datastore(self):
        action = self.get_action_instance({"prefix": "p-"})
        self.assertEqual(action.run("Name", "one")[1]["before"], None)
        done, told = action.run("Name", "two")
        self.assertTrue(done)
        self.assertEqual((told["before"], told["at"]), ("p-one", "2026-01-02T03:04:05.000000Z"))
        self.assertEqual(self.action_service.get_value("name"), "p-two")
        self.assertEqual([pair.value for pair in self.action_service.list_values()], ["p-two"])
        self.assertTrue(self.action_service.delete_value("name"))
        self.assertFalse(self.action_service.delete_value("name"))

    def test_a_missing_key_of_the_configuration_is_explained(self):
        action = self.get_action_instance({"prefix": "p-"})
        self.assertRaisesRegex(ValueError, 'Config for pack "tests" is missing', lambda: action.config["nosuch"])
        bare = self.get_action_instance()
        self.assertRaisesRegex(ValueError, 'Config for pack "tests" is missing', lambda: bare.config["nosuch"])

    def test_a_wrong_parameter_is_an_exception(self):
        self.assertRaises(InvalidActionParameterException, self.get_action_instance().run, "", "x")

    def test_fixtures_are_found(self):
        self.assertEqual(json.loads(self.get_fixture_content("given.json")), {"from": "a file"})


class CounterTestCase(BaseSensorTestCase):
    sensor_cls = Counter

    def test_each_look_is_told(self):
        sensor = self.get_sensor_instance(config={"x": 1}, poll_interval=7)
        self.assertEqual((sensor.get_poll_interval(), sensor.config, sensor._config), (7, {"x": 1}, {"x": 1}))
        sensor.setup()
        sensor.poll()
        sensor.poll()
        self.assertEqual(len(self.get_dispatched_triggers()), 2)
        self.assertEqual(self.get_last_dispatched_trigger()["payload"], {"count": 2})
        self.assertTriggerDispatched("platform.counted", {"count": 1}, {"trace_tag": "t"})
        self.assertRaises(AssertionError, self.assertTriggerDispatched, "platform.counted", {"count": 3})

    def test_a_service_can_be_made_alone(self):
        service = MockSensorService(MockSensorWrapper(pack="platform", class_name="Counter"))
        service.set_value("a", "1")
        self.assertEqual(service.get_value("a"), "1")
        self.assertEqual(service.get_user_info()["username"], "admin")


class AliasTestCase(BaseActionAliasTestCase):
    action_alias_name = "remember"

    def test_commands_are_understood(self):
        formats = self.action_alias_db.get_format_strings()
        self.assertEqual(len(formats), 3)
        self.assertCommandMatchesExactlyOneFormatString(formats, "remember a as b")
        self.assertExtractedParametersMatch(formats[0], 'remember "a name" as b', {"name": "a name", "value": "b"})
        self.assertExtractedParametersMatch(formats[1], "keep a", {"name": "a", "value": None})
        self.assertExtractedParametersMatch(formats[1], "keep a as b", {"name": "a", "value": "b"})
        self.assertExtractedParametersMatch(formats[2], "note b under", {"name": "last", "value": "b"})
        self.assertExtractedParametersMatch(formats[2], "note b under c", {"name": "c", "value": "b"})
        self.assertExtractedParametersMatch(
            formats[0], "remember a as b ttl=5", {"name": "a", "value": "b", "ttl": "5"}
        )
        self.assertRaises(AssertionError, self.assertCommandMatchesExactlyOneFormatString, formats, "forget a")
