"""What adapters and services are given by the settings."""

from __future__ import annotations

import os
import pwd

import msgspec
import pytest

from squall.assembly.arguments import emit_when, environments
from squall.config import Settings
from squall.config.settings import Actionrunner, ActionSensor
from squall.core.errors import ConfigError

SERVER = {"PATH": "/bin", "ACME_KEY": "k", "AWS_SECRET_ACCESS_KEY": "s", "SQUALL_PORT": "1", "PIP_INDEX_URL": "i"}


def _settings(*entries: str) -> Settings:
    return msgspec.structs.replace(Settings(), actionrunner=Actionrunner(environment=entries))


def test_each_process_gets_its_part_of_the_servers_environment() -> None:
    user = pwd.getpwuid(os.geteuid())
    account = {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name, "PATH": "/bin"}
    made = environments(Settings(), SERVER)
    assert made.actions == made.reaching == {**account, "PYTHONUNBUFFERED": "1"}
    assert made.keeper == account
    assert made.installing == {**account, "PIP_INDEX_URL": "i"}
    assert made.lines == {**account, "AWS_SECRET_ACCESS_KEY": "s"}


def test_the_setting_adds_variables_for_actions_and_keepers_only() -> None:
    made = environments(_settings("ACME_*", "REGION=eu", "PYTHONUNBUFFERED="), SERVER)
    for each in (made.actions, made.reaching, made.installing, made.keeper):
        assert (each["ACME_KEY"], each["REGION"]) == ("k", "eu")
    assert "ACME_KEY" not in made.lines


def test_a_wrong_entry_ends_the_start() -> None:
    with pytest.raises(ConfigError, match=r"actionrunner\.environment: .*SQUALL_"):
        environments(_settings("SQUALL_*"), SERVER)


def test_the_action_trigger_tells_of_the_statuses_that_are_listed() -> None:
    assert emit_when(Settings()) == {"succeeded", "failed", "timeout", "canceled", "abandoned"}
    listed = msgspec.structs.replace(Settings(), action_sensor=ActionSensor(emit_when=" running, failed ,"))
    assert emit_when(listed) == {"running", "failed"}
    assert emit_when(msgspec.structs.replace(Settings(), action_sensor=ActionSensor(enable=False))) == set()
    wrong = msgspec.structs.replace(Settings(), action_sensor=ActionSensor(emit_when="done"))
    with pytest.raises(ConfigError, match=r"action_sensor\.emit_when: done is no status"):
        emit_when(wrong)
