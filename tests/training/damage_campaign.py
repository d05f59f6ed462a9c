"""Damages the files of checkpoints, and looks at what a run then goes on from.

    PYTHONPATH=. python tests/training/damage_campaign.py --trials 50

In each trial, random files of one or more checkpoints of a run are cut short, deleted,
or have one bit flipped. Then either the newest of the others must be restored, to the
last bit, with warnings that name the damaged ones, or, where none is left, an error
must name them. Prints the counts, and ends with status 1 if anything else happened.
"""

import argparse
import json
import logging
import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import tensorflow as tf
from absl import logging as absl_logging
from toy_run import IDENTITY, go_on, hash_variables, make_run_model

from ehsod_tf.errors import CheckpointError
from ehsod_tf.training import Checkpoints


def restore(model, directory):
    """Restores over variables that are all 7; returns the step and a digest."""
    checkpoints = Checkpoints(model, directory, identity=IDENTITY)
    variables = [*model.variables, *model.optimizer.variables]
    for variable in variables:
        variable.assign(tf.cast(tf.ones(variable.shape) * 7, variable.dtype))
    return checkpoints.restore_latest(), hash_variables(variables)


def damage(path, draw):
    """Cuts a file short, flips one of its bits, or deletes it; returns what it did."""
    content = bytearray(path.read_bytes())
    kind = draw.choice(["cut", "flipped", "flipped", "deleted"])
    if kind == "deleted":
        path.unlink()
    elif kind == "cut":
        path.write_bytes(content[: draw.randrange(len(content))])
    else:
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path.write_bytes(content)
    return kind


class Messages(logging.Handler):
    """Keeps the warnings."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.text = ""

    def emit(self, record):
        self.text += record.getMessage() + "\n"


def is_same_manifest(path, content):
    """Whether the damage is in white space, and the manifest still says the same."""
    try:
        return json.loads(path.read_bytes()) == json.loads(content)
    except (ValueError, FileNotFoundError):
        return False


def damage_some(directory, names, draw):
    """Damages a file in each of the newest of `names`; returns names and what was done.

    Damage that changes nothing is not in what is returned.
    """
    done = {}
    for name in names[: draw.choice([1, 1, 1, 2, len(names)])]:
        path = draw.choice(sorted((directory / name).iterdir()))
        content = path.read_bytes()
        kind = damage(path, draw)
        if not (path.suffix == ".json" and is_same_manifest(path, content)):
            done[name] = f"{path.name.partition('-')[0]} {kind}"
    return done


def run_trial(model, directory, truth, draw):
    """Damages checkpoints, restores, and judges what came of it.

    Args:
        model: to restore into.
        directory: of the checkpoints.
        truth: what restoring each gives by its name, in the order of preference.
        draw: `random.Random`.

    Returns:
        How it ended, "FAILED ..." if it must not end so, and what was damaged.
    """
    done = damage_some(directory, list(truth), draw)
    messages = Messages()
    absl_logging.get_absl_logger().addHandler(messages)
    wanted = next((truth[name] for name in truth if name not in done), None)
    try:
        result, outcome = restore(model, directory), "newest whole one used"
    except CheckpointError as error:
        result, outcome = None, "named error"
        messages.text = str(error)
    finally:
        absl_logging.get_absl_logger().removeHandler(messages)
    is_named = all(str(directory / name) in messages.text for name in done)
    is_right = result == wanted and is_named
    return f"{'' if is_right else 'FAILED: '}{outcome}", done


def make_run(root):
    """Makes a run; returns its checkpoints' folder and what restoring each gives."""
    go_on(root / "run", replicas=1)
    directory = root / "run" / "checkpoints"
    model, truth = make_run_model(), {}
    for path in directory.iterdir():
        alone = root / f"alone-{path.name}" / "checkpoints"
        shutil.copytree(path, alone / path.name)
        truth[path.name] = restore(model, alone)
    # Newest first, and the best one last.
    names = sorted(truth, key=lambda name: (name != "best", truth[name][0]))
    return directory, {name: truth[name] for name in reversed(names)}


def run_campaign(root, trials, seed):
    draw, outcomes, damages = random.Random(seed), Counter(), Counter()
    directory, truth = make_run(root)
    model = make_run_model()
    for trial in range(trials):
        copy = root / f"trial-{trial}"
        shutil.copytree(directory, copy)
        outcome, done = run_trial(model, copy, truth, draw)
        outcomes[outcome] += 1
        damages.update(done.values())
        if outcome.startswith("FAILED"):
            print(f"{outcome}: {done}", file=sys.stderr)
        shutil.rmtree(copy)
    return {"checkpoints": list(truth), "outcomes": outcomes, "damages": damages}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        result = run_campaign(Path(root), **vars(arguments))
    print(json.dumps({**vars(arguments), **result}))
    sys.exit(any(outcome.startswith("FAILED") for outcome in result["outcomes"]))


if __name__ == "__main__":
    main()
