"""Kills a run at random moments until it is through, and compares it with a whole one.

    PYTHONPATH=. python tests/training/kill_campaign.py --kills 100 --replicas 1

Every life is a process of its own, saves at every step, and gets a SIGKILL: one half
of them after a random time, the others while a checkpoint is being written or deleted.
Whenever a life comes to the run's end, what it left must equal the run that was never
killed, to the last bit; then another run begins. Prints the counts, and ends with
status 1 if a life failed by itself or a run came out otherwise.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from processes import divide_cpu, fork
from toy_run import go_on


def live(folder, replicas):
    """A life of the run in this process, whose output goes into a file."""
    log = os.open(f"{folder}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    divide_cpu(replicas)
    go_on(folder, replicas, save_every=1)


def wait(process, until):
    """Waits for a process's end or for a moment; returns its exit status, or None."""
    while not until():
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.0005)
    return None


def choose_moment(folder, duration, draw):
    """Returns a function that becomes true when the kill is due."""
    if draw.random() < 0.5:
        due = time.monotonic() + draw.uniform(0, duration)
        return lambda: time.monotonic() > due
    saves_left = draw.randrange(1, 8)
    was_busy = False

    def is_due():
        nonlocal saves_left, was_busy
        is_busy = is_saving(folder)
        saves_left -= is_busy and not was_busy
        was_busy = is_busy
        return is_busy and saves_left <= 0

    return is_due


def is_saving(folder):
    """Whether a folder of a checkpoint is half written or half deleted."""
    with contextlib.suppress(FileNotFoundError):
        names = os.listdir(folder / "checkpoints")
        return any(name.startswith(("saving-", "deleting-")) for name in names)
    return False


def kill_often(folder, replicas, duration, kills, draw, counts):
    """Takes one run to its end through lives that are killed; returns its status."""
    while True:
        counts["lives"] += 1
        process = fork(live, folder, replicas)
        is_due = choose_moment(folder, duration, draw)
        status = wait(process, is_due if counts["kills"] < kills else bool)
        if status is not None:
            return status
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        counts["kills"] += 1
        counts["kills in mid-save"] += is_saving(folder)


def run_campaign(root, kills, replicas, seed):
    draw, counts = random.Random(seed), Counter()
    whole = root / "whole"
    begin = time.monotonic()
    status = wait(fork(live, whole, replicas), bool)
    assert status == 0, Path(f"{whole}.log").read_text()
    duration = time.monotonic() - begin
    wanted = json.loads((whole / "outcome.json").read_text())
    while counts["kills"] < kills:
        counts["runs"] += 1
        folder = root / f"run-{counts['runs']}"
        if kill_often(folder, replicas, duration, kills, draw, counts):
            counts["failed restarts"] += 1
            print(Path(f"{folder}.log").read_text()[-3000:], file=sys.stderr)
        elif json.loads((folder / "outcome.json").read_text()) != wanted:
            counts["diverged runs"] += 1
    names = ("runs", "lives", "kills", "kills in mid-save")
    return {name: counts[name] for name in (*names, "failed restarts", "diverged runs")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        counts = run_campaign(Path(root), **vars(arguments))
    print(json.dumps({**vars(arguments), **counts}))
    sys.exit(bool(counts["failed restarts"] or counts["diverged runs"]))


if __name__ == "__main__":
    main()
