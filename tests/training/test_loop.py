import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from toy_detector import get_weights, make_checkpoints, make_dataset, make_model

from ehsod_tf.errors import ConfigError, DataError, NonFiniteLossError, OutOfMemoryError
from ehsod_tf.training import WarmupStepDecay, read_batch_dump, train

PROGRAMS = {"replicas": ["two_replicas.py"]}
EPOCHS = 3
STEPS = 4


class Recorder(keras.callbacks.Callback):
    """Notes the calls of the loop; can stop it like a kill at a given step."""

    def __init__(self, kill_at=None):
        super().__init__()
        self.steps, self.epochs, self.kill_at = [], [], kill_at

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append({"index": (self.epoch, batch), **logs})
        if self.epoch * self.params["steps"] + batch + 1 == self.kill_at:
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append({"epoch": epoch, **logs})


def run(model, folder, data=None, **arguments):
    defaults = {
        "strategy": tf.distribute.get_strategy(),
        "epochs": EPOCHS,
        "steps_per_epoch": STEPS,
        "checkpoints": make_checkpoints(model, folder),
    }
    return train(model, data or make_dataset(), **{**defaults, **arguments})


def make_scheduled_model():
    return make_model(learning_rate=WarmupStepDecay(0.1, [9], warmup_steps=6))


def test_history_holds_the_means_of_the_steps(tmp_path):
    model, recorder = make_scheduled_model(), Recorder()
    history = run(model, tmp_path, callbacks=[recorder])
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert list(history[0]) == list(history[-1])
    for epoch, row in enumerate(history):
        steps = [logs for logs in recorder.steps if logs["index"][0] == epoch]
        assert len(steps) == STEPS
        for name in ("total_loss", "cam_cls", "stage1_cls", "gradient_norm"):
            wanted = np.mean([logs[name] for logs in steps])
            assert row[name] == pytest.approx(wanted)
        assert row["gradient_norm_max"] == max(s["gradient_norm"] for s in steps)
        assert row["learning_rate"] == steps[-1]["learning_rate"]


def test_the_loss_falls(tmp_path):
    history = run(make_model(learning_rate=0.03), tmp_path, epochs=10)
    assert history[-1]["total_loss"] < 0.8 * history[0]["total_loss"]


def test_learning_rate_is_the_one_the_step_used(tmp_path):
    recorder = Recorder()
    run(make_scheduled_model(), tmp_path, callbacks=[recorder])
    schedule = WarmupStepDecay(0.1, [9], warmup_steps=6)
    wanted = [float(schedule(step)) for step in range(EPOCHS * STEPS)]
    assert [logs["learning_rate"] for logs in recorder.steps] == wanted


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The model and the history of a run."""
    model = make_scheduled_model()
    return model, run(model, tmp_path_factory.mktemp("whole"), save_every=3)


@pytest.mark.parametrize("kill_at", [1, 4, 7, 8, 12])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, uninterrupted, kill_at):
    """Bit for bit, wherever it was cut: before the first checkpoint, in the middle of
    an epoch, at its end before the checkpoint, at the end of the run."""
    whole, history = uninterrupted
    with pytest.raises(KeyboardInterrupt):
        run(
            make_scheduled_model(),
            tmp_path,
            save_every=3,
            callbacks=[Recorder(kill_at)],
        )
    resumed, recorder = make_scheduled_model(), Recorder()
    again = run(resumed, tmp_path, save_every=3, callbacks=[recorder])
    assert again == history
    # The checkpoints are at 3, 4, 6, 8, 9 and 12; the kill precedes that of its step.
    saved = max(step for step in (0, 3, 4, 6, 8, 9) if step < kill_at)
    assert len(recorder.steps) == EPOCHS * STEPS - saved
    for actual, wanted in zip(get_weights(resumed), get_weights(whole), strict=True):
        np.testing.assert_array_equal(actual, wanted)
    for actual, wanted in zip(
        resumed.optimizer.variables, whole.optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(actual.numpy(), wanted.numpy())


def test_a_kill_during_evaluation_repeats_the_evaluation_alone(tmp_path):
    def fail():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(make_model(), tmp_path, evaluate=fail, evaluate_every=2)
    recorder = Recorder()
    history = run(
        make_model(),
        tmp_path,
        callbacks=[recorder],
        evaluate=lambda: {"AP": 0.5},
        evaluate_every=2,
    )
    assert recorder.steps[0]["index"] == (2, 0)
    assert [row.get("val_AP") for row in history] == [None, 0.5, 0.5]


def test_evaluation_figures_enter_rows_and_callbacks(tmp_path):
    recorder = Recorder()
    history = run(
        make_model(),
        tmp_path,
        callbacks=[recorder],
        evaluate=lambda: {"AP": np.float32(0.25), "per_class": {"cat": 0.1}},
    )
    assert all(row["val_AP"] == 0.25 for row in [*history, *recorder.epochs])
    assert "val_per_class" not in history[0]


def test_a_broken_image_stops_the_run_and_no_checkpoint_holds_it(tmp_path):
    """Image 105 is in the third batch, [104, 105]."""
    model = make_model()
    with pytest.raises(NonFiniteLossError) as raised:
        run(
            model,
            tmp_path,
            make_dataset(broken_id=105),
            save_every=1,
            dump_dir=tmp_path,
        )
    message = str(raised.value)
    assert message.startswith("step 3: total_loss = nan, cam_cls = nan")
    assert "gradient_norm = nan" in message
    assert "images [104, 105]" in message
    assert "\n" not in message
    path = f"{tmp_path}/nonfinite_step_3.npz"
    assert f"the batch is in {path}. " in message
    dump = read_batch_dump(path)
    assert (dump.step, dump.batch.image_ids.tolist()) == (3, [104, 105])

    good = make_model(seed=9)
    assert make_checkpoints(good, tmp_path).restore_latest() == 2
    assert all(np.isfinite(weights).all() for weights in get_weights(good))


def test_stop_training_is_honoured(tmp_path):
    stop = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: setattr(model, "stop_training", True)
    )
    model = make_model()
    assert len(run(model, tmp_path, callbacks=[stop])) == 1


def test_standard_keras_callbacks_run(tmp_path, capsys):
    callbacks = [
        keras.callbacks.ProgbarLogger(),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.TensorBoard(tmp_path / "tensorboard", write_graph=False),
        keras.callbacks.EarlyStopping("total_loss", mode="min"),
    ]
    run(make_model(), tmp_path, callbacks=callbacks)
    assert "stage1_cls" in (tmp_path / "log.csv").read_text()
    assert "stage1_cls" in capsys.readouterr().out


def test_epochs_of_another_length_are_refused(tmp_path):
    run(make_model(), tmp_path, epochs=1)
    with pytest.raises(ConfigError, match="4 steps an epoch, this one has 5"):
        run(make_model(), tmp_path, steps_per_epoch=5)


def fail_at(bad_step):
    """A data set that cannot give the batch of this step, counted from 0."""

    def break_batch(batch):
        scales = tf.debugging.check_numerics(batch.scales / 0.0, "a broken file")
        return batch._replace(scales=scales)

    def make(start_step, *machine):
        dataset = make_dataset()(start_step, *machine)
        sound = dataset.take(bad_step - start_step)
        return sound.concatenate(dataset.map(break_batch))

    return make


@pytest.mark.parametrize("bad_step", [0, 6])
def test_an_input_error_may_be_explained(tmp_path, bad_step):
    """Also after a resumption, and the steps before it are made."""
    run(make_model(), tmp_path, epochs=1)
    explained, recorder = [], Recorder()

    def explain(step):
        explained.append(step)
        raise DataError("the file 7.png")

    folder = tmp_path if bad_step else tmp_path / "new"
    with pytest.raises(DataError, match="the file 7.png"):
        run(
            make_model(),
            folder,
            fail_at(bad_step),
            callbacks=[recorder],
            explain_input_error=explain,
        )
    assert explained == [bad_step]
    assert len(recorder.steps) == (bad_step - STEPS if bad_step else 0)


@pytest.mark.parametrize("explain", [None, lambda step: None])
def test_an_input_error_without_explanation_stays(tmp_path, explain):
    with pytest.raises(tf.errors.InvalidArgumentError, match="a broken file"):
        run(make_model(), tmp_path, fail_at(1), explain_input_error=explain)


def test_exhausted_memory_is_named(tmp_path):
    def exhaust(scales):
        raise MemoryError("OOM when allocating a tensor")

    def make(*arguments):
        def take_all(batch):
            scales = tf.numpy_function(exhaust, [batch.scales], tf.float32)
            return batch._replace(scales=tf.ensure_shape(scales, batch.scales.shape))

        return make_dataset()(*arguments).map(take_all)

    with pytest.raises(OutOfMemoryError, match="^step 1: .* lower BATCH_SIZE") as error:
        run(make_model(), tmp_path, make)
    assert str(error.value).count("\n") == 0


def test_data_that_ends_early_is_named(tmp_path):
    def make(*arguments):
        return make_dataset()(*arguments).take(6)

    with pytest.raises(DataError, match="ends after 6 steps, but the run has 12"):
        run(make_model(), tmp_path, make)


@pytest.mark.parametrize("name", ["epochs", "steps_per_epoch", "save_every"])
@pytest.mark.parametrize("value", [0, 1.5, "3", True])
def test_counts_are_checked_by_name(tmp_path, name, value):
    with pytest.raises(ConfigError, match=f"^{name} must"):
        run(make_model(), tmp_path, **{name: value})


def test_fit_trains_the_same_model(tmp_path):
    looped, fitted = make_scheduled_model(), make_scheduled_model()
    history = run(looped, tmp_path)
    logs = fitted.fit(
        make_dataset()(0), epochs=EPOCHS, steps_per_epoch=STEPS, verbose=0
    ).history
    for actual, wanted in zip(get_weights(fitted), get_weights(looped), strict=True):
        np.testing.assert_array_equal(actual, wanted)
    assert logs.keys() >= {"total_loss", "cam_cls", "stage1_cls"}
    assert len(logs["total_loss"]) == len(history)


@pytest.fixture(scope="module")
def replica_results(get_result):
    return get_result("replicas")


@pytest.mark.parametrize("lives", ["two", "one_then_two"])
def test_two_replicas_equal_one(replica_results, lives):
    """Same weights and terms as one replica with the whole batch, under a clip that
    acts on every step: so it sees the sum of the gradients, not those of a replica.
    A run may go on with more replicas than it had."""
    one, two = replica_results["one"], replica_results[lives]
    for row_one, row_two in zip(one["history"], two["history"], strict=True):
        assert row_one == pytest.approx(row_two, rel=1e-5)
        assert row_one["gradient_norm"] > 0.05
    for actual, wanted in zip(two["weights"], one["weights"], strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-5, atol=1e-7)


def test_two_replicas_resume_where_they_were(replica_results):
    assert replica_results["two_resumed"] == replica_results["two"]


def test_the_images_of_all_replicas_are_named(replica_results):
    """Image 107 is in the second batch, on the second replica."""
    message = replica_results["error"]
    assert re.match(r"step 2: .*images \[104, 105, 106, 107\]", message)


def test_all_replicas_get_the_weights_of_another_run(replica_results):
    result = replica_results["same_classes"]
    assert (result["step"], result["remade"]) == (5, [])
    assert result["replicas"] == [result["source"]] * 2


def test_all_replicas_agree_on_the_layers_of_other_classes(replica_results):
    result = replica_results["other_classes"]
    first, second = result["replicas"]
    assert len(result["remade"]) == 4
    assert first == second
    # The hidden layer, and no kernel of a head; their biases all start as 0.
    pairs = zip(first, result["source"], strict=True)
    assert [a == b for a, b in pairs] == [True, True, False, True, False, True]
