"""Answers image files with a SavedModel; TensorFlow alone, of whatever version.

python benchmarks/serving/answer_files.py SAVED_MODEL ANSWERS.npz FILE ...
"""

import sys

import numpy as np
import tensorflow as tf


def main():
    saved_model, answers, *paths = sys.argv[1:]
    saved = tf.saved_model.load(saved_model)
    files = []
    for path in paths:
        with open(path, "rb") as file:
            files.append(file.read())
    outputs = saved.signatures["serving_default"](image_bytes=tf.constant(files))
    pixels = [tf.cast(tf.io.decode_image(file, 3), tf.float32) for file in files[:1]]
    of_pixels = saved.signatures["images"](images=tf.stack(pixels))
    np.savez(
        answers,
        version=tf.__version__,
        **{name: value.numpy() for name, value in outputs.items()},
        **{f"images/{name}": value.numpy() for name, value in of_pixels.items()},
    )


if __name__ == "__main__":
    main()
