"""Asks TensorFlow Serving by gRPC what is on some images.

pip install tensorflow-serving-api
python examples/serving/grpc_client.py photo.jpg other.png --server server:8500
"""

import argparse
import pathlib

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

# gRPC's own limit, 4 MB, is less than a few photographs.
MESSAGE_BYTES = 256 * 2**20


def detect(server: str, images: list[bytes], model: str = "ehsod") -> dict:
    """The outputs of the signature for encoded images: arrays [B, ...] by name.

    Raises:
        grpc.RpcError: the server refuses the request, or is not there.
    """
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = "serving_default"
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(images))
    options = [
        ("grpc.max_send_message_length", MESSAGE_BYTES),
        ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ]
    with grpc.insecure_channel(server, options) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        answer = stub.Predict(request, timeout=60)
    return {name: tf.make_ndarray(value) for name, value in answer.outputs.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("images", nargs="+")
    parser.add_argument("--server", default="localhost:8500")
    parser.add_argument("--labels", help="assets/labels.txt of the SavedModel")
    parser.add_argument("--score_threshold", type=float, default=0.3)
    flags = parser.parse_args()
    labels = flags.labels and pathlib.Path(flags.labels).read_text("utf-8").splitlines()
    content = [pathlib.Path(path).read_bytes() for path in flags.images]
    try:
        answer = detect(flags.server, content)
    except grpc.RpcError as error:
        raise SystemExit(f"{flags.server}: {error.details()}") from error
    for row, path in enumerate(flags.images):
        scores = answer["detection_scores"][row]
        for k in np.flatnonzero(scores >= flags.score_threshold):
            label = int(answer["detection_classes"][row, k])
            box = answer["detection_boxes"][row, k].tolist()
            print(path, labels[label] if labels else label, f"{scores[k]:.2f}", box)


if __name__ == "__main__":
    main()
