"""Virtualenvs of packs: made by uv, which links packages from its cache; by `venv` and pip where uv is not there."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from squall.adapters.installing import interpreters
from squall.adapters.installing.commands import CommandError, run
from squall.adapters.installing.default_packages import DefaultPackages, link
from squall.adapters.installing.failures import explain
from squall.adapters.removing import remove
from squall.core.errors import InvalidError

_SEED = ("setuptools<81", "wheel")


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """What a virtualenv is made of. `options` go to every command that installs.

    `requirements`, `constraints` and `overrides` are files, which need not be there; an override replaces what any
    package asks for.

    `packages` is the folder of the default packages; `python` asks for an interpreter (None: `own`, the server's).
    """

    requirements: Sequence[Path]
    packages: Path
    constraints: Path | None = None
    overrides: Path | None = None
    options: Sequence[str] = ()
    python: str | None = None
    own: str = sys.executable


def make_virtualenv(at: Path, recipe: Recipe, env: Mapping[str, str]) -> None:
    """Makes the virtualenv `at`. Raises `InvalidError` that names the requirement that failed, and what it lacks."""
    environment = _environment(env)
    uv = interpreters.installer()
    python = interpreters.find(recipe.python, uv, environment, recipe.own)
    try:
        if uv is not None:
            # Not `--relocatable`: the path of a version never changes. The link to it may.
            words = [*uv, "venv", "--no-project", "--python", python, str(at)]
        else:
            words = [python, "-m", "venv", str(at)]
        run(words, "the virtualenv cannot be made", environment)
        _install_requirements(at, uv, recipe, environment)
        inner = str(at / "bin" / "python")
        command = [*_installer(at, uv), *recipe.options, "--target"]
        packages = DefaultPackages(recipe.packages)
        link(at, packages.provide(inner, lambda folder: [*command, str(folder)], environment))
    except InvalidError:
        remove(at.parent, at)
        raise


def install(at: Path, requirements: Sequence[str], options: Sequence[str], env: Mapping[str, str]) -> None:
    """Installs more into a virtualenv. Raises `InvalidError`."""
    words = [*_installer(at, interpreters.installer()), *options, *requirements]
    run(words, f"{', '.join(requirements)} cannot be installed", _environment(env))


def _install_requirements(at: Path, uv: list[str] | None, recipe: Recipe, env: Mapping[str, str]) -> None:
    """Installs what the files ask for. What cannot be built is tried again as it was built long ago: with setuptools
    and wheel in the virtualenv, and without isolation. Raises `InvalidError`."""
    command = [*_installer(at, uv), *recipe.options]
    named = [word for path in recipe.requirements if path.is_file() for word in ("-r", str(path))]
    if recipe.constraints is not None and recipe.constraints.is_file():
        named += ["-c", str(recipe.constraints)]
    if recipe.overrides is not None and recipe.overrides.is_file():
        if uv is None:
            raise InvalidError(f"{recipe.overrides}: only uv installs with overrides, and it is not on this machine")
        named += ["--overrides", str(recipe.overrides)]
    if "-r" not in named:
        return None
    try:
        return run([*command, *named], "the requirements of the pack cannot be met", env)
    except CommandError as error:
        failure = explain(error.errors)
        if not failure.is_build:
            raise InvalidError(str(failure)) from error
    print(
        f"{failure}\nOnce more, with {' and '.join(_SEED)} in the virtualenv and without build isolation.", flush=True
    )
    try:
        run([*command, *_SEED], "what builds packages cannot be had", env)
        run([*command, "--no-build-isolation", *named], "the requirements of the pack cannot be met", env)
    except CommandError as error:
        again = explain(error.errors)
        # The second try lacks what the package declares for its build; the first one says more, unless that was all.
        raise InvalidError(str(again if failure.isolated and again.is_build else failure)) from error
    return None


def _installer(at: Path, uv: list[str] | None) -> list[str]:
    python = str(at / "bin" / "python")
    return [*uv, "pip", "install", "--python", python] if uv is not None else [python, "-m", "pip", "install"]


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    """Without what belongs to the process that asks; pip's settings of offline sites hold for uv as well."""
    kept = {name: value for name, value in env.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")}
    for theirs, ours in (("PIP_FIND_LINKS", "UV_FIND_LINKS"), ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
                         ("PIP_EXTRA_INDEX_URL", "UV_INDEX"), ("PIP_NO_INDEX", "UV_NO_INDEX")):  # fmt: skip
        if env.get(theirs) and ours not in kept:
            # pip separates places by spaces, and so does uv, but for those of links.
            kept[ours] = ",".join(env[theirs].split()) if ours == "UV_FIND_LINKS" else env[theirs]
    kept.setdefault("UV_LINK_MODE", "hardlink" if os.name == "posix" else "copy")
    kept.setdefault("UV_NO_PROGRESS", "1")
    kept.setdefault("UV_PYTHON_DOWNLOADS", "never")
    return kept
