import numpy as np
import pytest
import tensorflow as tf
from toy_detector import (
    ToyDetector,
    get_weights,
    make_checkpoints,
    make_dataset,
    make_model,
)

from ehsod_tf.errors import ConfigError, DataError
from ehsod_tf.training import Checkpoints, find_checkpoint, restore_weights


def change_everything(model):
    for variable in [*model.variables, *model.optimizer.variables]:
        variable.assign(tf.cast(tf.ones(variable.shape) * 7, variable.dtype))


def test_every_variable_comes_back(tmp_path):
    """Also those of layers in a Python list, which tf.train.Checkpoint(model=model)
    would leave out."""
    model = make_model()
    checkpoints = make_checkpoints(model, tmp_path)
    change_everything(model)
    checkpoints.save(12, {"history": [0.1 + 0.2]})

    other = make_model(seed=9)
    restored = make_checkpoints(other, tmp_path)
    assert restored.restore_latest() == 12
    assert restored.progress == {"history": [0.1 + 0.2]}
    for variable in [*other.variables, *other.optimizer.variables]:
        assert (variable.numpy() == 7).all(), variable.path


def test_step_is_zero_without_a_checkpoint(tmp_path):
    model = make_model()
    before = get_weights(model)
    assert make_checkpoints(model, tmp_path).restore_latest() == 0
    for actual, wanted in zip(get_weights(model), before, strict=True):
        np.testing.assert_array_equal(actual, wanted)


def test_keeps_the_last_few(tmp_path):
    checkpoints = make_checkpoints(make_model(), tmp_path, keep=2)
    for step in (5, 10, 15):
        checkpoints.save(step)
    names = {path.stem for path in (tmp_path / "checkpoints").glob("*.index")}
    assert names == {"step-10", "step-15"}


def test_another_model_is_refused_and_left_as_it_was(tmp_path):
    make_checkpoints(make_model(units=4), tmp_path).save(1)
    other = make_model(units=5)
    before = get_weights(other)
    with pytest.raises(ConfigError, match=r"kernel \[3, 4\] where .*kernel \[3, 5\]"):
        make_checkpoints(other, tmp_path).restore_latest()
    for actual, wanted in zip(get_weights(other), before, strict=True):
        np.testing.assert_array_equal(actual, wanted)


@pytest.mark.parametrize("saved, present", [(1, 2), (2, 1)])
def test_a_model_with_a_layer_more_or_less_is_refused(tmp_path, saved, present):
    make_checkpoints(make_model(num_heads=saved), tmp_path).save(1)
    with pytest.raises(ConfigError, match="no further variable"):
        restore_weights(make_model(num_heads=present), tmp_path)


@pytest.mark.parametrize("place", ["", "checkpoints", "checkpoints/step-3"])
def test_weights_alone_from_any_way_to_name_a_checkpoint(tmp_path, place):
    model = make_model()
    make_checkpoints(model, tmp_path).save(3)
    uncompiled = ToyDetector()
    uncompiled(next(iter(make_dataset()(0))))
    assert restore_weights(uncompiled, tmp_path / place) == 3
    for actual, wanted in zip(get_weights(uncompiled), get_weights(model), strict=True):
        np.testing.assert_array_equal(actual, wanted)


def test_no_checkpoint_is_named(tmp_path):
    with pytest.raises(ConfigError, match=f"no checkpoint at {tmp_path}/none"):
        find_checkpoint(tmp_path / "none")


@pytest.mark.parametrize("part", ["index", "data-00000-of-00001"])
def test_a_damaged_file_is_named(tmp_path, part):
    model = make_model()
    path = make_checkpoints(model, tmp_path).save(3)
    damaged = tmp_path / "checkpoints" / f"step-3.{part}"
    damaged.write_bytes(damaged.read_bytes()[:20])
    with pytest.raises(DataError, match=path):
        make_checkpoints(model, tmp_path).restore_latest()


def test_a_foreign_checkpoint_is_refused(tmp_path):
    path = tf.train.Checkpoint(x=tf.Variable(1.0)).save(tmp_path / "ckpt")
    with pytest.raises(DataError, match="not a checkpoint of ehsod_tf"):
        restore_weights(make_model(), path)


def test_keep_must_be_a_count(tmp_path):
    with pytest.raises(ConfigError, match="keep must be"):
        Checkpoints(make_model(), str(tmp_path), keep=0)
