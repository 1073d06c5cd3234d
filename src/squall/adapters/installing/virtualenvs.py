"""Creates virtualenvs of packs: with uv, which links packages from its cache, or with `venv` and pip without uv."""

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
    """The contents of a virtualenv. Every install command gets the `options`.

    `requirements`, `constraints` and `overrides` are files, which need not exist. An override replaces the requirements
    of all packages.

    `packages` is the folder of the default packages. `python` requests an interpreter (None: `own`, the server's).
    """

    requirements: Sequence[Path]
    packages: Path
    constraints: Path | None = None
    overrides: Path | None = None
    options: Sequence[str] = ()
    python: str | None = None
    own: str = sys.executable


def make_virtualenv(at: Path, recipe: Recipe, env: Mapping[str, str]) -> None:
    """Creates the virtualenv `at`. Raises `InvalidError` that names the failed requirement and its missing part."""
    environment = _environment(env)
    uv = interpreters.installer()
    python = interpreters.find(recipe.python, uv, environment, recipe.own)
    try:
        if uv is not None:
            # `--relocatable` is not needed, because the path of a version never changes, only the link to it.
            words = [*uv, "venv", "--no-project", "--python", python, str(at)]
        else:
            words = [python, "-m", "venv", str(at)]
        run(words, "the virtualenv cannot be created", environment)
        _install_requirements(at, uv, recipe, environment)
        inner = str(at / "bin" / "python")
        command = [*_installer(at, uv), *recipe.options, "--target"]
        packages = DefaultPackages(recipe.packages)
        link(at, packages.provide(inner, lambda folder: [*command, str(folder)], environment))
    except InvalidError:
        remove(at.parent, at)
        raise


def install(at: Path, requirements: Sequence[str], options: Sequence[str], env: Mapping[str, str]) -> None:
    """Installs further requirements into a virtualenv. Raises `InvalidError`."""
    words = [*_installer(at, interpreters.installer()), *options, *requirements]
    run(words, f"{', '.join(requirements)} cannot be installed", _environment(env))


def _install_requirements(at: Path, uv: list[str] | None, recipe: Recipe, env: Mapping[str, str]) -> None:
    """Installs the requirements of the files. If a build fails, tries again as older installers built: with setuptools
    and wheel in the virtualenv, and without isolation. Raises `InvalidError`."""
    command = [*_installer(at, uv), *recipe.options]
    files = [word for path in recipe.requirements if path.is_file() for word in ("-r", str(path))]
    if recipe.constraints is not None and recipe.constraints.is_file():
        files += ["-c", str(recipe.constraints)]
    if recipe.overrides is not None and recipe.overrides.is_file():
        if uv is None:
            raise InvalidError(f"{recipe.overrides}: only uv installs with overrides, and it is not on this machine")
        files += ["--overrides", str(recipe.overrides)]
    if "-r" not in files:
        return None
    try:
        return run([*command, *files], "the requirements of the pack cannot be met", env)
    except CommandError as error:
        failure = explain(error.errors)
        if not failure.is_build:
            raise InvalidError(str(failure)) from error
    print(
        f"{failure}\nTrying again with {' and '.join(_SEED)} in the virtualenv and without build isolation.", flush=True
    )
    try:
        run([*command, *_SEED], "the packages that build others cannot be installed", env)
        run([*command, "--no-build-isolation", *files], "the requirements of the pack cannot be met", env)
    except CommandError as error:
        second = explain(error.errors)
        # The second try ignores the build requirements that the package declares, so the first failure says more,
        # unless it was only about a missing module.
        raise InvalidError(str(second if failure.isolated and second.is_build else failure)) from error
    return None


def _installer(at: Path, uv: list[str] | None) -> list[str]:
    python = str(at / "bin" / "python")
    return [*uv, "pip", "install", "--python", python] if uv is not None else [python, "-m", "pip", "install"]


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables for installers, without those of the calling process's own Python. Settings of pip for
    offline sites also apply to uv."""
    variables = {name: value for name, value in env.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")}
    for pip_name, uv_name in (("PIP_FIND_LINKS", "UV_FIND_LINKS"), ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
                         ("PIP_EXTRA_INDEX_URL", "UV_INDEX"), ("PIP_NO_INDEX", "UV_NO_INDEX")):  # fmt: skip
        if env.get(pip_name) and uv_name not in variables:
            # Both separate places by spaces, except that uv separates those of links by commas.
            variables[uv_name] = ",".join(env[pip_name].split()) if uv_name == "UV_FIND_LINKS" else env[pip_name]
    variables.setdefault("UV_LINK_MODE", "hardlink" if os.name == "posix" else "copy")
    variables.setdefault("UV_NO_PROGRESS", "1")
    variables.setdefault("UV_PYTHON_DOWNLOADS", "never")
    return variables
