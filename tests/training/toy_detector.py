"""A model of a few weights that trains the way the detector does, and data for it."""

import keras
import numpy as np
import tensorflow as tf

from ehsod_tf.structures import BOXED_OFFSET, Batch, Targets
from ehsod_tf.training import Checkpoints, CoupledSGD, ReplicatedLossScale

NUM_CLASSES = 2
_SIZE = 8
_NUM_IMAGES = 12


class ToyDetector(keras.Model):
    """Classifies images from their mean colour, under the contract of `train`.

    ``cam_cls`` comes from all images and ``stage1_cls`` from the strong ones only.
    ``squared_ids``, the sum over the images of the step, tells which they were.
    """

    def __init__(self, units=4, num_heads=2):
        super().__init__(autocast=False)
        self.hidden = keras.layers.Dense(units, activation="tanh")
        # In a list, as the stages of the cascade are.
        self.heads = [keras.layers.Dense(NUM_CLASSES) for _ in range(num_heads)]

    @property
    def class_variables(self):
        return [variable for head in self.heads for variable in head.variables]

    def call(self, batch, training=False):
        features = self.hidden(tf.reduce_mean(batch.images, [1, 2]) / 255.0)
        return [head(features) for head in self.heads]

    def train_step(self, batch):
        context = tf.distribute.get_replica_context()
        labels = tf.cast(batch.targets.image_labels, tf.float32)
        # 0, but for the image of steep gradients.
        labels += batch.scales - 1.0
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
                differences = tf.cast(logits, tf.float32) - labels
                errors = tf.reduce_sum(tf.square(differences), axis=1)
                count = context.all_reduce("sum", tf.reduce_sum(mask))
                terms[name] = tf.reduce_sum(errors * mask) / tf.maximum(count, 1.0)
            loss = sum(terms.values())
            scaled_loss = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled_loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        ids = tf.reduce_sum(tf.cast(batch.image_ids, tf.float32) ** 2)
        logs = {"total_loss": loss, **terms, "squared_ids": ids}
        return {name: context.all_reduce("sum", term) for name, term in logs.items()}


def make_model(units=4, num_heads=2, learning_rate=0.1, seed=3, **optimizer_arguments):
    """Builds and compiles the toy with weights that depend on the seed alone."""
    keras.utils.set_random_seed(seed)
    model = ToyDetector(units, num_heads)
    model(next(iter(make_dataset(batch_size=2)(0))))
    optimizer = CoupledSGD(learning_rate, **optimizer_arguments)
    if model.dtype_policy.name == "mixed_float16":
        optimizer = ReplicatedLossScale(optimizer)
    model.compile(optimizer=optimizer, jit_compile=False)
    return model


def make_dataset(batch_size=2, broken_id=None, steep_id=None):
    """Makes a `make_dataset` whose batches depend on the step alone.

    Image ids are 100, 101, …; the image `broken_id` holds a NaN; the gradients of the
    image `steep_id` overflow in float16 under the first loss scale, but its loss is
    finite.
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
        labels = tf.cast(tf.stack([rows % 2, rows % 3 // 2], 1), tf.int32)
        scales = tf.ones([batch_size, 2])
        if steep_id is not None:
            is_steep = (rows + 100 == steep_id)[:, None]
            scales = tf.where(is_steep, 500.0, scales)
        is_strong = tf.cast(rows % 4 == 0, tf.int32)
        return Batch(
            images=images,
            image_sizes=tf.fill([batch_size, 2], _SIZE),
            scales=scales,
            image_ids=rows + 100,
            targets=Targets(
                boxes=tf.zeros([batch_size, 1, 4]),
                classes=tf.fill([batch_size, 1], -1),
                class_states=labels + BOXED_OFFSET * is_strong[:, None],
            ),
        )

    def make(start_step, host_index=0, num_hosts=1):
        rows = batch_size // num_hosts
        steps = tf.data.Dataset.range(start_step, 10**6)
        # Batched by `batch`, so that a strategy can split it over the replicas.
        examples = steps.map(make_batch).unbatch()
        shares = examples.batch(rows, drop_remainder=True)
        return shares.shard(num_hosts, host_index)

    return make


def make_checkpoints(model, folder, keep=3):
    return Checkpoints(model, str(folder / "checkpoints"), keep=keep)


def get_weights(model):
    return [variable.numpy() for variable in model.variables]
