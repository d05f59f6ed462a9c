"""Trains the toy with one and with two replicas and prints what came out as JSON.

A program of its own, because a process can divide its CPU only before TensorFlow
first uses it.
"""

import json
import tempfile
from pathlib import Path

from processes import divide_cpu
from toy_detector import get_weights, make_checkpoints, make_dataset, make_model
from toy_run import make_strategy

from ehsod_tf.errors import NonFiniteLossError
from ehsod_tf.training import Checkpoints, train, transfer_weights

EPOCHS = 2


def run(*lives, **arguments):
    """Trains for an equal part of the epochs with the strategy of each life.

    Each life has a new model, which resumes where the one before it was.
    """
    with tempfile.TemporaryDirectory() as folder:
        for seed, strategy in enumerate(lives):
            with strategy.scope():
                # A clip that the gradients of the toy exceed on every step.
                model = make_model(clip_norm=0.05, weight_decay=0.01, seed=seed)
            history = train(
                model,
                make_dataset(batch_size=4, **arguments),
                strategy=strategy,
                epochs=EPOCHS * (seed + 1) // len(lives),
                steps_per_epoch=3,
                checkpoints=make_checkpoints(model, Path(folder)),
            )
    return {
        "history": history,
        "weights": [weights.tolist() for weights in get_weights(model)],
    }


def transfer(strategy, class_names):
    """Takes over a run of other classes; every replica's variables, and the source."""
    source = make_model()
    with tempfile.TemporaryDirectory() as folder:
        identity = {"class_names": ["cat", "dog"]}
        Checkpoints(source, folder, identity=identity).save(5)
        with strategy.scope():
            model = make_model(seed=9)
            step, remade = transfer_weights(model, folder, class_names)
    values = [
        strategy.experimental_local_results(variable.value)
        for variable in model.variables
    ]
    return {
        "step": step,
        "remade": [path.partition("/")[2] for path in remade],
        "source": [weights.tolist() for weights in get_weights(source)],
        "replicas": [
            [value.numpy().tolist() for value in replica]
            for replica in zip(*values, strict=True)
        ],
    }


def main():
    divide_cpu(2)
    one, two = make_strategy(1), make_strategy(2)
    results = {
        "one": run(one),
        "two": run(two),
        "two_resumed": run(two, two),
        "one_then_two": run(one, two),
        "same_classes": transfer(two, ["cat", "dog"]),
        "other_classes": transfer(two, ["cat", "cow"]),
    }
    try:
        run(two, broken_id=107)
    except NonFiniteLossError as error:
        results["error"] = str(error)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
