"""Configuration by gin: the names that config files may bind.

The only module of the library that imports gin. Keras layers and dataclasses are bound
through factory functions, made by `_register` from their own signatures: gin cannot
subclass a Keras layer, and a factory lets the variables be created inside the scope of
the distribution strategy. A config binds ``Experiment.build_model = @build_model`` and
the like, and overrides constructor arguments by name: ``Cascade.num_stages = 2``.

gin takes any value for any argument, so the factories check values against the
annotations and name the culprit.
"""

import contextlib
import dataclasses
import functools
import glob
import inspect
import os
import tokenize
import types
import typing
from collections.abc import Callable, Sequence

import gin

from ehsod_tf import config_checks, data, errors, modeling, training
from ehsod_tf.errors import ConfigError, DataError, EhsodError
from ehsod_tf.runs import exports
from ehsod_tf.runs.settings import Experiment

# What can be set, by the name of the target; filled by `_register`.
_PARAMETERS: dict[str, list[str]] = {}
# Of these, what the program gives: a setting of the same name would be passed over.
_GIVEN = {
    "build_model": ("num_classes",),
    "CamRpn": ("num_classes",),
    "Cascade": ("num_classes",),
    "CoupledSGD": ("learning_rate",),
    "ClippedAdamW": ("learning_rate",),
    **dict.fromkeys(
        (
            "read_coco",
            "read_voc",
            "read_label_csv",
            "read_class_folders",
            "read_tfrecords",
            "read_mixture",
            "read_synthetic_scenes",
            *exports.READERS,
        ),
        ("findings",),
    ),
}
_PACKAGE = os.path.dirname(os.path.abspath(__file__))
# In an installed package the configs lie inside it, in a checkout beside it.
_CONFIG_FOLDERS = (
    os.path.join(_PACKAGE, "configs"),
    os.path.join(os.path.dirname(_PACKAGE), "configs"),
)


def _open_config(path: str):
    return open(config_checks.find_file(path, _CONFIG_FOLDERS), encoding="utf-8")


def _has_config(path: str) -> bool:
    return config_checks.find_file(path, _CONFIG_FOLDERS) is not None


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
        for target, names in _PARAMETERS.items()
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
            settings, modules = config_checks.read_settings(
                name, bindings, _CONFIG_FOLDERS
            )
            config_checks.check_settings(
                settings, _PARAMETERS, _GIVEN, others_are_known=bool(modules)
            )
            gin.parse_config_files_and_bindings([name], [*own_lines, *bindings])
        experiment = _hide_gin(gin.get_configurable("Experiment"))()
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
        name: _hide_gin(value)
        for name, value in vars(experiment).items()
        if callable(value)
    }
    return dataclasses.replace(experiment, **callables)


def find_config(name: str) -> str:
    """Returns the path of a config file, or of one of ours by its name.

    Args:
        name: a file, or such as "quickstart" or "voc07/voc07_10pct" in ``configs``.

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


def read_coco(
    data_dir: str,
    annotation_file: str,
    image_dir: str,
    class_names: tuple[str, ...] | None = None,
    unannotated: str = "leave_out",
    published_as: str | None = None,
    findings: data.Findings | None = None,
):
    """COCO-instances JSON and images, by paths below `data_dir`."""
    _require_published(data_dir, annotation_file, published_as)
    return data.read_coco(
        os.path.join(data_dir, annotation_file),
        os.path.join(data_dir, image_dir),
        class_names=class_names,
        unannotated=unannotated,
        findings=findings,
    )


def read_voc(
    data_dir: str,
    image_set: str,
    devkit: str = "VOCdevkit/VOC2007",
    class_names: tuple[str, ...] = data.VOC_CLASSES,
    published_as: str | None = None,
    findings: data.Findings | None = None,
):
    """A VOC devkit below `data_dir` and one of its image-set lists."""
    _require_published(data_dir, devkit, published_as)
    return data.read_voc(
        os.path.join(data_dir, devkit),
        image_set,
        class_names=tuple(class_names),
        findings=findings,
    )


def read_label_csv(
    data_dir: str,
    csv_file: str,
    image_dir: str,
    class_names: tuple[str, ...] | None = None,
    unlisted: str = "absent",
    unannotated: str = "leave_out",
    findings: data.Findings | None = None,
):
    """A table of image-level labels and its images, by paths below `data_dir`."""
    return data.read_label_csv(
        os.path.join(data_dir, csv_file),
        os.path.join(data_dir, image_dir),
        class_names=class_names,
        unlisted=unlisted,
        unannotated=unannotated,
        findings=findings,
    )


def read_class_folders(
    data_dir: str,
    image_dir: str,
    class_names: tuple[str, ...] | None = None,
    unlisted: str = "absent",
    findings: data.Findings | None = None,
):
    """One folder of images per class, below ``data_dir/image_dir``."""
    return data.read_class_folders(
        os.path.join(data_dir, image_dir),
        class_names=class_names,
        unlisted=unlisted,
        findings=findings,
    )


def read_tfrecords(
    data_dir: str,
    pattern: str,
    image_dir: str,
    class_names: tuple[str, ...] | None = None,
    findings: data.Findings | None = None,
):
    """TFRecord files below `data_dir`; their images are unpacked to `image_dir`."""
    return data.read_tfrecords(
        os.path.join(glob.escape(data_dir), pattern),
        os.path.join(data_dir, image_dir),
        class_names=class_names,
        findings=findings,
    )


def read_synthetic_scenes(
    data_dir: str,
    subset: str,
    num_train: int = 600,
    num_val: int = 200,
    size: int = 160,
    seed: int = 0,
    findings: data.Findings | None = None,
):
    """The embedded data set, rendered into `data_dir` unless it is there already."""
    data.ensure_synthetic_scenes(
        data_dir, num_train=num_train, num_val=num_val, size=size, seed=seed
    )
    return data.read_coco(
        os.path.join(data_dir, "annotations", f"instances_{subset}.json"),
        os.path.join(data_dir, subset),
        findings=findings,
    )


def _require_published(data_dir: str, path: str, published_as: str | None) -> None:
    """Names the command that fetches a public data set which is not there."""
    if published_as and not os.path.exists(os.path.join(data_dir, path)):
        raise DataError(
            f"{os.path.join(data_dir, path)}: not found; fetch the data set with "
            f"'ehsod download {published_as} --data_dir {data_dir}', or set --data_dir"
        )


def _register(target: Callable) -> Callable:
    """Makes `target` known to gin under its own name, with checked arguments."""
    signature = inspect.signature(target)
    _PARAMETERS[target.__name__] = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.kind != parameter.VAR_KEYWORD
    ]
    hints = typing.get_type_hints(
        target.__init__ if inspect.isclass(target) else target
    )

    @functools.wraps(target, updated=())
    def make(*args, **kwargs):
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise ConfigError(f"{target.__name__}: {error}") from error
        for name, value in bound.arguments.items():
            if name in hints and not _matches(value, hints[name]):
                raise ConfigError(
                    f"{target.__name__}.{name} must be {_describe(hints[name])}, "
                    f"got {value!r}"
                )
        return target(*args, **kwargs)

    make.__signature__ = signature
    return gin.external_configurable(make, name=target.__name__, module="ehsod_tf")


def _matches(value, hint) -> bool:
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        return any(_matches(value, choice) for choice in typing.get_args(hint))
    if origin is tuple:
        item = typing.get_args(hint)[0]
        is_sequence = isinstance(value, list | tuple)
        return is_sequence and all(_matches(element, item) for element in value)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint in (str, bool):
        return isinstance(value, hint)
    if hint is type(None):
        return value is None
    if hint is Callable or origin is Callable:
        return callable(value)
    return True


def _describe(hint) -> str:
    if typing.get_origin(hint) is Callable:
        return "a reference such as @build_model"
    return hint.__name__ if isinstance(hint, type) else str(hint)


def _hide_gin(target: Callable) -> Callable:
    """`target`, whose own errors come without gin's account of the calls to it."""

    @functools.wraps(target)
    def call(*args, **kwargs):
        try:
            return target(*args, **kwargs)
        except EhsodError as error:
            message, account, _ = str(error).partition("\n  In call to configurable")
            if not account:
                raise
            # gin raises a subclass of its own, one for every configurable it left.
            own_class = next(
                base
                for base in type(error).__mro__
                if base is getattr(errors, base.__name__, None)
            )
            raise own_class(message) from error

    return call


def _summarise(error: Exception) -> str:
    """gin's message on one line: what is wrong, then where."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    lines += (
        [error.text.strip()] if isinstance(error, SyntaxError) and error.text else []
    )
    return "; ".join(lines[:3]) if lines else type(error).__name__


for _target in (
    Experiment,
    modeling.build_model,
    read_coco,
    read_voc,
    read_label_csv,
    read_class_folders,
    read_tfrecords,
    *exports.READERS.values(),
    data.Augmentation,
    data.read_mixture,
    read_synthetic_scenes,
    modeling.build_hub_backbone,
    modeling.build_keras_cv_backbone,
    modeling.build_resnet,
    modeling.build_efficientnet_lite,
    modeling.load_backbone,
    modeling.build_small_backbone,
    modeling.FeaturePyramid,
    modeling.CamRpn,
    modeling.Cascade,
    modeling.ProposalSelector,
    modeling.HybridCriterion,
    modeling.DetectionDecoder,
    modeling.Teacher,
    training.CoupledSGD,
    training.ClippedAdamW,
):
    _register(_target)
