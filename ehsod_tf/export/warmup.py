"""Requests that TensorFlow Serving runs before it calls a version of a model ready.

The first image of each canvas is slow: kernels are chosen and memory is taken. The
server makes that happen by a file of requests in the SavedModel, so that no client has
to wait for it.
"""

import os
from collections.abc import Iterator

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from ehsod_tf.data import Resizing
from ehsod_tf.data.resizing import CANVAS_MULTIPLE

# A canvas is a multiple of this; an image of that fraction of it is as good a request.
_REDUCTION = CANVAS_MULTIPLE


def write_warmup_requests(path: str, resizing: Resizing) -> None:
    """Adds the requests to a SavedModel: images for all canvases, of either signature.

    Args:
        path: folder of the SavedModel.
        resizing: that of the model.
    """
    folder = os.path.join(path, "assets.extra")
    os.makedirs(folder, exist_ok=True)
    with tf.io.TFRecordWriter(
        os.path.join(folder, "tf_serving_warmup_requests")
    ) as writer:
        for request in make_requests(resizing):
            log = prediction_log_pb2.PredictLog(request=request)
            message = prediction_log_pb2.PredictionLog(predict_log=log)
            writer.write(message.SerializeToString())


def make_requests(resizing: Resizing) -> Iterator[predict_pb2.PredictRequest]:
    """Yields a request for `serving_default`, and one for `images`."""
    images = [
        tf.fill([height // _REDUCTION, width // _REDUCTION, 3], 127)
        for height, width in resizing.list_canvases()
    ]
    encoded = [tf.io.encode_png(tf.cast(image, tf.uint8)).numpy() for image in images]
    yield _make_request("serving_default", "image_bytes", tf.constant(encoded))
    # Kernels that were chosen for the other signature serve this one, too.
    pixels = tf.cast(images[-1], tf.float32)[tf.newaxis]
    yield _make_request("images", "images", pixels)


def _make_request(signature, name, tensor):
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = signature
    request.inputs[name].CopyFrom(tf.make_tensor_proto(tensor))
    return request
