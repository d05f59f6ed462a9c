"""Backbones of two optional packages: presets of KerasHub and of KerasCV.

A preset is a name, whose files are downloaded, or a local folder. ``pip install
'ehsod_tf[backbones]'`` installs both packages; nothing else needs them.
"""

import contextlib
import importlib
from types import ModuleType

import keras

from ehsod_tf.errors import ConfigError
from ehsod_tf.modeling.functional_backbone import LEVELS, FunctionalBackbone


def build_hub_backbone(
    preset: str, load_weights: bool = True, frozen_level: int = 2
) -> FunctionalBackbone:
    """A KerasHub backbone with a feature pyramid, such as "resnet_50_imagenet".

    The preprocessing is the scale and offset of the preset's own
    `keras_hub.layers.ImageConverter`; the size that it would resize to is not used.

    Args:
        preset: name of a preset, a handle such as "hf://…", or a folder written by
            `save_to_preset` of the backbone and of its image converter.
        load_weights: False leaves the weights random.
        frozen_level: see `FunctionalBackbone`.

    Raises:
        ConfigError: KerasHub is not installed, the preset cannot be had, or it has not
            the feature maps of a detector.
    """
    keras_hub = _import_package("keras_hub")
    with _explain_loading("KerasHub", preset):
        converter = keras_hub.layers.ImageConverter.from_preset(preset)
        network = keras_hub.models.Backbone.from_preset(
            preset,
            load_weights=load_weights,
            image_shape=(None, None, 3),
            # A preset remembers the policy that it was saved under.
            dtype=keras.config.dtype_policy(),
        )
    preprocess = _rescale(converter.scale, converter.offset)
    features = _pick_levels(getattr(network, "pyramid_outputs", {}), preset)
    return FunctionalBackbone(network, features, preprocess, frozen_level)


def build_keras_cv_backbone(
    preset: str, load_weights: bool = True, frozen_level: int = 2
) -> FunctionalBackbone:
    """A KerasCV backbone with a feature pyramid, such as "resnet50_imagenet".

    KerasCV's networks take RGB in [0, 1] and may hold the layer that scales to it.

    Args:
        preset: name of a preset, a handle "kaggle://…", or a local preset folder.
        load_weights: False leaves the weights random.
        frozen_level: see `FunctionalBackbone`.

    Raises:
        ConfigError: KerasCV is not installed, the preset cannot be had, or it has not
            the feature maps of a detector.
    """
    keras_cv = _import_package("keras_cv")
    with _explain_loading("KerasCV", preset):
        network = _find_owner(keras_cv, preset).from_preset(
            preset, load_weights=load_weights
        )
    scale = None if network.include_rescaling else 1 / 255
    preprocess = _rescale(scale, None)
    features = _pick_levels(network.pyramid_level_inputs, preset)
    return FunctionalBackbone(network, features, preprocess, frozen_level)


def _import_package(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"backbone: cannot import {name} ({error}); "
            "pip install 'ehsod_tf[backbones]'"
        ) from error


@contextlib.contextmanager
def _explain_loading(package: str, preset: str):
    try:
        yield
    # Downloads raise what kagglehub, huggingface_hub, requests and Keras raise.
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ConfigError(
            f"backbone: cannot load the {package} preset {preset!r} ({reason[0]}); "
            "a name is downloaded; without a network, give the folder of a preset"
        ) from error


def _find_owner(keras_cv: ModuleType, preset: str) -> type:
    """The backbone class that knows the preset's name; the base class takes paths."""
    base = keras_cv.models.Backbone
    classes = [
        value
        for value in vars(keras_cv.models).values()
        if isinstance(value, type) and issubclass(value, base)
    ]
    return next((owner for owner in classes if preset in owner.presets), base)


def _pick_levels(pyramid: dict, preset: str) -> list:
    missing = [f"P{level}" for level in LEVELS if f"P{level}" not in pyramid]
    if missing:
        raise ConfigError(
            f"backbone: {preset!r} has no feature map {', '.join(missing)}; it has "
            f"{', '.join(pyramid) or 'none'}"
        )
    return [pyramid[f"P{level}"] for level in LEVELS]


def _rescale(scale, offset):
    """Times `scale` plus `offset`: each a number, one per channel, or None."""
    return keras.layers.Rescaling(
        1.0 if scale is None else scale,
        0.0 if offset is None else offset,
        dtype="float32",
    )
