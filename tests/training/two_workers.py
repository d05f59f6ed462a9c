"""Trains the toy with two workers, ends them in several ways, prints what came out.

A program of its own, and each worker a fork of it, because TensorFlow must not have
been used before it connects to the other worker.
"""

import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import keras
from processes import divide_cpu, finish, fork, make_tf_configs
from toy_run import go_on

from ehsod_tf.errors import EhsodError

# Seconds; TensorFlow needs some to notice that a worker has gone.
PATIENCE = 60
# Until two workers have started, connected and made three steps.
PATIENCE_WITH_STEPS = 180


class Slow(keras.callbacks.Callback):
    """Gives whoever wants to end a worker in the middle of its run the time for it."""

    def on_train_batch_end(self, batch, logs=None):
        time.sleep(0.1)


def live(folder, log, tf_config=None, callbacks=()):
    """A life in this process, of two replicas or of one worker; output goes to a file.

    Ends with status 2 where the commands would.
    """
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    if tf_config is None:
        divide_cpu(2)
        go_on(folder, replicas=2)
        return
    os.environ["TF_CONFIG"] = tf_config
    try:
        go_on(folder, replicas=1, callbacks=callbacks)
    except EhsodError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        sys.exit(2)


def start_workers(*folders, callbacks=()):
    """Starts a worker in each of the folders; returns the processes."""
    configs = make_tf_configs(len(folders))
    return [
        fork(live, folder, name_log(folder, index), configs[index], callbacks)
        for index, folder in enumerate(folders)
    ]


def name_log(folder, index):
    return Path(f"{folder}-{index}.log")


def end_in_mid_run(folder, number, indices):
    """Sends some of the workers a signal after a few steps; says how all ended."""
    steps = folder / "steps.txt"
    wanted = count_lines(steps) + 3
    processes = start_workers(folder, folder, callbacks=[Slow()])
    deadline = time.monotonic() + PATIENCE_WITH_STEPS
    while count_lines(steps) < wanted:
        if time.monotonic() > deadline:
            finish(*processes, patience=0)
            raise TimeoutError(f"too few steps; {read_last_line(folder, 0)!r}")
        time.sleep(0.01)
    for index in indices:
        os.kill(processes[index], number)
    begin = time.monotonic()
    statuses = finish(*processes, patience=PATIENCE)
    return {
        "statuses": statuses,
        "seconds": time.monotonic() - begin,
        "last_lines": [read_last_line(folder, index) for index in range(2)],
    }


def count_lines(path):
    return len(path.read_text().splitlines()) if path.exists() else 0


def read_last_line(folder, index):
    return (name_log(folder, index).read_text().splitlines() or [""])[-1]


def read_outcome(folder):
    path = folder / "outcome.json"
    # What went wrong is in the log of the first worker.
    assert path.exists(), name_log(folder, 0).read_text()[-3000:]
    return json.loads(path.read_text())


def main():
    with tempfile.TemporaryDirectory() as root:
        one, whole, cut, other = (
            Path(root, name) for name in ("one", "whole", "cut", "other")
        )
        results = {
            "one": finish(fork(live, one, name_log(one, 0))),
            "whole": finish(*start_workers(whole, whole)),
            "both_terminated": end_in_mid_run(cut, signal.SIGTERM, [0, 1]),
            "second_terminated": end_in_mid_run(cut, signal.SIGTERM, [1]),
            "second_killed": end_in_mid_run(cut, signal.SIGKILL, [1]),
            "first_killed": end_in_mid_run(cut, signal.SIGKILL, [0]),
            "cut": finish(*start_workers(cut, cut)),
            "apart": finish(*start_workers(cut, other)),
            "apart_lines": [read_last_line(cut, 0), read_last_line(other, 1)],
            "outcomes": {
                folder.name: read_outcome(folder) for folder in (one, whole, cut)
            },
        }
    print(json.dumps(results))


if __name__ == "__main__":
    main()
