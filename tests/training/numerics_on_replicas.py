"""Trains the toy under each policy with one and two replicas; prints JSON.

A program of its own, because a process can divide its CPU only before TensorFlow
first uses it.
"""

import json
import tempfile
from pathlib import Path

import keras
import tensorflow as tf
from processes import divide_cpu
from toy_detector import get_weights, make_checkpoints, make_dataset, make_model
from toy_run import StepLog, hash_variables, make_strategy

from ehsod_tf.errors import NonFiniteLossError
from ehsod_tf.training import ema_weights, read_batch_dump, train

STEPS = 6


def run(replicas, stops=(1, 2), **arguments):
    """Trains to each epoch of `stops` with a new model that resumes from the last."""
    strategy = make_strategy(replicas)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "steps.txt")
        for epochs in stops:
            with strategy.scope():
                model = make_model(
                    learning_rate=0.02,
                    clip_norm=0.05,
                    use_ema=True,
                    ema_momentum=0.9,
                )
            train(
                model,
                make_dataset(batch_size=4, **arguments),
                strategy=strategy,
                epochs=epochs,
                steps_per_epoch=STEPS,
                checkpoints=make_checkpoints(model, Path(folder)),
                callbacks=[StepLog(log)],
                dump_dir=folder,
            )
        steps = [json.loads(line)[1] for line in log.read_text().splitlines()]
    before = hash_variables(model.variables)
    with ema_weights(model):
        averages = [weights.tolist() for weights in get_weights(model)]
    return {
        "steps": steps,
        "weights": [weights.tolist() for weights in get_weights(model)],
        "averages": averages,
        "is_restored": hash_variables(model.variables) == before,
        "iterations": int(model.optimizer.iterations.numpy()),
        "digest": hash_variables([*model.variables, *model.optimizer.variables]),
    }


def dump_broken_batch(replicas):
    """The message of a broken image, and what the dump holds."""
    strategy = make_strategy(replicas)
    with tempfile.TemporaryDirectory() as folder:
        with strategy.scope():
            model = make_model()
        try:
            train(
                model,
                make_dataset(batch_size=4, broken_id=107),
                strategy=strategy,
                epochs=1,
                steps_per_epoch=STEPS,
                checkpoints=make_checkpoints(model, Path(folder)),
                dump_dir=folder,
            )
        except NonFiniteLossError as error:
            message = str(error).replace(folder, "RUN")
        dump = read_batch_dump(str(Path(folder, "nonfinite_step_2.npz")))
    return {
        "message": message,
        "step": dump.step,
        "ids": dump.batch.image_ids.tolist(),
        "is_nan": [bool(tf.reduce_any(image != image)) for image in dump.batch.images],
        "logs": sorted(dump.logs),
    }


def main():
    divide_cpu(2)
    results = {}
    for policy in ("float32", "mixed_bfloat16", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        results[policy] = {
            # Image 107 is in the second batch of three, on the second replica.
            "one": run(1, steep_id=107),
            "two": run(2, steep_id=107),
            "two_whole": run(2, stops=(2,), steep_id=107),
            "broken": dump_broken_batch(2),
        }
    print(json.dumps(results))


if __name__ == "__main__":
    main()
