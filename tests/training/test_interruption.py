import os
import signal
import threading

import keras
import pytest
import tensorflow as tf
from toy_detector import make_checkpoints, make_dataset, make_model

from ehsod_tf.training import Interrupted, train
from ehsod_tf.training.interruption import StopSignals


class SignalAt(keras.callbacks.Callback):
    """Sends this process a signal at a step of the first epoch, from 1."""

    def __init__(self, number, step):
        super().__init__()
        self.number, self.step, self.ended = number, step, False

    def on_train_batch_end(self, batch, logs=None):
        if batch + 1 == self.step:
            os.kill(os.getpid(), self.number)

    def on_train_end(self, logs=None):
        self.ended = True


def run(folder, *callbacks, **arguments):
    model = make_model()
    return train(
        model,
        make_dataset(),
        strategy=tf.distribute.get_strategy(),
        epochs=2,
        steps_per_epoch=4,
        checkpoints=make_checkpoints(model, folder),
        callbacks=callbacks,
        **arguments,
    )


def restore_step(folder):
    return make_checkpoints(make_model(), folder).restore_latest()


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("step", [2, 4])
def test_a_signal_saves_the_step_and_leaves_with_its_status(
    tmp_path, number, code, step
):
    callback = SignalAt(number, step)
    with pytest.raises(SystemExit) as raised:
        run(tmp_path, callback)
    assert raised.value.code == code
    assert (raised.value.signal, raised.value.step) == (number, step)
    assert f"{number.name}: stopped after step {step}" in str(raised.value)
    assert restore_step(tmp_path) == step
    assert callback.ended


def test_in_an_evaluation_it_leaves_at_once(tmp_path):
    """The epoch is saved, and schedulers do not wait for an evaluation."""
    reached = []

    def evaluate():
        os.kill(os.getpid(), signal.SIGTERM)
        reached.append("after the signal")
        return {}

    with pytest.raises(Interrupted) as raised:
        run(tmp_path, evaluate=evaluate)
    assert raised.value.step == restore_step(tmp_path) == 4
    assert not reached


def test_handlers_are_as_before_afterwards(tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    run(tmp_path)
    with pytest.raises(Interrupted):
        run(tmp_path / "other", SignalAt(signal.SIGTERM, 1))
    after = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    assert after == before


def end_in_a_copy(*numbers):
    """Sends signals to a copy of this process that notes them; how did it end?"""
    process = os.fork()
    if not process:
        with StopSignals() as signals:
            for number in numbers:
                os.kill(os.getpid(), number)
            os._exit(77 if signals.received else 78)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def test_a_second_interrupt_kills_at_once_and_a_second_sigterm_does_not():
    term, interrupt = signal.SIGTERM, signal.SIGINT
    assert end_in_a_copy(interrupt) == end_in_a_copy(term, term) == 77
    assert end_in_a_copy(interrupt, interrupt) == -interrupt
    assert end_in_a_copy(term, interrupt) == -interrupt


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert end_in_a_copy(signal.SIGINT) == 78
    finally:
        signal.signal(signal.SIGINT, before)


def test_outside_the_main_thread_training_runs_without_handlers(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=run, args=(tmp_path, Look()))
    thread.start()
    thread.join()
    assert seen == [before] * 8
