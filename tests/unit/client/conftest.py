from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest


def load_fake() -> ModuleType:
    """The fake server's module: test folders are no packages, so it is loaded by its path, once."""
    name = "squall_tests_fake_squall"
    if name not in sys.modules:
        spec = spec_from_file_location(name, Path(__file__).parent.parent / "client" / "fake_squall.py")
        assert spec is not None and spec.loader is not None
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="session")
def fake() -> ModuleType:
    return load_fake()
