"""How much each loss term pulls at the layers that all of them share.

    python benchmarks/evidence/gradient_norms.py runs/quickstart --batches 8

Prints for each term its weighted loss and the norm of its gradient in backbone and
pyramid, means over the first training batches, with the weights of a checkpoint.
"""

import argparse
import os
from collections import defaultdict

import tensorflow as tf

from ehsod_tf import data
from ehsod_tf.api import load_experiment
from ehsod_tf.runs.data import load_data, make_dataset
from ehsod_tf.runs.model import restore_model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model_dir")
    parser.add_argument("--checkpoint", help="default: the newest")
    parser.add_argument("--batches", type=int, default=8)
    arguments = parser.parse_args()
    experiment = load_experiment(
        os.path.join(arguments.model_dir, "operative_config.gin")
    )
    image_set = load_data(experiment, data.Findings()).training_set
    model = restore_model(
        experiment,
        arguments.checkpoint or arguments.model_dir,
        len(image_set.class_names),
    )
    dataset = make_dataset(experiment, image_set, 0, 0, 1).take(arguments.batches)
    print(f"{'term, weighted':20} {'loss':>9} {'gradient':>9}")
    for name, (loss, norm) in measure(model, dataset).items():
        print(f"{name:20} {loss:9.4f} {norm:9.4f}")


def measure(model, dataset) -> dict[str, tuple[float, float]]:
    """Means over the batches of each term's weighted loss and gradient norm."""
    weights = model.criterion.weights(len(model.cascade.heads))
    shared = model.backbone.trainable_variables + model.fpn.trainable_variables

    @tf.function(reduce_retracing=True)
    def pull(batch):
        with tf.GradientTape(persistent=True) as tape:
            terms, _ = model.compute_terms(batch, tf.constant(0, tf.int64))
            losses = {
                name: weights[name] * tf.math.divide_no_nan(term.total, term.count)
                for name, term in terms.items()
            }
        norms = {
            name: tf.linalg.global_norm(
                tape.gradient(loss, shared, unconnected_gradients="zero")
            )
            for name, loss in losses.items()
        }
        return losses, norms

    sums = defaultdict(lambda: [0.0, 0.0])
    num_batches = 0
    for batch in dataset:
        losses, norms = pull(batch)
        num_batches += 1
        for name in weights:
            sums[name][0] += float(losses[name])
            sums[name][1] += float(norms[name])
    return {
        name: (loss / num_batches, norm / num_batches)
        for name, (loss, norm) in sums.items()
    }


if __name__ == "__main__":
    main()
