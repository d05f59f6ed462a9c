"""Backbones: strides, what is frozen, and what is refused."""

import urllib.error

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from ehsod_tf.errors import ConfigError
from ehsod_tf.modeling import (
    FunctionalBackbone,
    build_resnet,
    build_small_backbone,
    load_backbone,
)

NAMES = ("c2", "c3", "c4", "c5")


def _build_network(size=None):
    """A convolution with batch norm for each of the five strides."""
    inputs = x = keras.Input((size, size, 3))
    for level in range(1, 6):
        x = layers.Conv2D(8, 3, 2, padding="same", name=f"conv{level}")(x)
        x = layers.BatchNormalization(name=f"norm{level}")(x)
        x = layers.Activation("relu", name=f"c{level}")(x)
    return keras.Model(inputs, x, name="tiny")


@pytest.fixture(scope="module")
def resnet():
    return build_resnet(50, weights=None)


def _draw_images(size=64):
    rng = np.random.default_rng(0)
    return tf.constant(rng.uniform(0, 255, [1, size, size, 3]), tf.float32)


def _list_trained_layers(backbone):
    return {variable.path.split("/")[-2] for variable in backbone.trainable_variables}


def test_resnet_50_has_the_strides_and_channels_of_c2_to_c5(resnet):
    features = resnet(_draw_images())
    assert {level: tuple(maps.shape) for level, maps in features.items()} == {
        2: (1, 16, 16, 256),
        3: (1, 8, 8, 512),
        4: (1, 4, 4, 1024),
        5: (1, 2, 2, 2048),
    }
    shapes = resnet.compute_output_shape((None, 64, 64, 3))
    assert [shape[1:] for shape in shapes.values()] == [
        tuple(maps.shape[1:]) for maps in features.values()
    ]


def test_resnets_stem_and_first_stage_are_frozen(resnet):
    trained = _list_trained_layers(resnet)
    assert not [name for name in trained if name.startswith(("conv1", "conv2"))]
    for stage, blocks in ((3, 4), (4, 6), (5, 3)):
        for block in range(1, blocks + 1):
            for i in (1, 2, 3):
                name = f"conv{stage}_block{block}_{i}"
                assert {f"{name}_conv", f"{name}_bn"} <= trained


def test_small_backbone_has_the_strides_of_c2_to_c5():
    features = build_small_backbone(8)(_draw_images(96))
    assert {level: tuple(maps.shape) for level, maps in features.items()} == {
        2: (1, 24, 24, 8),
        3: (1, 12, 12, 16),
        4: (1, 6, 6, 32),
        5: (1, 3, 3, 32),
    }


def test_small_backbone_is_trained_whole():
    backbone = build_small_backbone(8)
    assert len(backbone.trainable_variables) == len(backbone.variables) > 30


@pytest.mark.parametrize("frozen_level", [0, 2, 3, 5])
def test_layers_up_to_the_frozen_level_are_not_trained(frozen_level):
    backbone = FunctionalBackbone(_build_network(), NAMES, frozen_level=frozen_level)
    trained = {
        variable.path.split("/")[-2] for variable in backbone.trainable_variables
    }
    expected = range(frozen_level + 1, 6)
    assert trained == {f"{kind}{i}" for kind in ("conv", "norm") for i in expected}


def _build_side_branches():
    """The tiny network, whose feature maps are branches with a layer of their own."""
    trunk = _build_network()
    outputs = [
        layers.Conv2D(4, 1, name=f"side{level}")(trunk.get_layer(f"c{level}").output)
        for level in (2, 3, 4, 5)
    ]
    return keras.Model(trunk.inputs, outputs, name="branched")


def test_side_branches_below_the_frozen_level_are_not_trained():
    sides = [f"side{level}" for level in (2, 3, 4, 5)]
    backbone = FunctionalBackbone(_build_side_branches(), sides, frozen_level=4)
    assert _list_trained_layers(backbone) == {"conv5", "norm5", "side5"}


def test_a_saved_functional_model_gives_the_same_features(tmp_path):
    network = _build_network()
    path = str(tmp_path / "tiny.keras")
    network.save(path)
    loaded = load_backbone(path, NAMES, preprocessing="torch")
    original = FunctionalBackbone(network, NAMES, preprocessing="torch")
    images = _draw_images()
    for level, maps in original(images).items():
        np.testing.assert_array_equal(loaded(images)[level], maps)


def test_a_saved_model_follows_the_dtype_policy_in_force(tmp_path):
    """Not that of the file, whose network would round its input and stay float32."""
    inputs = x = keras.Input((None, None, 3))
    for level in range(1, 6):
        x = layers.Conv2D(4, 3, strides=2, padding="same", name=f"c{level}")(x)
        x = layers.BatchNormalization()(x)
    network = keras.Model(inputs, x)
    network.get_layer("c3").trainable = False
    path = str(tmp_path / "float32.keras")
    network.save(path)
    expected = load_backbone(path, NAMES, frozen_level=0)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        loaded = load_backbone(path, NAMES, frozen_level=0)
    finally:
        keras.config.set_dtype_policy("float32")
    assert {variable.dtype for variable in loaded.variables} == {"float32"}
    assert _list_trained_layers(loaded) == _list_trained_layers(expected)
    images = _draw_images()
    for level, maps in expected(images).items():
        features = loaded(images)[level]
        assert features.dtype == tf.bfloat16
        scale = float(tf.reduce_max(tf.abs(maps)))
        error = tf.cast(features, tf.float32) - maps
        assert 0 < float(tf.reduce_max(tf.abs(error))) < 0.05 * scale


@pytest.mark.parametrize(
    "preprocessing, expected",
    [
        ("caffe", [123 - 103.939, 22 - 116.779, 201 - 123.68]),
        ("torch", [77.325 / 58.395, -94.28 / 57.12, 19.47 / 57.375]),
        ("tf", [73.5 / 127.5, -105.5 / 127.5, -4.5 / 127.5]),
        ("lite", [74 / 128, -105 / 128, -4 / 128]),
        ("none", [201, 22, 123]),
    ],
)
def test_preprocessing_is_that_of_the_weights(preprocessing, expected):
    inputs = x = keras.Input((None, None, 3))
    for level in range(1, 6):
        x = layers.AveragePooling2D(2, name=f"c{level}")(x)
    network = keras.Model(inputs, x)
    backbone = FunctionalBackbone(network, NAMES, preprocessing, frozen_level=0)
    images = tf.tile(tf.constant([[[[201.0, 22.0, 123.0]]]]), [1, 64, 64, 1])
    features = backbone(images)
    for maps in features.values():
        np.testing.assert_allclose(maps[0, 0, 0], expected, rtol=1e-5)


def test_resnets_preprocessing_is_that_of_keras(resnet):
    """Keras has the same weights and their preprocessing, written by others."""
    images = _draw_images()
    expected = keras.applications.resnet.preprocess_input(images.numpy().copy())
    np.testing.assert_allclose(resnet.preprocess(images), expected, atol=1e-4)


def test_a_local_weights_file_gives_its_weights(tmp_path):
    path = str(tmp_path / "resnet50.weights.h5")
    original = keras.applications.ResNet50(include_top=False, weights=None)
    original.save_weights(path)
    loaded = build_resnet(50, weights=path)
    for variable, expected in zip(loaded.variables, original.weights, strict=True):
        np.testing.assert_array_equal(variable.numpy(), expected.numpy())


@pytest.fixture(scope="module")
def resnet_v2(tmp_path_factory):
    """A model file and a weights file of ResNet-50 of version 2."""
    network = keras.applications.ResNet50V2(
        include_top=False, weights=None, input_shape=(None, None, 3)
    )
    folder = tmp_path_factory.mktemp("resnet_v2")
    files = str(folder / "resnet50v2.keras"), str(folder / "resnet50v2.weights.h5")
    network.save(files[0])
    network.save_weights(files[1])
    return files


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_version_2_is_not_taken_for_a_resnet_of_version_1(resnet_v2):
    model_file, weights_file = resnet_v2
    # Its stages end one block earlier, where the stride is still that of the stage.
    stages = ("conv2_block2_out", "conv3_block3_out", "conv4_block5_out", "post_relu")
    with pytest.raises(ConfigError, match="expects preprocessing 'tf'"):
        load_backbone(model_file, stages)
    assert load_backbone(model_file, stages, preprocessing="tf")
    with pytest.raises(ConfigError, match="depth, version 1, without the classifier"):
        build_resnet(50, weights=weights_file)


@pytest.mark.filterwarnings("ignore:Skipping nested container")
@pytest.mark.parametrize("depth, other", [(50, 101), (101, 50)])
def test_another_depths_weights_file_is_refused(depth, other, tmp_path):
    path = str(tmp_path / "other.weights.h5")
    build_resnet(other, weights=None).network.save_weights(path)
    with pytest.raises(ConfigError, match=f"ResNet-{depth} .* this depth") as caught:
        build_resnet(depth, weights=path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("depth", [50, 101])
@pytest.mark.parametrize(
    "fault", [urllib.error.URLError("no route"), TimeoutError("timed out")]
)
def test_without_a_network_the_error_names_the_file_that_keras_wants(
    fault, depth, monkeypatch, tmp_path
):
    asked_for = []

    def refuse(url, *args):
        asked_for.append(url)
        raise fault

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", refuse)
    with pytest.raises(ConfigError, match="build_resnet.weights") as caught:
        build_resnet(depth)
    assert f"fetch {asked_for[0]} elsewhere" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_wrong_settings_are_config_errors(tmp_path):
    network = _build_network()
    missing, broken = str(tmp_path / "missing.keras"), tmp_path / "broken.keras"
    broken.write_text("not a model")
    cut = tmp_path / "cut.keras"
    network.save(cut)
    cut.write_bytes(cut.read_bytes()[:-100])
    for message, build in [
        ("no layer 'c9'", lambda: FunctionalBackbone(network, (*NAMES[:3], "c9"))),
        ("stride 4, but", lambda: FunctionalBackbone(network, ("c1", *NAMES[1:]))),
        ("four feature maps", lambda: FunctionalBackbone(network, NAMES[:3])),
        ("preprocessing .*'rgb'", lambda: FunctionalBackbone(network, NAMES, "rgb")),
        ("frozen_level", lambda: FunctionalBackbone(network, NAMES, frozen_level=1)),
        ("frozen_level", lambda: FunctionalBackbone(network, NAMES, frozen_level=6)),
        ("64 x 64 only", lambda: FunctionalBackbone(_build_network(64), NAMES)),
        ("width", lambda: build_small_backbone(12)),
        ("50 or 101, got 34", lambda: build_resnet(34)),
        ("no weights file", lambda: build_resnet(50, weights=missing)),
        ("cannot load", lambda: build_resnet(50, weights=str(broken))),
        ("no model file", lambda: load_backbone(missing, NAMES)),
        ("not a Keras model file", lambda: load_backbone(str(broken), NAMES)),
        ("only a part of one", lambda: load_backbone(str(cut), NAMES)),
    ]:
        with pytest.raises(ConfigError, match=f"^backbone: .*{message}") as caught:
            build()
        assert "\n" not in str(caught.value)
