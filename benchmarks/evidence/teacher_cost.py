"""How much longer a training step takes with a teacher.

    python benchmarks/evidence/teacher_cost.py --config configs/quickstart.gin \
        --data_dir datasets/quickstart --gin_bindings "include 'recipes/teacher.gin'"

Steps of two equal detectors, one with its teacher past the burn-in and one without, are
taken in turns on the same batches; the medians and their ratio are printed.
"""

import argparse
import dataclasses
import statistics
import time

import tensorflow as tf

from ehsod_tf import data
from ehsod_tf.config import load_config
from ehsod_tf.runs.data import load_data, make_dataset
from ehsod_tf.runs.model import create_model
from ehsod_tf.training.loop import make_step

_NAMES = ("without", "with")
_WARM_UP = 3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True)
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--gin_bindings", action="append", default=[])
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    bindings = [f"DATA_DIR = {arguments.data_dir!r}", *arguments.gin_bindings]
    experiment = load_config(arguments.config, bindings)
    image_set = load_data(experiment, data.Findings()).training_set
    dataset = make_dataset(experiment, image_set, 0, 0, 1)
    steps = {name: _make_step(experiment, image_set, dataset, name) for name in _NAMES}
    seconds = {name: [] for name in _NAMES}
    for number, batch in enumerate(dataset.take(arguments.steps + _WARM_UP)):
        for name, take_step in steps.items():
            start = time.perf_counter()
            float(take_step(batch)["total_loss"])
            if number >= _WARM_UP:
                seconds[name].append(time.perf_counter() - start)
    plain, taught = (statistics.median(seconds[name]) for name in _NAMES)
    print(f"without {plain:.3f} s, with {taught:.3f} s a step: {taught / plain:.2f}")


def _make_step(experiment, image_set, dataset, name):
    model = create_model(experiment, len(image_set.class_names), 1)
    # The averages exist from the second step on. What is promoted costs no time.
    taught = dataclasses.replace(model.teacher, burn_in_steps=1)
    model.teacher = taught if name == "with" else None
    model.optimizer.build(model.trainable_variables)
    return make_step(model, tf.distribute.get_strategy(), dataset.element_spec)


if __name__ == "__main__":
    main()
