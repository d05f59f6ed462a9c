"""Reads configs line by line, and executes nothing."""

import io
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from gin import config_parser

from ehsod_tf.errors import ConfigError

_PACKAGE = "ehsod_tf."


class Reference(NamedTuple):
    """``@scope/target``."""

    scope: tuple[str, ...]
    target: str


class Macro(NamedTuple):
    """``%NAME``."""

    name: str


class Setting(NamedTuple):
    """One line.

    Attributes:
        scope: e.g. ("train",).
        target: what it sets a parameter of, or the name of a macro.
        name: the parameter, "" for a macro.
        value: with `Reference` and `Macro` in it.
        where: file and line, or the line itself of the command line.
        is_wish: it stands on the command line.
    """

    scope: tuple[str, ...]
    target: str
    name: str
    value: Any
    where: str
    is_wish: bool

    @property
    def key(self):
        return self.scope, self.target, self.name


class _References(config_parser.ParserDelegate):
    def configurable_reference(self, scoped_configurable_name, evaluate):
        *scope, target = scoped_configurable_name.split("/")
        return Reference(tuple(scope), target.removeprefix(_PACKAGE))

    def macro(self, macro_name):
        return Macro(macro_name)


def read_settings(
    config: str, bindings: Sequence[str], folders: Sequence[str] = ()
) -> tuple[list[Setting], list[str]]:
    """Reads a config and bindings, in order, without executing anything.

    Args:
        config: the file; it and its includes are found from the working directory.
        bindings: the gin lines of the command line.
        folders: where includes are looked for besides.

    Returns:
        The settings, and the modules that the files import.

    Raises:
        ConfigError: a file cannot be read, includes itself, or sets what a file sets
            anew that it includes below.
        SyntaxError, TokenError: as from gin.
    """
    settings, modules = [], []
    _read_file(config, (), settings, modules, folders)
    _read(io.StringIO("\n".join(bindings)), (), settings, modules, folders)
    return settings, modules


def find_file(path: str, folders: Sequence[str]) -> str | None:
    """The place of a file, from the working directory or from one of `folders`."""
    places = (path, *(os.path.join(folder, path) for folder in folders))
    return next((place for place in places if os.path.isfile(place)), None)


def _read_file(path, parents, settings, modules, folders):
    path = find_file(path, folders) or path
    if path in parents:
        raise ConfigError(f"{path} includes itself")
    try:
        with open(path, encoding="utf-8") as file:
            _read(file, (*parents, path), settings, modules, folders)
    except OSError as error:
        by = f", which {parents[-1]} includes" if parents else ""
        raise ConfigError(f"cannot read {path}{by}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not a text in UTF-8: {error}") from error


def _read(lines, parents, settings, modules, folders):
    own = []
    for statement in config_parser.ConfigParser(lines, _References()):
        match statement:
            case config_parser.IncludeStatement():
                start = len(settings)
                _read_file(statement.filename, parents, settings, modules, folders)
                # On the command line a later one may change an earlier one.
                if parents:
                    _refuse_overridden(own, settings[start:])
            case config_parser.ImportStatement():
                modules.append(statement.module)
            case config_parser.BindingStatement():
                own.append(_make_setting(statement, is_wish=not parents))
                settings.append(own[-1])


def _refuse_overridden(own, included):
    """Refuses lines of a file that another, included below them, sets anew."""
    places = {setting.key: setting.where for setting in included}
    faults = [
        f"{setting.where}: would do nothing, as {places[setting.key]}, which is "
        "included below it, sets the same; move it below the include"
        for setting in own
        if setting.key in places
    ]
    if faults:
        raise ConfigError("; ".join(faults))


def _make_setting(statement, is_wish):
    line = statement.location
    where = (
        f"'{line.line_content.strip()}'"
        if is_wish
        else f"{line.filename}, line {line.line_num}"
    )
    scope = tuple(filter(None, statement.scope.split("/")))
    target = statement.selector.removeprefix(_PACKAGE)
    if not statement.arg_name:
        # The scope of a macro is a part of its name.
        scope, target = (), "/".join((*scope, target))
    return Setting(scope, target, statement.arg_name, statement.value, where, is_wish)
