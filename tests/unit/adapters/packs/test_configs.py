from __future__ import annotations

from pathlib import Path

import pytest

from squall.adapters.packs.configs import ConfigFiles
from squall.core.errors import InvalidError
from squall.testing.samples import sample_pack


def test_a_config_has_the_defaults_of_its_schema_and_knows_its_secrets(tmp_path: Path) -> None:
    pack = sample_pack("mine", path=str(tmp_path))
    (tmp_path / "config.schema.yaml").write_text("region: {default: eu}\ntoken: {secret: true}\n")
    configs = ConfigFiles(tmp_path / "configs", str.upper)
    assert (configs.load(pack).values, configs.load(pack).secrets) == ({"region": "eu"}, ())
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "mine.yaml").write_text("token: hunter2\n")
    found = configs.load(pack)
    assert (found.values, found.secrets) == ({"token": "hunter2", "region": "eu"}, ("hunter2",))
    assert found.path == str(tmp_path / "configs" / "mine.yaml")
    assert configs.load(pack) is found


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "text"])
def test_a_config_that_cannot_be_read_names_its_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(InvalidError, match=r"mine\.yaml"):
        ConfigFiles(tmp_path, str.upper).load(sample_pack("mine", path=str(tmp_path)))
