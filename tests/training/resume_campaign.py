"""Stops a run of 20 steps after every single step, and compares it with a whole one.

    PYTHONPATH=. python tests/training/resume_campaign.py --replicas 2 --processes

Every life of the run is ended by a SIGTERM during its first step. With --processes each
is a process of its own, otherwise a new model in this one. Prints what came out, and
ends with status 1 unless everything is equal to the last bit.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

import keras
from toy_run import NUM_STEPS, divide_cpu, fork, go_on

from ehsod_tf.training import Interrupted


class StopAtOnce(keras.callbacks.Callback):
    """Sends this process a SIGTERM in its first step."""

    def on_train_batch_end(self, batch, logs=None):
        os.kill(os.getpid(), signal.SIGTERM)


def live(folder, replicas, is_stopped):
    """One life in this process; returns its exit status."""
    try:
        go_on(folder, replicas, [StopAtOnce()] if is_stopped else [], save_every=1000)
    except Interrupted as stop:
        return stop.code
    return 0


def live_in_process(folder, replicas, is_stopped):
    """One life in a process of its own; returns its exit status."""

    def run():
        divide_cpu(replicas)
        sys.exit(live(folder, replicas, is_stopped))

    _, status = os.waitpid(fork(run), 0)
    return os.waitstatus_to_exitcode(status)


def compare(replicas, live):
    with tempfile.TemporaryDirectory() as root:
        whole, stopped = Path(root, "whole"), Path(root, "stopped")
        assert live(whole, replicas, False) == 0
        statuses = [live(stopped, replicas, True) for _ in range(NUM_STEPS)]
        statuses.append(live(stopped, replicas, True))
        outcomes = [
            json.loads((folder / "outcome.json").read_text())
            for folder in (whole, stopped)
        ]
    return {
        "replicas": replicas,
        "lives": len(statuses),
        "statuses": sorted(set(statuses[:-1])),
        "last_status": statuses[-1],
        "equal": {name: outcomes[0][name] == outcomes[1][name] for name in outcomes[0]},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--processes", action="store_true")
    arguments = parser.parse_args()
    if not arguments.processes:
        divide_cpu(arguments.replicas)
    result = compare(
        arguments.replicas, live_in_process if arguments.processes else live
    )
    print(json.dumps(result))
    sys.exit(not all(result["equal"].values()))


if __name__ == "__main__":
    main()
