"""A model of a few weights that trains the way the detector does, and data for it."""

import keras
import numpy as np
import tensorflow as tf

from ehsod_tf.structures import Batch, Targets
from ehsod_tf.training import Checkpoints, CoupledSGD

NUM_CLASSES = 2
_SIZE = 8
_NUM_IMAGES = 12


class ToyDetector(keras.Model):
    """Classifies images from their mean colour, under the contract of `train`.

    ``cam_cls`` comes from all images and ``stage1_cls`` from the strong ones only.
    """

    def __init__(self, units=4, num_heads=2):
        super().__init__()
        self.hidden = keras.layers.Dense(units, activation="tanh")
        # In a list, as the stages of the cascade are.
        self.heads = [keras.layers.Dense(NUM_CLASSES) for _ in range(num_heads)]

    def call(self, batch, training=False):
        features = self.hidden(tf.reduce_mean(batch.images, [1, 2]) / 255.0)
        return [head(features) for head in self.heads]

    def train_step(self, batch):
        context = tf.distribute.get_replica_context()
        labels = tf.cast(batch.targets.image_labels, tf.float32)
        strong = batch.targets.has_boxes
        with tf.GradientTape() as tape:
            terms = {}
            for name, logits, mask in zip(
                ["cam_cls", "stage1_cls"],
                self(batch, training=True),
                [tf.ones_like(strong), strong],
                strict=True,
            ):
                mask = tf.cast(mask, tf.float32)
                errors = tf.reduce_sum(tf.square(logits - labels), axis=1)
                count = context.all_reduce("sum", tf.reduce_sum(mask))
                terms[name] = tf.reduce_sum(errors * mask) / tf.maximum(count, 1.0)
            loss = sum(terms.values())
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        logs = {"total_loss": loss, **terms}
        return {name: context.all_reduce("sum", term) for name, term in logs.items()}


def make_model(units=4, num_heads=2, learning_rate=0.1, seed=3, **optimizer_arguments):
    """Builds and compiles the toy with weights that depend on the seed alone."""
    keras.utils.set_random_seed(seed)
    model = ToyDetector(units, num_heads)
    model(next(iter(make_dataset(batch_size=2)(0))))
    optimizer = CoupledSGD(learning_rate, **optimizer_arguments)
    model.compile(optimizer=optimizer, jit_compile=False)
    return model


def make_dataset(batch_size=2, broken_id=None):
    """Makes a `make_dataset` whose batches depend on the step alone.

    Image ids are 100, 101, …; the image `broken_id` holds a NaN.
    """

    def make_batch(step):
        rows = (tf.range(batch_size, dtype=tf.int64) + step * batch_size) % _NUM_IMAGES
        noise = tf.map_fn(
            lambda row: tf.random.stateless_uniform(
                [_SIZE, _SIZE, 3], tf.stack([row, 0]), maxval=255.0
            ),
            rows,
            fn_output_signature=tf.float32,
        )
        images = noise * tf.cast(rows + 1, tf.float32)[:, None, None, None] / 12.0
        if broken_id is not None:
            is_broken = (rows + 100 == broken_id)[:, None, None, None]
            images = tf.where(is_broken, np.nan, images)
        return Batch(
            images=images,
            image_sizes=tf.fill([batch_size, 2], _SIZE),
            scales=tf.ones([batch_size, 2]),
            image_ids=rows + 100,
            targets=Targets(
                boxes=tf.zeros([batch_size, 1, 4]),
                classes=tf.fill([batch_size, 1], -1),
                image_labels=tf.cast(tf.stack([rows % 2, rows % 3 // 2], 1), tf.int32),
                has_boxes=rows % 4 == 0,
            ),
        )

    def make(start_step):
        # Batched by `batch`, so that a strategy can split it over the replicas.
        steps = tf.data.Dataset.range(start_step, 10**6)
        return steps.map(make_batch).unbatch().batch(batch_size, drop_remainder=True)

    return make


def make_checkpoints(model, folder, keep=3):
    return Checkpoints(model, str(folder / "checkpoints"), keep=keep)


def get_weights(model):
    return [variable.numpy() for variable in model.variables]
