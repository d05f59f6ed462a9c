"""Backbones by name: ImageNet's ResNets, a model file, and a small one to train."""

import os
import re
import zipfile

import keras
from keras import layers

from ehsod_tf.errors import ConfigError
from ehsod_tf.modeling.functional_backbone import LEVELS, FunctionalBackbone

_NORM_GROUPS = 8

_RESNETS = {50: keras.applications.ResNet50, 101: keras.applications.ResNet101}
_RESNET_BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
_RESNET_URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
    "resnet{depth}_weights_tf_dim_ordering_tf_kernels_notop.h5"
)


def build_resnet(
    depth: int = 50, weights: str | None = "imagenet", frozen_level: int = 2
) -> FunctionalBackbone:
    """ResNet-50 or ResNet-101 from `keras.applications` (Sec. 4).

    Both are version 1, whose ImageNet weights expect "caffe" preprocessing.

    Args:
        depth: 50 or 101.
        weights: "imagenet" (downloaded once by Keras, to ~/.keras/models), the path of
            a local weights file for the network without its classifier, or None for
            random weights.
        frozen_level: see `FunctionalBackbone`.

    Raises:
        ConfigError: there is no such file or no network, or the weights are another
            model's.
    """
    if depth not in _RESNETS:
        raise ConfigError(f"backbone: ResNet depth is 50 or 101, got {depth}")
    if weights not in (None, "imagenet") and not os.path.isfile(weights):
        raise ConfigError(f"backbone: no weights file at {weights}")
    try:
        network = _RESNETS[depth](
            include_top=False, weights=weights, input_shape=(None, None, 3)
        )
    # Keras wraps download faults in bare Exception ("URL fetch failure on ...").
    except Exception as error:
        remedy = (
            f"without a network, fetch {_RESNET_URL.format(depth=depth)} elsewhere "
            "and give its path as build_resnet.weights"
            if weights == "imagenet"
            else "it must be of this depth, version 1, without the classifier ('notop')"
        )
        raise ConfigError(
            f"backbone: cannot load the ResNet-{depth} weights {weights!r} "
            f"({_summarise(error)}); {remedy}"
        ) from error
    features = [
        f"conv{stage}_block{blocks}_out"
        for stage, blocks in zip(LEVELS, _RESNET_BLOCKS[depth], strict=True)
    ]
    return FunctionalBackbone(network, features, "caffe", frozen_level)


def load_backbone(
    path: str,
    feature_layers: tuple[str, ...] = ("c2", "c3", "c4", "c5"),
    preprocessing: str = "caffe",
    frozen_level: int = 2,
) -> FunctionalBackbone:
    """Reads a functional Keras model file (`.keras` or `.h5`) as a backbone.

    Feature maps should be of about unit scale, as batch normalisation makes them: the
    detector's initialisers count on it.

    Args:
        path: the model file.
        feature_layers: names of the layers whose outputs are C2, C3, C4 and C5.
        preprocessing: the name of one, see `FunctionalBackbone`.
        frozen_level: see `FunctionalBackbone`.

    Raises:
        ConfigError: the file is missing or no such model, or the preprocessing is not
            the one of its architecture.
    """
    if not os.path.isfile(path):
        raise ConfigError(f"backbone: no model file at {path}")
    # Keras calls such a file "not found".
    if path.endswith(".keras") and not zipfile.is_zipfile(path):
        raise ConfigError(
            f"backbone: {path} is not a Keras model file, or only a part of one "
            f"({os.path.getsize(path)} bytes): copy it again"
        )
    try:
        network = keras.models.load_model(path, compile=False)
    except (ValueError, OSError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise ConfigError(
            f"backbone: {path} is not a Keras model file: {_summarise(error)}"
        ) from error
    # The two versions of ResNet share layer names, not the form of their input.
    if re.fullmatch(r"resnet\d+v2", network.name) and preprocessing == "caffe":
        raise ConfigError(
            f"backbone: {path} is a ResNet of version 2 ({network.name}), which "
            "expects preprocessing 'tf', not 'caffe'"
        )
    network = _follow_policy(network)
    return FunctionalBackbone(network, feature_layers, preprocessing, frozen_level)


def _follow_policy(network):
    """The network under the dtype policy in force; a file holds that of its writer."""
    policy = keras.config.dtype_policy()
    if all(layer.dtype_policy == policy for layer in network.layers):
        return network
    clone = keras.models.clone_model(
        network,
        clone_function=lambda layer: type(layer).from_config(
            {**layer.get_config(), "dtype": policy}
        ),
    )
    clone.set_weights(network.get_weights())
    return clone


def build_small_backbone(width: int = 32) -> FunctionalBackbone:
    """A small residual network with group norm, to be trained from scratch.

    Group norm needs no large batches, so this learns from random weights in minutes on
    a CPU: the backbone of the quickstart, not one for accuracy.

    Args:
        width: channels of C2; C3, C4 and C5 have 2, 4 and 4 times as many. A multiple
            of the 8 groups of the group norm.
    """
    if width < _NORM_GROUPS or width % _NORM_GROUPS:
        raise ConfigError(
            f"backbone: width is a multiple of {_NORM_GROUPS}, got {width}"
        )
    inputs = keras.Input((None, None, 3))
    x = _conv_norm(inputs, width, strides=2, kernel_size=5)
    x = layers.Activation("relu")(x)
    for level, multiple in zip(LEVELS, (1, 2, 4, 4), strict=True):
        x = _residual_block(x, width * multiple, name=f"c{level}")
    network = keras.Model(inputs, x, name="small_backbone")
    features = [f"c{level}" for level in LEVELS]
    return FunctionalBackbone(network, features, "torch", frozen_level=0)


def _residual_block(x, channels, name):
    # Pooling of window 1 takes every second cell, as a stride of 2 would; oneDNN's
    # gradient of a strided 1x1 convolution corrupts memory below 16 channels
    # (uxlfoundation/oneDNN issue 6035).
    shortcut = layers.AveragePooling2D(1, strides=2)(x)
    shortcut = _conv_norm(shortcut, channels, kernel_size=1)
    x = _conv_norm(x, channels, strides=2)
    x = layers.Activation("relu")(x)
    x = _conv_norm(x, channels)
    return layers.Activation("relu", name=name)(layers.Add()([x, shortcut]))


def _conv_norm(x, channels, strides=1, kernel_size=3):
    x = layers.Conv2D(
        channels, kernel_size, strides, padding="same", use_bias=False,
        kernel_initializer="he_normal",
    )(x)  # fmt: skip
    return layers.GroupNormalization(groups=_NORM_GROUPS)(x)


def _summarise(error: Exception) -> str:
    """The first line of an error that is meant to be read on a screen."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
