"""The work of the actions of the pack `packs`: one method for each action."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import yaml

from squall.adapters import reading
from squall.adapters.durable import make_folder
from squall.adapters.installing import interpreters
from squall.adapters.installing.commands import output
from squall.adapters.installing.imports import import_faults
from squall.adapters.installing.index import fetch_index
from squall.adapters.installing.places import Places
from squall.adapters.installing.sources import PackRequest, check_tree, fetch, parse
from squall.adapters.installing.versions import Versions
from squall.adapters.installing.virtualenvs import Recipe, make_virtualenv
from squall.adapters.removing import remove
from squall.core.content.action import SYSTEM_PACKS
from squall.core.content.metadata import missing_of_pack, pack_ref, read_pack
from squall.core.errors import InvalidError, NotFoundError
from squall.core.names import below, is_file_name, is_pack_name, pack_name
from squall.core.safe_yaml import load_yaml

COMPATIBLE = (3, 9, 0)
"""The version of StackStorm with which Squall is compatible."""

_CONSTRAINT = re.compile(r"\s*(>=|<=|==|=|>>|<<|>|<)?\s*v?(\d+)(?:\.(\d+))?(?:\.(\d+))?\s*")


class Packs:
    """The installer of packs into `places`. `env` is the environment of its commands, `config` the configuration of the
    pack `packs`, which names proxies. `installation` is the id of a workflow's execution: only actions of the same
    installation see its prepared versions. If it is empty, actions outside of workflows see them."""

    def __init__(
        self,
        places: Places,
        env: Mapping[str, str],
        config: Mapping[str, Any] | None = None,
        installation: str = "",
    ) -> None:
        self._places = places
        self._installation = installation
        # Fetched packages may run their own code during a build, so they get no token of the server.
        variables = {name: value for name, value in env.items() if not name.startswith(("ST2_", "SQUALL_"))}
        # On the disk of the virtualenvs, uv can link packages from its cache; no other folder of the machine changes.
        variables.setdefault("UV_CACHE_DIR", str(Path(places.virtualenvs) / ".uv-cache"))
        self._env = {**variables, **_proxies(config or {})}
        self._packs = Versions(Path(places.packs))
        self._virtualenvs = Versions(Path(places.virtualenvs))

    def download(self, texts: Sequence[str], force: bool, stage: bool) -> dict[str, str]:
        """Fetches packs. Returns `Success.` by ref. With `stage`, the packs become active when they are loaded; without
        it, at once.

        Raises `InvalidError` with all faults; the packs without faults stay fetched.
        """
        messages: dict[str, str] = {}
        faults: list[str] = []
        for text in texts:
            try:
                messages[self._download(parse(text), force, stage)] = "Success."
            except InvalidError as error:
                print(f"{text}: {error}", flush=True)
                faults.append(f"{text}: {error}")
        if faults:
            raise InvalidError("\n".join(faults))
        return messages

    def _download(self, request: PackRequest, force: bool, stage: bool) -> str:
        print(f"== {request.source}{f' {request.version}' if request.version else ''}", flush=True)
        root = Path(self._places.packs)
        make_folder(root)
        work = Path(mkdtemp(prefix=".fetch-", dir=root))
        try:
            folder = work / _folder_name(request.source)
            fetch(request, folder, self._lookup, self._env)
            check_tree(folder, self._places.max_file_bytes)
            ref, data = _read(folder)
            if not force:
                _check_versions(ref, data)
            if ref in SYSTEM_PACKS:
                raise InvalidError(f'the pack "{ref}" comes with Squall, and cannot be replaced')
            with self._packs.locked(ref):
                self._packs.discard(ref, self._installation)
                self._packs.clean(ref)
                version = self._packs.new(ref)
                folder.rename(version)
                self._packs.stage(ref, version, self._installation)
                if not stage:
                    self._packs.activate(ref, self._installation)
            print(f'Pack "{ref}" {data.get("version", "")} has been fetched.', flush=True)
            return ref
        finally:
            remove(root, work)

    def _lookup(self, name: str) -> Mapping[str, Any] | None:
        index = fetch_index(self._places.index_urls)
        if not index.packs:
            # One line: the last line of what an action printed is the reason of its failure.
            reasons = "; ".join(f"{each['url']}: {each['message']}" for each in index.status)
            raise InvalidError(f"No results from the index: tried {reasons}")
        return index.packs.get(name)

    def setup_virtualenv(self, ref: str, python: str | None = None) -> Path:
        """Creates a new virtualenv for a pack: for the prepared version, or else for the active one. Returns its path.

        `python` requests an interpreter, such as `3.9`, a path, or `default`. The choice is stored; None means the
        stored choice. The old virtualenv stays active until the new one is complete. Raises `InvalidError`.
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
        """Returns the dependencies of fetched packs: those to fetch, and those that are installed in another
        version."""
        missing: list[str] = []
        conflicts: list[str] = []
        for ref in refs:
            for text in self.metadata(ref).get("dependencies") or []:
                dependency = parse(str(text))
                metadata = self._installed_metadata(dependency)
                if metadata is None:
                    if nested > 0 and text not in missing:
                        missing.append(str(text))
                elif dependency.version and dependency.version.removeprefix("v") != str(metadata.get("version", "")):
                    conflicts.append(f"{text} (installed: {metadata.get('version')})")
        return {"dependency_list": missing, "conflict_list": conflicts, "nested": nested - 1}

    def _installed_metadata(self, request: PackRequest) -> dict[str, Any] | None:
        """Returns the metadata of an installed or prepared pack; None if there is none."""
        name = _folder_name(request.source).removeprefix("stackstorm-")
        if not is_pack_name(name):
            return None
        folder = self._packs.staged(name, self._installation) or self._places.installed(name)
        return _read(folder)[1] if folder is not None else None

    def warnings(self, refs: Sequence[str]) -> list[str]:
        """Returns warnings about installed packs."""
        template = "DEPRECATION WARNING: Pack {} only supports Python 2.x. It may not work here."
        return [template.format(ref) for ref in refs if _is_python_2(self.metadata(ref))]

    def import_faults(self, ref: str) -> list[str]:
        """Imports each entry point of a pack once, in its virtualenv. Returns one line for each failure. Raises
        `InvalidError` if the pack is not installed."""
        folder = self._packs.staged(ref, self._installation) or self._places.installed(ref)
        if folder is None:
            raise InvalidError(f'Pack "{ref}" is not installed')
        virtualenv = self._virtualenvs.staged(ref, self._installation) or self._virtualenvs.active(ref)
        python = virtualenv / "bin" / "python"
        if not python.exists():
            return []
        return [f"{ref}: {fault}" for fault in import_faults(folder.resolve(), str(python), self._env)]

    def metadata(self, ref: str) -> dict[str, Any]:
        """Returns the metadata in a pack's `pack.yaml`. Raises `InvalidError`."""
        folder = self._packs.staged(ref, self._installation) or self._places.installed(ref)
        if folder is None:
            raise InvalidError(f'Pack "{ref}" is not installed')
        return _read(folder)[1]

    def check_removable(self, refs: Sequence[str]) -> None:
        """Raises `NotFoundError` if one of these packs, which are not registered, has no files either: neither a folder
        nor a virtualenv. What a broken pack left can be removed."""
        for ref in [pack_name(ref) for ref in refs]:
            places = [below(Path(root), ref) for root in (*self._places.search, self._places.virtualenvs)]
            if not any(os.path.lexists(place) for place in places):
                raise NotFoundError(f"pack {ref!r} does not exist; squall pack list shows all")

    def delete(self, refs: Sequence[str], environments: bool) -> None:
        """Deletes the files of packs and, with `environments`, their virtualenvs. Raises `InvalidError`."""
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
        """Returns the metadata of an installed pack and, if it is a git repository, its state and changed files."""
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
    """Returns the ref of the pack in a folder, and the metadata in its `pack.yaml`. Raises `InvalidError`."""
    path = folder / "pack.yaml"
    try:
        data = load_yaml(reading.read_bytes(path))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise InvalidError(f"pack.yaml: {error}") from error
    ref = pack_ref(data, folder.name)
    read_pack(data, folder.name, str(folder), [])
    for name in missing_of_pack(data):
        raise InvalidError(f"pack.yaml: '{name}' is a required property")
    return ref, data


def _check_versions(ref: str, data: Mapping[str, Any]) -> None:
    """Raises `InvalidError` if a pack requires another version of StackStorm or of Python."""
    needs = str(data.get("stackstorm_version") or "")
    for part in needs.split(","):
        constraint = _CONSTRAINT.fullmatch(part)
        if constraint is not None and not _holds(constraint):
            version = ".".join(str(number) for number in COMPATIBLE)
            raise InvalidError(
                f'Pack "{ref}" requires StackStorm "{needs}", but Squall is compatible with "{version}". '
                "You can override this restriction by setting the force flag, but the pack is not guaranteed to work."
            )
    if _is_python_2(data):
        raise InvalidError(
            f'Pack "{ref}" requires Python 2.x, but Squall runs Python 3. You can override this restriction by setting '
            "the force flag, but the pack is not guaranteed to work."
        )


def _is_python_2(data: Mapping[str, Any]) -> bool:
    """Returns True if a pack's metadata names Python 2 as its only version."""
    return [str(version) for version in data.get("python_versions") or []] == ["2"]


def _holds(constraint: re.Match[str]) -> bool:
    version = tuple(int(number or 0) for number in constraint.groups()[1:])
    sign = constraint[1] or "="
    return {
        ">=": version <= COMPATIBLE, "<=": version >= COMPATIBLE, ">": version < COMPATIBLE, ">>": version < COMPATIBLE,
        "<": version > COMPATIBLE, "<<": version > COMPATIBLE, "=": version == COMPATIBLE, "==": version == COMPATIBLE,
    }[sign]  # fmt: skip


def _folder_name(source: str) -> str:
    """Returns the name of a repository, folder or archive without its suffix."""
    name = source.rstrip("/").rpartition("/")[2].rpartition(":")[2]
    for end in (".git", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar", ".zip"):
        name = name.removesuffix(end)
    return name if is_file_name(name) else "pack"


def _proxies(config: Mapping[str, Any]) -> dict[str, str]:
    """Returns the variables of the proxies in the configuration of the pack `packs`."""
    variables: dict[str, str] = {}
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        value = str(config.get(name) or os.environ.get(name) or "")
        if value:
            variables |= {name: value, name.upper(): value}
    bundle = config.get("proxy_ca_bundle_path")
    if bundle:
        variables |= dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT"), str(bundle))
    return variables
