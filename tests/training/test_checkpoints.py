import os
from pathlib import Path

import keras
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

from ehsod_tf.errors import CheckpointError, ConfigError
from ehsod_tf.training import Checkpoints, find_checkpoint, restore_weights
from ehsod_tf.training.identity import describe_variables


def change_everything(model):
    for variable in [*model.variables, *model.optimizer.variables]:
        variable.assign(tf.cast(tf.ones(variable.shape) * 7, variable.dtype))


def list_names(folder):
    return sorted(os.listdir(folder / "checkpoints"))


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
    assert list_names(tmp_path) == ["step-10", "step-15"]


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


def cut(path):
    path.write_bytes(path.read_bytes()[:20])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


FILES = ("variables.index", "variables.data-00000-of-00001", "manifest.json")


@pytest.mark.parametrize("damage", [cut, flip, Path.unlink])
@pytest.mark.parametrize("file", FILES)
def test_a_damaged_checkpoint_is_named_and_passed_over(tmp_path, caplog, file, damage):
    model = make_model()
    checkpoints = make_checkpoints(model, tmp_path)
    checkpoints.save(1, {"at": 1})
    wanted = get_weights(model)
    change_everything(model)
    path = checkpoints.save(2)
    damage(Path(path, file))

    again = make_checkpoints(model, tmp_path)
    assert (again.restore_latest(), again.progress) == (1, {"at": 1})
    # A damaged manifest may say of a file that it is not what it should be.
    named = f"{path}/" if file == "manifest.json" else f"{path}/{file}"
    assert named in caplog.text and f"{tmp_path}/checkpoints/step-1" in caplog.text
    for actual, weight in zip(get_weights(model), wanted, strict=True):
        np.testing.assert_array_equal(actual, weight)
    with pytest.raises(CheckpointError, match=named):
        find_checkpoint(path)


@pytest.mark.parametrize("file", FILES)
def test_a_run_does_not_begin_again_where_all_are_damaged(tmp_path, file):
    checkpoints = make_checkpoints(make_model(), tmp_path)
    paths = [checkpoints.save(step) for step in (1, 2)]
    for path in paths:
        cut(Path(path, file))
    with pytest.raises(CheckpointError) as raised:
        make_checkpoints(make_model(), tmp_path).restore_latest()
    assert all(f"{path}/{file}" in str(raised.value) for path in paths)
    assert "\n" not in str(raised.value)


def test_the_next_save_removes_a_damaged_one(tmp_path):
    checkpoints = make_checkpoints(make_model(), tmp_path, keep=2)
    for step in (5, 10, 15):
        path = checkpoints.save(step)
    flip(Path(path, "variables.index"))
    again = make_checkpoints(make_model(), tmp_path, keep=2)
    again.restore_latest()
    again.save(12)
    assert list_names(tmp_path) == ["step-10", "step-12"]


@pytest.mark.parametrize("steps_before", [(), (4,)])
def test_a_save_that_is_cut_off_counts_for_nothing(tmp_path, monkeypatch, steps_before):
    model = make_model()
    checkpoints = make_checkpoints(model, tmp_path)
    for step in steps_before:
        checkpoints.save(step)

    def die(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        # The last thing that happens to a checkpoint under its preliminary name.
        patched.setattr(os, "rename", die)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save(8)
    assert "saving-step-8" in list_names(tmp_path)
    again = make_checkpoints(model, tmp_path)
    assert again.restore_latest() == max(steps_before, default=0)
    again.save(9)
    assert list_names(tmp_path) == [
        *(f"step-{step}" for step in steps_before),
        "step-9",
    ]


def test_a_full_disk_is_named_and_leaves_the_one_before(tmp_path, monkeypatch):
    checkpoints = make_checkpoints(make_model(), tmp_path)
    checkpoints.save(4)

    def fail(*arguments):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(tf.train.Checkpoint, "write", fail)
    with pytest.raises(
        CheckpointError, match="step-5: No space left on device; make room"
    ):
        checkpoints.save(5)
    assert list_names(tmp_path) == ["step-4"]


def test_a_process_that_is_no_writer_writes_nothing(tmp_path):
    directory = tmp_path / "checkpoints"
    other = Checkpoints(
        make_model(), directory, best_metric="AP", keep=1, is_writer=False
    )
    other.save(1)
    other.keep_best(1, {"AP": 0.5})
    assert not directory.exists()
    assert other.best["score"] == 0.5


SETTINGS = {"seed": 0, "rate": {"base": 0.1, "at": (8, 11)}, "classes": ("cat", "dog")}


def save_with(tmp_path, **settings):
    directory = tmp_path / "checkpoints"
    Checkpoints(make_model(), directory, identity=settings).save(1)
    return directory


def test_the_same_settings_go_on(tmp_path):
    directory = save_with(tmp_path, **SETTINGS)
    again = Checkpoints(make_model(), directory, identity=SETTINGS)
    assert again.restore_latest() == 1


def test_each_changed_setting_is_named_and_nothing_restored(tmp_path):
    directory = save_with(tmp_path, **SETTINGS)
    changed = {
        "seed": 1,
        "rate": {"base": 0.2, "at": (8, 12)},
        "classes": ("cat", "dog", "cow"),
        "flip": True,
    }
    model = make_model(seed=9)
    before = get_weights(model)
    with pytest.raises(ConfigError) as raised:
        Checkpoints(model, directory, identity=changed).restore_latest()
    assert (
        "other settings: classes[2] was nothing and is 'cow', flip was nothing and is "
        "True, rate.at[1] was 11 and is 12, rate.base was 0.1 and is 0.2, seed was 0 "
        "and is 1; set them back" in str(raised.value)
    )
    for actual, wanted in zip(get_weights(model), before, strict=True):
        np.testing.assert_array_equal(actual, wanted)


def make_scored(tmp_path, **arguments):
    directory = tmp_path / "checkpoints"
    return Checkpoints(make_model(), directory, best_metric="AP", **arguments)


def test_the_best_is_kept_beside_the_last(tmp_path):
    checkpoints = make_scored(tmp_path, keep=1)
    for step, score in [(1, np.nan), (2, 0.3), (3, 0.5), (4, 0.5), (5, 0.1)]:
        for variable in checkpoints._variables["model"]:
            variable.assign(tf.ones(variable.shape) * step)
        checkpoints.save(step)
        checkpoints.keep_best(step, {"AP": score, "other": 1.0})
    assert list_names(tmp_path) == ["best", "step-5"]
    wanted = {"step": 3, "metric": "AP", "score": 0.5}
    assert checkpoints.best == wanted
    model = make_model()
    assert restore_weights(model, tmp_path / "checkpoints" / "best") == 3
    assert all((weight == 3).all() for weight in get_weights(model))

    # The score is in the checkpoints after it, so that a resumed run keeps to it.
    checkpoints.save(6)
    again = make_scored(tmp_path, keep=1)
    assert again.restore_latest() == 6
    assert again.best == wanted


def test_a_run_that_changes_its_metric_looks_for_the_best_anew(tmp_path):
    checkpoints = make_scored(tmp_path)
    checkpoints.save(1)
    checkpoints.keep_best(1, {"AP": 0.5})
    checkpoints.save(2)
    again = Checkpoints(make_model(), tmp_path / "checkpoints", best_metric="other")
    again.restore_latest()
    again.save(3)
    again.keep_best(3, {"AP": 0.6, "other": 0.3})
    assert again.best == {"step": 3, "metric": "other", "score": 0.3}
    assert restore_weights(make_model(), tmp_path / "checkpoints" / "best") == 3


def test_the_best_serves_where_all_others_are_damaged(tmp_path, caplog):
    checkpoints = make_scored(tmp_path, keep=1)
    checkpoints.save(1)
    checkpoints.keep_best(1, {"AP": 0.5})
    flip(Path(checkpoints.save(2), "variables.index"))
    assert make_scored(tmp_path).restore_latest() == 1
    assert "step-2/variables.index" in caplog.text


def test_a_metric_that_is_not_evaluated_is_named(tmp_path):
    with pytest.raises(ConfigError, match="best_metric is 'AP', but .* gives AP50, AR"):
        make_scored(tmp_path).keep_best(1, {"AP50": 0.1, "AR": 0.2})


def test_seeds_of_random_layers_are_among_the_variables():
    model = ToyDetector()
    model.heads.append(keras.layers.Dropout(0.5))
    model(next(iter(make_dataset()(0))))
    paths = {path.rpartition("/")[2] for path, _ in describe_variables(model.variables)}
    assert "seed_generator_state" in paths


def test_a_foreign_checkpoint_is_refused(tmp_path):
    path = tf.train.Checkpoint(x=tf.Variable(1.0)).save(tmp_path / "ckpt")
    with pytest.raises(ConfigError, match="no checkpoint at .*ckpt-1: give a run"):
        restore_weights(make_model(), path)


def test_keep_must_be_a_count(tmp_path):
    with pytest.raises(ConfigError, match="keep must be"):
        Checkpoints(make_model(), str(tmp_path), keep=0)
