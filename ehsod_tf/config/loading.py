"""From config files and lines to an `Experiment`."""

import contextlib
import dataclasses
import glob
import os
import tokenize
from collections.abc import Sequence

import gin

from ehsod_tf.config import checks, parsing
from ehsod_tf.config.factories import PARAMETERS, hide_gin, list_given
from ehsod_tf.errors import ConfigError
from ehsod_tf.runs.settings import Experiment

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# In an installed package the configs lie inside it, in a checkout beside it.
_CONFIG_FOLDERS = (
    os.path.join(_PACKAGE, "configs"),
    os.path.join(os.path.dirname(_PACKAGE), "configs"),
)


def _open_config(path: str):
    return open(parsing.find_file(path, _CONFIG_FOLDERS), encoding="utf-8")


def _has_config(path: str) -> bool:
    return parsing.find_file(path, _CONFIG_FOLDERS) is not None


# In front of gin's own readers: one of these takes "data/…" for a Python package.
gin.config._FILE_READERS.insert(0, (_open_config, _has_config))


def load_config(config: str, bindings: Sequence[str] = ()) -> Experiment:
    """Reads a config file and bindings, and makes the experiment that they describe.

    Args:
        config: path of a `.gin` file. What it includes is named relative to its folder
            or to that of our configs: a config anywhere may include ``base.gin``.
        bindings: further gin lines, which win over the file.

    Raises:
        ConfigError: the file is missing, a name is unknown, a value is of a wrong kind.
    """
    return _load(config, bindings, [])


def load_run_config(config: str, bindings: Sequence[str] = ()) -> Experiment:
    """As `load_config`, for a run whose weights are about to be restored.

    The backbone's own weights, which these replace, are not looked for.
    """
    none = {"weights": None, "load_weights": False}
    lines = [
        f"{target}.{name} = {none[name]}"
        for target, names in PARAMETERS.items()
        if target.startswith("build_")
        for name in names
        if name in none
    ]
    return _load(config, bindings, lines)


def _load(config: str, bindings: Sequence[str], own_lines: Sequence[str]) -> Experiment:
    """As `load_config`; `own_lines`, which may do nothing, come before the bindings."""
    if not os.path.isfile(config):
        is_folder = os.path.isdir(config)
        what = "a folder, not a config file" if is_folder else "no such config file"
        raise ConfigError(f"{config}: {what}")
    folder, name = os.path.split(os.path.abspath(config))
    gin.clear_config()
    try:
        with contextlib.chdir(folder):
            settings, modules = parsing.read_settings(name, bindings, _CONFIG_FOLDERS)
            checks.check_settings(
                settings, PARAMETERS, list_given(), others_are_known=bool(modules)
            )
            gin.parse_config_files_and_bindings([name], [*own_lines, *bindings])
        experiment = hide_gin(gin.get_configurable("Experiment"))()
    except ConfigError as error:
        raise ConfigError(f"{config}: {error}") from error
    # gin raises bare built-in exceptions, each with a message for people.
    except (
        ValueError,
        TypeError,
        OSError,
        SyntaxError,
        RuntimeError,
        ImportError,
        tokenize.TokenError,
    ) as error:
        raise ConfigError(f"{config}: {_summarise(error)}") from error
    callables = {
        name: hide_gin(value)
        for name, value in vars(experiment).items()
        if callable(value)
    }
    return dataclasses.replace(experiment, **callables)


def find_config(name: str) -> str:
    """Returns the path of a config file, or of one of ours by its name.

    Args:
        name: a file, or such as "quickstart", "voc07_10pct" or
            "table2_voc07/voc07_10pct": the end of a path in ``configs``.

    Raises:
        ConfigError: there is neither.
    """
    if os.path.isfile(name):
        return name
    wanted = f"{name.removesuffix('.gin')}.gin"
    for folder in _CONFIG_FOLDERS:
        pattern = os.path.join(glob.escape(folder), "**", glob.escape(wanted))
        for path in sorted(glob.glob(pattern, recursive=True)):
            return path
    raise ConfigError(f"{name}: no such config file, and none of ours has this name")


def format_operative_config() -> str:
    """Every value in use so far, defaults included, as a config file."""
    return gin.operative_config_str()


def _summarise(error: Exception) -> str:
    """gin's message on one line: what is wrong, then where."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    lines += (
        [error.text.strip()] if isinstance(error, SyntaxError) and error.text else []
    )
    return "; ".join(lines[:3]) if lines else type(error).__name__
