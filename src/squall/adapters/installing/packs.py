"""What the actions of the pack `packs` do, one function each."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import yaml

from squall.adapters.installing import interpreters
from squall.adapters.installing.commands import output
from squall.adapters.installing.imports import import_faults
from squall.adapters.installing.index import fetch_index
from squall.adapters.installing.places import Places
from squall.adapters.installing.sources import Wanted, check_tree, fetch, parse
from squall.adapters.installing.versions import Versions
from squall.adapters.installing.virtualenvs import Recipe, make_virtualenv
from squall.adapters.removing import remove
from squall.core.content.action import SYSTEM_PACKS
from squall.core.content.metadata import missing_of_pack, pack_ref, read_pack
from squall.core.errors import InvalidError
from squall.core.names import is_file_name, is_pack_name, pack_name
from squall.core.safe_yaml import load_yaml

COMPATIBLE = (3, 9, 0)
"""The version of StackStorm whose packs run here."""

_CONSTRAINT = re.compile(r"\s*(>=|<=|==|=|>>|<<|>|<)?\s*v?(\d+)(?:\.(\d+))?(?:\.(\d+))?\s*")


class Packs:
    """Installs packs into `places`; `env` is the environment of the commands that are run, `config` the
    configuration of the pack `packs`: its proxies. What is prepared is seen by the same `installation` only, the id of
    a workflow's execution; empty: by those that belong to none."""

    def __init__(
        self,
        places: Places,
        env: Mapping[str, str],
        config: Mapping[str, Any] | None = None,
        installation: str = "",
    ) -> None:
        self._places = places
        self._installation = installation
        # What is fetched may run code of its own while it is built: it is given no token of the server's.
        kept = {name: value for name, value in env.items() if not name.startswith(("ST2_", "SQUALL_"))}
        # On the disk of the virtualenvs: there packages can be linked, and nothing else of this machine is touched.
        kept.setdefault("UV_CACHE_DIR", str(Path(places.virtualenvs) / ".uv-cache"))
        self._env = {**kept, **_proxies(config or {})}
        self._packs = Versions(Path(places.packs))
        self._virtualenvs = Versions(Path(places.virtualenvs))

    def download(self, texts: Sequence[str], force: bool, stage: bool) -> dict[str, str]:
        """Fetches packs; `Success.` by ref. They are used at once, or, with `stage`, when they are loaded.

        Raises `InvalidError` with everything that was wrong; what could be fetched is there all the same.
        """
        done: dict[str, str] = {}
        wrong: list[str] = []
        for text in texts:
            try:
                done[self._download(parse(text), force, stage)] = "Success."
            except InvalidError as error:
                print(f"{text}: {error}", flush=True)
                wrong.append(f"{text}: {error}")
        if wrong:
            raise InvalidError("\n".join(wrong))
        return done

    def _download(self, wanted: Wanted, force: bool, stage: bool) -> str:
        print(f"== {wanted.source}{f' {wanted.version}' if wanted.version else ''}", flush=True)
        root = Path(self._places.packs)
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        work = Path(mkdtemp(prefix=".fetch-", dir=root))
        try:
            found = work / _folder_name(wanted.source)
            fetch(wanted, found, self._lookup, self._env)
            check_tree(found, self._places.max_file_bytes)
            ref, data = _read(found)
            if not force:
                _check_versions(ref, data)
            if ref in SYSTEM_PACKS:
                raise InvalidError(f'the pack "{ref}" comes with Squall, and cannot be replaced')
            with self._packs.locked(ref):
                self._packs.discard(ref, self._installation)
                self._packs.clean(ref)
                version = self._packs.new(ref)
                found.rename(version)
                self._packs.stage(ref, version, self._installation)
                if not stage:
                    self._packs.activate(ref, self._installation)
            print(f'Pack "{ref}" {data.get("version", "")} is here.', flush=True)
            return ref
        finally:
            remove(root, work)

    def _lookup(self, name: str) -> Mapping[str, Any] | None:
        packs = fetch_index(self._places.index_urls).required()
        return packs.get(name)

    def setup_virtualenv(self, ref: str, python: str | None = None) -> Path:
        """Makes the virtualenv of a pack anew: of the version that is prepared, or else of the one that is used.

        `python` asks for an interpreter, such as `3.9`, a path, or `default`; it is remembered, and None means what is
        remembered. What was used stays, until all of it is there. Raises `InvalidError`.
        """
        staged = self._packs.staged(ref, self._installation)
        folder = staged or self._places.installed(ref)
        if folder is None:
            raise InvalidError(f'Pack "{ref}" is not installed')
        request, choice = interpreters.chosen(python, self._virtualenvs.active(ref), _read(folder)[1].get("python"))
        configs = Path(self._places.configs)
        recipe = Recipe(
            requirements=[folder / "requirements.txt"],
            packages=Path(self._places.virtualenvs) / ".default-packages",
            constraints=configs / f"{ref}.constraints.txt",
            overrides=configs / f"{ref}.overrides.txt",
            options=self._places.pip_options,
            python=request,
            own=self._places.python,
        )
        with self._virtualenvs.locked(ref):
            self._virtualenvs.discard(ref, self._installation)
            self._virtualenvs.clean(ref)
            at = self._virtualenvs.new(ref)
        make_virtualenv(at, recipe, self._env)
        interpreters.remember(at, choice)
        with self._virtualenvs.locked(ref):
            self._virtualenvs.stage(ref, at, self._installation)
            if staged is None:
                self._virtualenvs.activate(ref, self._installation)
        print(f'The virtualenv of "{ref}" is ready.', flush=True)
        return at

    def dependencies(self, refs: Sequence[str], nested: int) -> dict[str, Any]:
        """What packs that were fetched depend on: what is to be fetched, and what is there in another version."""
        wanted: list[str] = []
        conflicts: list[str] = []
        for ref in refs:
            for text in self.metadata(ref).get("dependencies") or []:
                dependency = parse(str(text))
                there = self._there(dependency)
                if there is None:
                    if nested > 0 and text not in wanted:
                        wanted.append(str(text))
                elif dependency.version and dependency.version.removeprefix("v") != str(there.get("version", "")):
                    conflicts.append(f"{text} (installed: {there.get('version')})")
        return {"dependency_list": wanted, "conflict_list": conflicts, "nested": nested - 1}

    def _there(self, wanted: Wanted) -> dict[str, Any] | None:
        """The metadata of a pack that is there already."""
        name = _folder_name(wanted.source).removeprefix("stackstorm-")
        if not is_pack_name(name):
            return None
        folder = self._packs.staged(name, self._installation) or self._places.installed(name)
        return _read(folder)[1] if folder is not None else None

    def warnings(self, refs: Sequence[str]) -> list[str]:
        """What is to be known of packs that were installed."""
        told = "DEPRECATION WARNING: Pack {} only supports Python 2.x. It may not work here."
        return [told.format(ref) for ref in refs if _is_python_2(self.metadata(ref))]

    def import_faults(self, ref: str) -> list[str]:
        """Imports each file with code of a pack once, in its virtualenv; returns what fails. Raises `InvalidError`."""
        folder = self._packs.staged(ref, self._installation) or self._places.installed(ref)
        if folder is None:
            raise InvalidError(f'Pack "{ref}" is not installed')
        virtualenv = self._virtualenvs.staged(ref, self._installation) or self._virtualenvs.active(ref)
        python = virtualenv / "bin" / "python"
        if not python.exists():
            return []
        return [f"{ref}: {fault}" for fault in import_faults(folder.resolve(), str(python), self._env)]

    def metadata(self, ref: str) -> dict[str, Any]:
        """What the `pack.yaml` of a pack says. Raises `InvalidError`."""
        folder = self._packs.staged(ref, self._installation) or self._places.installed(ref)
        if folder is None:
            raise InvalidError(f'Pack "{ref}" is not installed')
        return _read(folder)[1]

    def delete(self, refs: Sequence[str], environments: bool) -> None:
        """Removes the files of packs, and their virtualenvs. Raises `InvalidError`."""
        for ref in [pack_name(ref) for ref in refs]:
            if ref in SYSTEM_PACKS:
                raise InvalidError(f'Uninstall of system packs is not allowed: "{ref}"')
            with self._packs.locked(ref):
                if self._packs.remove(ref):
                    print(f'Pack "{ref}" is removed.', flush=True)
                elif self._places.installed(ref) is not None:
                    raise InvalidError(f'Pack "{ref}" is not in {self._places.packs}: remove its folder by hand')
            if environments:
                self._virtualenvs.remove(ref)

    def status(self, ref: str, branch: str) -> dict[str, Any]:
        """What is installed of a pack, and, if it is a git repository, what has been changed in it."""
        folder = self._places.installed(ref)
        data = _read(folder)[1] if folder is not None else None
        status = None
        if folder is not None and (folder / ".git").exists():
            words = ["git", "-c", "safe.directory=*", "-C", str(folder.resolve())]
            status = {
                "branch": output([*words, "rev-parse", "--abbrev-ref", "HEAD"], self._env),
                "commit": output([*words, "rev-parse", "HEAD"], self._env),
                "remote": output([*words, "remote", "get-url", "origin"], self._env),
                "changes": (output([*words, "status", "--porcelain"], self._env) or "").splitlines(),
                "behind_of": f"origin/{branch}",
            }
        return {"pack": data, "git_status": status}


def _read(folder: Path) -> tuple[str, dict[str, Any]]:
    """The ref of the pack in a folder, and what its `pack.yaml` says. Raises `InvalidError`."""
    path = folder / "pack.yaml"
    try:
        data = load_yaml(path.read_bytes())
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise InvalidError(f"pack.yaml: {error}") from error
    ref = pack_ref(data, folder.name)
    read_pack(data, folder.name, str(folder), [])
    for name in missing_of_pack(data):
        raise InvalidError(f"pack.yaml: '{name}' is a required property")
    return ref, data


def _check_versions(ref: str, data: Mapping[str, Any]) -> None:
    """Raises `InvalidError` for a pack that is for other versions."""
    needs = str(data.get("stackstorm_version") or "")
    for part in needs.split(","):
        found = _CONSTRAINT.fullmatch(part)
        if found is not None and not _holds(found):
            told = ".".join(str(number) for number in COMPATIBLE)
            raise InvalidError(
                f'Pack "{ref}" requires StackStorm "{needs}", but Squall is compatible with "{told}". '
                "You can override this restriction by setting the force flag, but the pack is not guaranteed to work."
            )
    if _is_python_2(data):
        raise InvalidError(
            f'Pack "{ref}" requires Python 2.x, but Squall runs Python 3. You can override this restriction by setting '
            "the force flag, but the pack is not guaranteed to work."
        )


def _is_python_2(data: Mapping[str, Any]) -> bool:
    """Whether a pack says that it is for nothing newer."""
    return [str(version) for version in data.get("python_versions") or []] == ["2"]


def _holds(found: re.Match[str]) -> bool:
    given = tuple(int(number or 0) for number in found.groups()[1:])
    sign = found[1] or "="
    return {
        ">=": given <= COMPATIBLE, "<=": given >= COMPATIBLE, ">": given < COMPATIBLE, ">>": given < COMPATIBLE,
        "<": given > COMPATIBLE, "<<": given > COMPATIBLE, "=": given == COMPATIBLE, "==": given == COMPATIBLE,
    }[sign]  # fmt: skip


def _folder_name(source: str) -> str:
    """What a repository or a folder is called, without what its kind adds."""
    name = source.rstrip("/").rpartition("/")[2].rpartition(":")[2]
    for end in (".git", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar", ".zip"):
        name = name.removesuffix(end)
    return name if is_file_name(name) else "pack"


def _proxies(config: Mapping[str, Any]) -> dict[str, str]:
    """The variables of the proxies that the pack `packs` is configured with."""
    found: dict[str, str] = {}
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        value = str(config.get(name) or os.environ.get(name) or "")
        if value:
            found |= {name: value, name.upper(): value}
    bundle = config.get("proxy_ca_bundle_path")
    if bundle:
        found |= dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT"), str(bundle))
    return found
