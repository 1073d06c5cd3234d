"""Configurations of packs: checked, kept with their secrets sealed, and rendered for a user."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.doubles.assembly import Assembly
from tests.schema_shapes import HIDDEN, SHAPES, Shape

from squall.adapters.packs.configs import ConfigFiles
from squall.core.content.action import Pack
from squall.core.content.keyvalue import SYSTEM, USER
from squall.core.errors import InvalidError, NotFoundError
from squall.services.content.keys import NewValue
from squall.services.content.pack_configs import PackConfigs
from squall.testing.samples import sample_pack

pytestmark = pytest.mark.anyio

SCHEMA = """
region: {type: string, required: true, default: eu}
port: {type: integer}
token: {type: string, secret: true}
hosts:
  type: object
  patternProperties:
    "^h": {type: object, properties: {name: {type: string, required: true}, password: {secret: true}}}
  additionalProperties: false
"""


class Configured:
    """An assembly with pack `mine`, which has a schema."""

    def __init__(self, squall: Assembly, folder: Path) -> None:
        (folder / "mine").mkdir()
        (folder / "mine" / "config.schema.yaml").write_text(SCHEMA)
        self.file = folder / "configs" / "mine.yaml"
        files = ConfigFiles(folder / "configs", squall.vault.open)
        self.configs = PackConfigs(squall.content, files, squall.keys, squall.vault)
        self.keys = squall.keys
        self.vault = squall.vault
        squall.source.packs.append((sample_pack("mine", 7, path=str(folder / "mine")), []))
        squall.source.packs.append((sample_pack("bare", 8, path=str(folder)), []))
        self.content = squall.content
        self.registration = squall.registration

    async def pack(self) -> Pack:
        await self.registration.register()
        return await self.content.pack("mine")

    async def values(self, user: str = "ada") -> Any:
        return (await self.configs.rendered(await self.pack(), user)).values


@pytest.fixture
async def configured(squall: Assembly, tmp_path: Path) -> Configured:
    made = Configured(squall, tmp_path)
    await made.pack()
    return made


async def test_what_is_put_is_kept_with_its_secrets_sealed_and_shown_masked(configured: Configured) -> None:
    given = {"token": "t0ps3cret", "hosts": {"h1": {"name": "x", "password": "pw-of-h1"}}, "unknown": [1]}
    shown = await configured.configs.put("mine", given, False)
    assert shown["values"] == {
        "token": "********", "hosts": {"h1": {"name": "x", "password": "********"}}, "unknown": [1],
    }  # fmt: skip
    text = configured.file.read_text()
    assert "t0ps3cret" not in text
    assert "pw-of-h1" not in text
    assert configured.file.stat().st_mode & 0o777 == 0o600
    config = await configured.configs.rendered(await configured.pack(), "ada")
    assert config.values == {**given, "region": "eu"}
    assert set(config.secrets) == {"t0ps3cret", "pw-of-h1"}
    assert (await configured.configs.of_pack("mine", True))["values"] == given


async def test_what_is_put_and_looks_like_a_sealed_value_stays_what_it_is(configured: Configured) -> None:
    envelope = configured.vault.seal("stolen")
    given = {
        "unknown": {"$sealed": envelope},
        "$sealed": "junk",
        "list": [{"$sealed": "junk"}],
        "more": {"$$sealed": 1},
    }
    assert (await configured.configs.put("mine", given, True))["values"] == given
    assert await configured.values() == {**given, "region": "eu"}
    assert (await configured.configs.put("mine", {"$sealed": "junk"}, True))["values"] == {"$sealed": "junk"}


async def test_a_file_with_a_value_of_another_key_file_is_refused_by_its_name(configured: Configured) -> None:
    configured.file.parent.mkdir(exist_ok=True)
    configured.file.write_text("token: {$sealed: junk}\n")
    with pytest.raises(InvalidError, match=r"mine.yaml: .* key file"):
        await configured.configs.rendered(await configured.pack(), "ada")


async def test_a_secret_that_is_sent_back_as_asterisks_stays_what_it_was(configured: Configured) -> None:
    await configured.configs.put("mine", {"token": "t0ps3cret"}, False)
    await configured.configs.put("mine", {"token": "********", "region": "us"}, False)
    assert await configured.values() == {"token": "t0ps3cret", "region": "us"}


async def test_asterisks_for_a_secret_default_leave_it_in_use_and_for_an_unknown_secret_are_refused(
    configured: Configured,
) -> None:
    schema = Path((await configured.pack()).path) / "config.schema.yaml"
    schema.write_text(SCHEMA + "key: {secret: true, default: real-default}\n")
    assert (await configured.configs.schema("mine"))["attributes"]["key"]["default"] == "********"
    shown = await configured.configs.put("mine", {"key": "********"}, False)
    assert shown["values"] == {}
    config = await configured.configs.rendered(await configured.pack(), "ada")
    assert config.values["key"] == "real-default"
    assert "real-default" in config.secrets
    with pytest.raises(InvalidError, match=r'as the secret "hosts.h1.password"'):
        await configured.configs.put("mine", {"hosts": {"h1": {"name": "x", "password": "********"}}}, False)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
async def test_every_part_that_a_schema_marks_is_sealed_in_the_file_and_masked(
    configured: Configured, shape: Shape
) -> None:
    pack = await configured.pack()
    schema = json.loads(json.dumps(shape.schema).replace("#/", "#/properties/x/"))
    (Path(pack.path) / "config.schema.yaml").write_text(json.dumps({"x": schema}))
    shown = await configured.configs.put("mine", {"x": shape.value}, False)
    assert shown["values"] == {"x": shape.masked}
    assert HIDDEN not in configured.file.read_text()
    assert (await configured.configs.put("mine", shown["values"], True))["values"] == {"x": shape.value}
    config = await configured.configs.rendered(pack, "ada")
    assert config.values["x"] == shape.value
    assert HIDDEN in config.secrets


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"region": 5}, '"region" in config for pack "mine" ({path}): 5 is not of type \'string\''),
        ({"token": 5}, '"token" in config for pack "mine" ({path}): the value does not fit the schema'),
        (
            {"hosts": {"h1": {"name": 5}}},
            '"hosts.h1.name" in config for pack "mine" ({path}): the value does not fit the schema',
        ),
        ({"hosts": {"h1": {}}}, '"hosts.h1" in config for pack "mine" ({path}): \'name\' is a required property'),
        ({"hosts": {"x": {}}}, '"hosts" in config for pack "mine" ({path}): \'x\' does not match any of the regexes'),
    ],
)
async def test_a_wrong_value_is_told_by_its_path_and_nothing_is_kept(
    configured: Configured, values: Any, told: str
) -> None:
    with pytest.raises(InvalidError) as caught:
        await configured.configs.put("mine", values, False)
    assert str(caught.value).startswith("Failed validating attribute " + told.format(path=configured.file))
    assert not configured.file.exists()


async def test_a_pack_without_a_schema_cannot_be_configured(configured: Configured) -> None:
    for pack in ("bare", "nosuch"):
        with pytest.raises(NotFoundError, match="Unable to find the ConfigSchemaDB instance"):
            await configured.configs.put(pack, {}, False)


async def test_values_may_come_from_the_datastore_and_be_each_users_own(configured: Configured) -> None:
    await configured.keys.put(SYSTEM, "", "token", NewValue(value="t0ps3cret", secret=True))
    await configured.keys.put(USER, "ada", "region", NewValue(value="us"))
    given = {
        "region": "{{ st2kv.user.region }}",
        "token": "{{ st2kv.system.token }}",
        "port": "{{ st2kv.system.port }}",
    }
    await configured.configs.put("mine", given, False)
    config = await configured.configs.rendered(await configured.pack(), "ada")
    assert (config.values["region"], config.values["token"], config.secrets) == ("us", "t0ps3cret", ("t0ps3cret",))
    assert (await configured.values("bob"))["region"] == ""


async def test_what_is_made_from_a_decrypted_key_is_a_secret_as_a_whole(configured: Configured) -> None:
    await configured.keys.put(SYSTEM, "", "token", NewValue(value="t0ps3cret", secret=True))
    await configured.configs.put("mine", {"region": "by {{ st2kv.system.token | decrypt_kv }}"}, False)
    config = await configured.configs.rendered(await configured.pack(), "ada")
    assert config.values["region"] == "by t0ps3cret"
    assert set(config.secrets) == {"t0ps3cret", "by t0ps3cret"}


async def test_a_template_that_fails_names_its_value(configured: Configured) -> None:
    await configured.configs.put("mine", {"region": "{{ st2kv.system.a }}{{ 1 / 0 }}"}, False)
    with pytest.raises(InvalidError, match='dynamic configuration value for key "region"'):
        await configured.values()


BROKEN = [
    "{{ 1 + }}",
    "{{ st2kv.system.a",
    "{{ st2kv.system.a | nosuch }}",
    "{% if %}",
    "{{ other.name }}",
    "a }} {{ b",
]


@pytest.mark.parametrize("text", BROKEN)
@pytest.mark.parametrize("shape", ["region: '{}'", "port: '{}'", "unknown: [{{a: '{}'}}]"])
async def test_a_template_that_cannot_be_rendered_is_told_and_never_reaches_an_action(
    configured: Configured, text: str, shape: str
) -> None:
    values = yaml.safe_load(shape.format(text))
    key = ".".join({"unknown": ["unknown", "0", "a"]}.get(next(iter(values)), list(values)))
    with pytest.raises(InvalidError, match=f'attribute "{key}" in config for pack "mine"') as caught:
        await configured.configs.put("mine", values, False)
    assert f'the template "{text}" is wrong: ' in str(caught.value)
    configured.file.parent.mkdir(exist_ok=True)
    configured.file.write_text(shape.format(text))
    _, [wrong] = await configured.configs.check(["mine"])
    assert text in wrong
    with pytest.raises(InvalidError, match='for pack "mine" config') as caught:
        await configured.values()
    assert text in str(caught.value)


async def test_a_secret_with_braces_is_not_quoted(configured: Configured) -> None:
    with pytest.raises(InvalidError, match='"token" in config for pack "mine"') as caught:
        await configured.configs.put("mine", {"token": "pass{{word"}, False)
    assert "pass{{word" not in str(caught.value)
    configured.file.parent.mkdir()
    configured.file.write_text("token: 'pass{{word'\n")
    with pytest.raises(InvalidError, match='key "token"') as caught:
        await configured.values()
    assert "pass{{word" not in str(caught.value)


async def test_a_template_of_the_file_is_rendered_and_text_in_a_default_stays(configured: Configured) -> None:
    schema = Path((await configured.pack()).path) / "config.schema.yaml"
    schema.write_text("sum: {}\nformat: {default: 'Hello {{ user'}\nkey: {default: 'a {{ st2kv.system.none }}'}\n")
    await configured.configs.put("mine", {"sum": "{{ 1 + 1 }}"}, False)
    assert await configured.values() == {"sum": "2", "format": "Hello {{ user", "key": "a "}


async def test_a_null_stands_for_what_is_optional(configured: Configured) -> None:
    schema = Path((await configured.pack()).path) / "config.schema.yaml"
    schema.write_text(
        """
top: {type: string, required: false}
must: {type: string, required: true, default: null}
opts:
  type: object
  required: true
  additionalProperties: false
  properties:
    since: {type: string, default: null}
    port: {type: integer, default: "8088"}
    name: {type: string, required: true}
"""
    )
    given = {"top": None, "opts": {"since": None, "name": "x"}}
    await configured.configs.put("mine", given, False)
    assert await configured.values() == {
        "top": None, "must": None, "opts": {"since": None, "port": "8088", "name": "x"},
    }  # fmt: skip
    with pytest.raises(
        InvalidError, match=r'"opts\.name" in config for pack "mine" .*: None is not of type \'string\''
    ):
        await configured.configs.put("mine", {"opts": {"name": None}}, False)
    with pytest.raises(InvalidError, match=r'"opts\.port" in config for pack "mine" .*: \'8088\' is not of type'):
        await configured.configs.put("mine", {"opts": {"name": "x", "port": "8088"}}, False)


async def test_a_configuration_that_nests_too_deep_is_told(configured: Configured) -> None:
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    with pytest.raises(InvalidError, match="nests more than 200 times"):
        await configured.configs.put("mine", {"unknown": deep}, False)


async def test_what_is_wrong_in_files_is_found_when_packs_are_registered(configured: Configured) -> None:
    assert await configured.configs.check(["mine", "bare"]) == (0, [])
    configured.file.parent.mkdir()
    configured.file.write_text("port: many\n")
    count, [wrong] = await configured.configs.check(["mine"])
    assert count == 1
    assert wrong.startswith('mine: Failed validating attribute "port"')


@pytest.mark.parametrize(
    "text", ["port: a word\n", "hosts: {x1: {}}\n", "region: '{{ nonsense }}'\n", "a: [\n", "[1]\n"]
)
async def test_a_refused_change_leaves_the_last_accepted_values_in_use(configured: Configured, text: str) -> None:
    configured.file.parent.mkdir()
    configured.file.write_text("port: 1\n")
    assert (await configured.values())["port"] == 1
    configured.file.write_text(text)
    assert (await configured.configs.check(["mine"]))[1]
    for _ in range(2):
        assert await configured.values() == {"port": 1, "region": "eu"}
    configured.file.write_text("port: 23\n")
    assert (await configured.values())["port"] == 23
    configured.file.unlink()
    assert await configured.values() == {"region": "eu"}


async def test_a_refused_configuration_is_not_used_if_none_was_accepted(configured: Configured) -> None:
    configured.file.parent.mkdir()
    configured.file.write_text("port: a word\n")
    for _ in range(2):
        with pytest.raises(InvalidError, match='attribute "port" in config for pack "mine"'):
            await configured.values()


async def test_a_change_of_the_schema_that_refuses_the_values_leaves_them_in_use(
    configured: Configured, tmp_path: Path
) -> None:
    configured.file.parent.mkdir()
    configured.file.write_text("port: 1\n")
    assert (await configured.values())["port"] == 1
    (tmp_path / "mine" / "config.schema.yaml").write_text("port: {type: string}\n")
    assert (await configured.values())["port"] == 1


async def test_a_refusal_is_logged_once(configured: Configured, caplog: pytest.LogCaptureFixture) -> None:
    configured.file.parent.mkdir()
    configured.file.write_text("port: 1\n")
    await configured.values()
    configured.file.write_text("port: a word\n")
    for _ in range(3):
        await configured.values()
    assert [record.getMessage() for record in caplog.records if record.name == "squall.packs"] == [
        "a changed configuration is refused; actions get the former"
    ]
