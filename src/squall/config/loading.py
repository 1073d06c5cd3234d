"""Loads the settings: one frozen record merged from defaults, a TOML file, the environment and flags, in that order.

Every value has its source. An unknown setting, a wrong type or a value out of range is a `ConfigError` that names the
file, variable or flag and the right values. No value is ignored or clipped silently.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_type_hints

import msgspec
from msgspec import Meta

from squall.adapters import reading
from squall.config.settings import MARK_SIZE, Settings
from squall.core.errors import ConfigError
from squall.core.units import parse_size, size_text

if TYPE_CHECKING:
    import argparse


class Loaded(NamedTuple):
    """The settings, and the source of each `section.key`: `default`, `file /etc/squall.toml`, `environment SQUALL_PORT`
    or `flag --port`."""

    settings: Settings
    sources: dict[str, str]


class _Raw(NamedTuple):
    """A value before its conversion. `text`: it is text that must be parsed; `base`: the folder of relative paths."""

    value: object
    source: str
    text: bool
    base: Path


_SHORT_VARIABLES: Final = {
    "SQUALL_HOST": "server.host",
    "SQUALL_PORT": "server.port",
    "SQUALL_DATA_DIR": "server.data_dir",
    "SQUALL_PACKS_DIR": "server.packs_dirs",
    "SQUALL_LOG_LEVEL": "logging.level",
}
_FLAGS: Final = {
    "server.host": "--host",
    "server.port": "--port",
    "server.data_dir": "--data-dir",
    "server.packs_dirs": "--packs-dir",
    "server.classic_ports": "--classic-ports",
    "server.allow_local_users": "--allow-local-users",
    "server.stop_actions": "--stop-actions",
    "auth.enable": "--auth",
    "logging.level": "--log-level",
    "config": "--config",
}
_CONFIG_VARIABLE: Final = "SQUALL_CONFIG"
_FILE_NAME: Final = "squall.toml"
_WORDS: Final = {"yes": "true", "on": "true", "no": "false", "off": "false"}


def load(flags: Mapping[str, object], environ: Mapping[str, str]) -> Loaded:
    """Returns the settings in force. `flags` come from `flags_from`: values by `section.key`, and `config`, a path.

    Raises `ConfigError` for the first setting that is unknown, wrong or out of range, and for an unreadable file.
    """
    types = _types()
    overrides = _from_environment(environ, types) | _from_flags(flags, types)
    merged = _from_file(flags, environ, overrides, types) | overrides
    raws = {name: merged.get(name) or _default(name) for name in types}
    values = {name: _convert(name, raw, types[name], environ) for name, raw in raws.items()}
    _check_host(str(values["server.host"]), raws["server.host"].source, bool(values["auth.enable"]))
    sections = {
        section: struct(**{key: values[f"{section}.{key}"] for key in struct.__struct_fields__})
        for section, struct in _sections().items()
    }
    return Loaded(Settings(**sections), {name: raw.source for name, raw in raws.items()})


def show(loaded: Loaded) -> str:
    """Returns the settings as TOML that `load` reads back to the same values, each with its source as a comment."""
    lines: list[str] = []
    for section, struct in _sections().items():
        lines += ["", f"[{section}]"] if lines else [f"[{section}]"]
        hints = get_type_hints(struct, include_extras=True)
        for key in struct.__struct_fields__:
            value = getattr(getattr(loaded.settings, section), key)
            toml = _toml(size_text(value) if _is_size(hints[key]) else value)
            source = "".join(c if c.isprintable() else "?" for c in loaded.sources[f"{section}.{key}"])
            lines.append(f"{key} = {toml}  # from {source}")
    return "\n".join(lines) + "\n"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the settings that `squall serve` takes as flags. `load` checks their values, not the parser."""
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1; another one needs --auth)")
    parser.add_argument("--port", help="port to listen on (default 9101; 0 takes a free one)")
    parser.add_argument("--data-dir", metavar="DIR", help="where the server keeps everything (default ~/.squall)")
    parser.add_argument(
        "--packs-dir", metavar="DIR", action="append", help="folder of packs; may be given several times"
    )
    parser.add_argument("--config", metavar="FILE", help="TOML file of settings (default DATA_DIR/squall.toml)")
    parser.add_argument("--log-level", metavar="LEVEL", help="DEBUG, INFO (default), WARNING, ERROR or CRITICAL")
    for flag, meaning in (
        ("--classic-ports", "listen on 9100 and 9102 too, so that an st2 client works without settings"),
        ("--allow-local-users", "let other users of this machine in, not only this user and root"),
        ("--auth", "ask callers who they are: users are added with `squall user add`"),
        ("--stop-actions", "end running actions with the server, after a grace time; they outlive it otherwise"),
    ):
        parser.add_argument(flag, action="store_const", const=True, help=meaning)


def flags_from(namespace: argparse.Namespace) -> dict[str, object]:
    """Returns the flags in the namespace of a parser that `add_flags` has extended, without absent ones."""
    flags = {name: getattr(namespace, flag[2:].replace("-", "_"), None) for name, flag in _FLAGS.items()}
    return {name: value for name, value in flags.items() if value is not None}


def _sections() -> dict[str, Any]:
    return get_type_hints(Settings)


def _types() -> dict[str, Any]:
    """Returns the type with its limits of each `section.key`, in the order of the records."""
    return {
        f"{section}.{key}": kind
        for section, struct in _sections().items()
        for key, kind in get_type_hints(struct, include_extras=True).items()
    }


def _default(name: str) -> _Raw:
    section, _, key = name.partition(".")
    return _Raw(getattr(getattr(Settings(), section), key), "default", False, Path.cwd())


def _from_environment(environ: Mapping[str, str], types: Mapping[str, Any]) -> dict[str, _Raw]:
    names = {"SQUALL_" + name.replace(".", "_").upper(): name for name in types} | _SHORT_VARIABLES
    raws: dict[str, _Raw] = {}
    for variable in sorted(environ):
        if not variable.startswith("SQUALL_") or variable == _CONFIG_VARIABLE or not environ[variable]:
            continue
        name = names.get(variable)
        if name is None:
            _refuse_misspelled(variable, [*names, _CONFIG_VARIABLE])
        elif name in raws:
            other = raws[name].source.removeprefix("environment ")
            raise ConfigError(f"environment: {other} and {variable} set the same thing ({name}); unset one of them")
        else:
            raws[name] = _Raw(environ[variable], f"environment {variable}", True, Path.cwd())
    return raws


def _refuse_misspelled(variable: str, names: list[str]) -> None:
    """Raises `ConfigError` if the variable looks like a setting. Variables of other programs may begin with SQUALL_."""
    in_section = any(variable.startswith(f"SQUALL_{section.upper()}_") for section in _sections())
    if in_section or difflib.get_close_matches(variable, names, 1, 0.88):
        raise ConfigError(f"environment {variable}: there is no such setting{_hint(variable, names)}")


def _from_flags(flags: Mapping[str, object], types: Mapping[str, Any]) -> dict[str, _Raw]:
    raws: dict[str, _Raw] = {}
    for name, value in flags.items():
        source = f"flag {_FLAGS.get(name, name)}"
        if name != "config" and name not in types:
            raise ConfigError(f"{source}: there is no such setting{_hint(name, types)}")
        if name != "config" and value is not None:
            raws[name] = _Raw(value, source, isinstance(value, str), Path.cwd())
    return raws


def _from_file(
    flags: Mapping[str, object], environ: Mapping[str, str], overrides: Mapping[str, _Raw], types: Mapping[str, Any]
) -> dict[str, _Raw]:
    """Returns the values in the settings file. The file of --config must exist; the data directory's own need not."""
    flag, variable = flags.get("config"), environ.get(_CONFIG_VARIABLE)
    if flag or variable:
        source = "flag --config" if flag else f"environment {_CONFIG_VARIABLE}"
        return _read_file(_convert("config", _Raw(flag or variable, source, True, Path.cwd()), Path, environ), types)
    home = _convert("server.data_dir", overrides.get("server.data_dir") or _default("server.data_dir"), Path, environ)
    path = home / _FILE_NAME
    raws = _read_file(path, types, optional=True)
    moved = raws.get("server.data_dir")
    if moved and _convert("server.data_dir", moved, Path, environ) != home:
        raise ConfigError(f"{path}: server.data_dir cannot move the directory this file is in; use --data-dir")
    return raws


def _read_file(path: Path, types: Mapping[str, Any], optional: bool = False) -> dict[str, _Raw]:
    try:
        document = tomllib.loads(reading.read_text(path))
    except OSError as error:
        if optional and isinstance(error, FileNotFoundError | NotADirectoryError):
            return {}
        fix = "repair it, or move it away" if optional else f"check --config or {_CONFIG_VARIABLE}"
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); {fix}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: is not valid TOML: {error}") from error
    return {name: _Raw(value, f"file {path}", False, path.parent) for name, value in _entries(path, document, types)}


def _entries(path: Path, document: Mapping[str, Any], types: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for section, table in document.items():
        if not isinstance(table, dict):
            owners = [f"[{name.partition('.')[0]}]" for name in types if name.endswith(f".{section}")]
            hint = f"; it belongs under {owners[0]}" if owners else "; keys belong under a [section]"
            raise ConfigError(f"{path}: {section} stands outside of any section{hint}")
        if section not in _sections():
            raise ConfigError(f"{path}: there is no section [{section}]{_hint(section, _sections(), '[{}]')}")
        for key, value in table.items():
            name = f"{section}.{key}"
            if name not in types:
                raise ConfigError(f"{path}: there is no setting {name}{_hint(name, types)}")
            yield name, value


def _hint(name: str, names: Iterable[str], form: str = "{}") -> str:
    nearest = difflib.get_close_matches(name, list(names), 1)
    return f"; did you mean {form.format(nearest[0])}?" if nearest else "; `squall config show` lists all of them"


def _convert(name: str, raw: _Raw, kind: Any, environ: Mapping[str, str]) -> Any:
    value = raw.value
    try:
        if kind is Path:
            return _path(value, raw.base, environ)
        if kind == tuple[Path, ...]:
            parts = [part for part in value.split(":") if part] if isinstance(value, str) and raw.text else value
            if not isinstance(parts, list | tuple):
                raise ValueError
            return tuple(_path(part, raw.base, environ) for part in parts)
        if kind == tuple[str, ...] and isinstance(value, str) and raw.text:
            return tuple(part.strip() for part in value.split(",") if part.strip())
        if isinstance(value, str):
            value = _spelling(value.strip(), kind)
        converted = msgspec.convert(value, kind, strict=not raw.text)
        if isinstance(converted, float) and not math.isfinite(converted):
            raise ValueError
    except ValueError:
        raise ConfigError(f"{raw.source}: {name} must be {_expected(kind)}, not {raw.value!r:.80}") from None
    return converted


def _spelling(text: str, kind: Any) -> object:
    """Returns the value that `text` stands for: it may have a unit, another case of a choice, or `yes` for `true`."""
    if _is_size(kind):
        return parse_size(text)
    match msgspec.inspect.type_info(kind):
        case msgspec.inspect.BoolType():
            return _WORDS.get(text.lower(), text)
        case msgspec.inspect.LiteralType(values=values):
            return next((choice for choice in values if str(choice).lower() == text.lower()), text)
    return text


def _expected(kind: Any) -> str:
    if kind is Path:
        return "a path"
    if kind == tuple[Path, ...]:
        return "a list of paths"
    if kind == tuple[str, ...]:
        return "a list of strings"
    if _is_size(kind):
        return 'a number of bytes from 1 up, such as 1048576 or "1 MiB"'
    node = msgspec.inspect.type_info(kind)
    match node:
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.LiteralType(values=values):
            return "one of " + ", ".join(str(value) for value in sorted(values, key=str))
        case msgspec.inspect.IntType(ge=low, le=high):
            return f"a whole number from {low} to {high}"
        case msgspec.inspect.FloatType(ge=None, le=high):
            return f"a number of seconds more than 0 and at most {high:g}"
        case msgspec.inspect.FloatType(ge=low, le=high):
            return f"a number of seconds from {low:g} to {high:g}"
    return "a string"


def _check_host(host: str, source: str, authenticated: bool) -> None:
    """Raises `ConfigError` if the host is no loopback address and authentication is off."""
    if authenticated:
        return
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigError(
            f"{source}: server.host must be a loopback address (127.0.0.1, ::1 or localhost), not {host!r}, "
            "unless authentication is on: use --auth"
        )


def _path(value: object, base: Path, environ: Mapping[str, str]) -> Path:
    """Returns `value` as an absolute path. `~` is `HOME` of `environ`; a relative path starts at `base`.

    Raises `ValueError` if it is no path.
    """
    if not isinstance(value, str | Path) or not str(value) or "\0" in str(value):
        raise ValueError(value)
    first, *rest = Path(value).parts or (".",)
    if first == "~" and environ.get("HOME"):
        return Path(environ["HOME"], *rest)
    try:
        return Path(value).expanduser() if first.startswith("~") else base / value
    except RuntimeError as error:
        raise ValueError(value) from error


def _is_size(kind: Any) -> bool:
    return any(isinstance(mark, Meta) and mark.extra == MARK_SIZE for mark in getattr(kind, "__metadata__", ()))


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, str | Path):
        # TOML's basic strings are like JSON's, except for DEL.
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)
