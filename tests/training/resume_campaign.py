"""Stops a run of 20 steps again and again, and compares it with a whole one.

    PYTHONPATH=. python tests/training/resume_campaign.py --replicas 2 --processes

Every life of the run is ended by a SIGTERM during its first step; with --every 3, its
third. With --processes each is a process of its own, otherwise a new model in this one.
Prints what came out, and ends with status 1 unless everything is equal to the last bit.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

import keras
from processes import divide_cpu, finish, fork
from toy_run import NUM_STEPS, go_on

from ehsod_tf.training import Interrupted


class Stop(keras.callbacks.Callback):
    """Sends this process a SIGTERM in one of its steps, counted from 1."""

    def __init__(self, step):
        super().__init__()
        self._steps_left = step

    def on_train_batch_end(self, batch, logs=None):
        self._steps_left -= 1
        if self._steps_left == 0:
            os.kill(os.getpid(), signal.SIGTERM)


def live(folder, replicas, stop_at=None):
    """One life in this process; returns its exit status."""
    callbacks = [] if stop_at is None else [Stop(stop_at)]
    try:
        go_on(folder, replicas, callbacks, save_every=1000)
    except Interrupted as stop:
        return stop.code
    return 0


def live_in_process(folder, replicas, stop_at=None):
    """One life in a process of its own; returns its exit status."""

    def run():
        divide_cpu(replicas)
        sys.exit(live(folder, replicas, stop_at))

    return finish(fork(run))[0]


def compare(replicas, every, live):
    with tempfile.TemporaryDirectory() as root:
        whole, stopped = Path(root, "whole"), Path(root, "stopped")
        assert live(whole, replicas) == 0
        stops = NUM_STEPS // every
        statuses = [live(stopped, replicas, every) for _ in range(stops)]
        statuses.append(live(stopped, replicas))
        outcomes = [
            json.loads((folder / "outcome.json").read_text())
            for folder in (whole, stopped)
        ]
    return {
        "replicas": replicas,
        "every": every,
        "lives": len(statuses),
        "statuses": sorted(set(statuses[:-1])),
        "last_status": statuses[-1],
        "equal": {name: outcomes[0][name] == outcomes[1][name] for name in outcomes[0]},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--processes", action="store_true")
    arguments = parser.parse_args()
    if not arguments.processes:
        divide_cpu(arguments.replicas)
    result = compare(
        arguments.replicas,
        arguments.every,
        live_in_process if arguments.processes else live,
    )
    print(json.dumps(result))
    sys.exit(not all(result["equal"].values()))


if __name__ == "__main__":
    main()
