"""The factories that configs bind, made of our layers, functions and dataclasses."""

import functools
import inspect
import types
import typing
from collections.abc import Callable

import gin

from ehsod_tf import data, errors, modeling, training
from ehsod_tf.config import export_readers, further_readers, readers
from ehsod_tf.errors import ConfigError, EhsodError
from ehsod_tf.runs.settings import Experiment

# What can be set, by the name of the target; filled by `register`.
PARAMETERS: dict[str, list[str]] = {}
# Of these, what the program gives: a setting of the same name would be passed over.
_GIVEN = {
    "build_model": ("num_classes",),
    "CamRpn": ("num_classes",),
    "Cascade": ("num_classes",),
    "CoupledSGD": ("learning_rate",),
    "ClippedAdamW": ("learning_rate",),
}


def list_given() -> dict[str, tuple[str, ...]]:
    """The arguments that the program gives, by target; no config can set them."""
    of_readers = {
        target: ("findings",)
        for target, names in PARAMETERS.items()
        if "findings" in names
    }
    return _GIVEN | of_readers


def register(target: Callable) -> Callable:
    """Makes `target` known to gin under its own name, with checked arguments.

    gin takes any value for any argument, so the factory that it gets checks the values
    against the annotations and names the culprit.
    """
    signature = inspect.signature(target)
    PARAMETERS[target.__name__] = [
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
            if name in hints and not matches(value, hints[name]):
                raise ConfigError(
                    f"{target.__name__}.{name} must be {_describe(hints[name])}, "
                    f"got {value!r}"
                )
        return target(*args, **kwargs)

    make.__signature__ = signature
    return gin.external_configurable(make, name=target.__name__, module="ehsod_tf")


def matches(value, hint) -> bool:
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        return any(matches(value, choice) for choice in typing.get_args(hint))
    if origin is tuple:
        item = typing.get_args(hint)[0]
        is_sequence = isinstance(value, list | tuple)
        return is_sequence and all(matches(element, item) for element in value)
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


def hide_gin(target: Callable) -> Callable:
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


for _target in (
    Experiment,
    modeling.build_model,
    *readers.READERS,
    *export_readers.READERS,
    *further_readers.READERS,
    data.Augmentation,
    data.read_mixture,
    data.read_part,
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
    register(_target)
