"""Backbones: networks that turn an image into feature maps C2 - C5 (Sec. 3).

A backbone here is a layer called with RGB images in [0, 255]; it returns
``{2: C2, 3: C3, 4: C4, 5: C5}`` of strides 4, 8, 16 and 32. It owns the preprocessing
that its weights were trained with, so no one else needs to know of it.
"""

import os

import keras
import tensorflow as tf
from keras import layers

from ehsod_tf.errors import ConfigError, require_choice

LEVELS = (2, 3, 4, 5)

_NORM_GROUPS = 8

_RESNETS = {50: keras.applications.ResNet50, 101: keras.applications.ResNet101}
_RESNET_BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


class FunctionalBackbone(layers.Layer):
    """Any functional Keras model with four named feature layers.

    Args:
        network: functional `keras.Model` with one [B, H, W, 3] input.
        feature_layers: names of the layers whose outputs are C2, C3, C4 and C5.
        preprocessing: what the network expects: "caffe" (BGR minus the ImageNet mean),
            "torch" (RGB scaled to [0, 1], ImageNet mean and deviation), "tf" (RGB
            scaled to [-1, 1]) or "none".
        frozen_level: layers up to and including this level's feature layer are not
            trained; 0 trains everything, 5 freezes the whole network. 2 freezes the
            stem and the first stage, as detectors of the paper's time do.

    Batch normalisation always runs in inference mode: detection batches are too small
    for batch statistics. Its scale and shift are trained above `frozen_level`.
    """

    def __init__(
        self,
        network: keras.Model,
        feature_layers: tuple[str, ...],
        preprocessing: str = "caffe",
        frozen_level: int = 2,
        **kwargs,
    ):
        # The preprocessing below is float32; only its result is cast.
        super().__init__(autocast=False, **kwargs)
        if len(feature_layers) != len(LEVELS):
            raise ConfigError(
                f"backbone: feature_layers needs four names (C2 to C5), "
                f"got {len(feature_layers)}: {', '.join(map(str, feature_layers))}"
            )
        require_choice("backbone: preprocessing", preprocessing, _PREPROCESSING)
        if frozen_level not in (0, *LEVELS):
            raise ConfigError(
                f"backbone: frozen_level is 0 or a level from 2 to 5, "
                f"got {frozen_level!r}"
            )
        self.preprocessing = preprocessing
        self.frozen_level = frozen_level
        _check_input(network)
        self.network = _select_features(network, feature_layers)
        _check_strides(self.network, feature_layers)
        if frozen_level:
            _freeze_up_to(self.network, feature_layers[frozen_level - LEVELS[0]])

    def build(self, input_shape):
        self.built = True

    def compute_output_shape(self, input_shape):
        shapes = self.network.compute_output_shape(input_shape)
        return dict(zip(LEVELS, shapes, strict=True))

    def call(self, images):
        """[B, H, W, 3] RGB in [0, 255] -> {level: [B, H / 2**l, W / 2**l, C_l]}."""
        images = _PREPROCESSING[self.preprocessing](tf.cast(images, tf.float32))
        images = tf.cast(images, self.compute_dtype)
        features = self.network(images, training=False)
        return dict(zip(LEVELS, features, strict=True))


def build_resnet(
    depth: int = 50, weights: str | None = "imagenet", frozen_level: int = 2
) -> FunctionalBackbone:
    """ResNet-50 or ResNet-101 from `keras.applications` (Sec. 4).

    Args:
        depth: 50 or 101.
        weights: "imagenet" (downloaded once by Keras), the path of a local weights
            file for the network without its classifier, or None for random weights.
        frozen_level: see `FunctionalBackbone`.
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
        raise ConfigError(
            f"backbone: cannot load the ResNet-{depth} weights {weights!r} ({error}); "
            "give a local file, or None for random weights"
        ) from error
    feature_layers = tuple(
        f"conv{stage}_block{blocks}_out"
        for stage, blocks in zip(LEVELS, _RESNET_BLOCKS[depth], strict=True)
    )
    return FunctionalBackbone(network, feature_layers, "caffe", frozen_level)


def load_backbone(
    path: str,
    feature_layers: tuple[str, ...] = ("c2", "c3", "c4", "c5"),
    preprocessing: str = "caffe",
    frozen_level: int = 2,
) -> FunctionalBackbone:
    """Reads a functional Keras model file (`.keras` or `.h5`) as a backbone.

    Feature maps should be of about unit scale, as batch normalisation makes them: the
    detector's initialisers count on it.
    """
    if not os.path.isfile(path):
        raise ConfigError(f"backbone: no model file at {path}")
    try:
        network = keras.models.load_model(path, compile=False)
    except (ValueError, OSError, TypeError) as error:
        first_line = str(error).strip().splitlines()[0]
        raise ConfigError(
            f"backbone: {path} is not a Keras model file: {first_line}"
        ) from error
    return FunctionalBackbone(network, feature_layers, preprocessing, frozen_level)


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
    feature_layers = tuple(f"c{level}" for level in LEVELS)
    return FunctionalBackbone(network, feature_layers, "torch", frozen_level=0)


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


def _check_input(network):
    height, width = network.input_shape[1:3]
    if height is not None or width is not None:
        raise ConfigError(
            f"backbone: {network.name} takes images of {height} x {width} only; "
            "save it with an input of shape (None, None, 3)"
        )


def _select_features(network, feature_layers):
    names = {layer.name for layer in network.layers}
    for name in feature_layers:
        if name not in names:
            raise ConfigError(
                f"backbone: {network.name} has no layer {name!r}; its layers are "
                f"{', '.join(layer.name for layer in network.layers)}"
            )
    outputs = [network.get_layer(name).output for name in feature_layers]
    return keras.Model(network.inputs, outputs, name=network.name)


def _check_strides(network, feature_layers):
    shapes = network.compute_output_shape((None, 64, 64, 3))
    for level, name, shape in zip(LEVELS, feature_layers, shapes, strict=True):
        if shape[1] != 64 // 2**level:
            raise ConfigError(
                f"backbone: layer {name!r} stands for C{level} and needs stride "
                f"{2**level}, but maps 64 pixels to {shape[1]} cells"
            )


def _freeze_up_to(network, layer_name):
    """Freezes every layer that `layer_name` is computed from, and itself."""
    last = network.get_layer(layer_name)
    ancestors = keras.Model(network.inputs, last.output)
    for layer in ancestors.layers:
        layer.trainable = False


def _standardize(images):
    """RGB in [0, 255] to ImageNet's zero mean and unit deviation per channel."""
    mean = tf.constant([123.675, 116.28, 103.53])
    deviation = tf.constant([58.395, 57.12, 57.375])
    return (images - mean) / deviation


def _to_caffe(images):
    """RGB to BGR minus the ImageNet mean, as the original ResNet weights expect."""
    return images[..., ::-1] - tf.constant([103.939, 116.779, 123.68])


_PREPROCESSING = {
    "caffe": _to_caffe,
    "torch": _standardize,
    "tf": lambda images: images / 127.5 - 1.0,
    "none": lambda images: images,
}
