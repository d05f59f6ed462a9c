"""The example clients, against stand-ins on this machine.

For gRPC the stand-in is the service of `tensorflow-serving-api` itself. For REST it is
written from TensorFlow Serving's documentation: its JSON format, not its code.
"""

import base64
import concurrent.futures
import http.server
import inspect
import json
import pathlib
import socket
import subprocess
import sys
import threading

import grpc
import numpy as np
import pytest
import tensorflow as tf
import yaml
from import_paths import importing_from
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

ROOT = pathlib.Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples" / "serving"
with importing_from(EXAMPLES):
    import grpc_client
    import rest_client


@pytest.fixture(scope="module")
def saved(trained):
    return tf.saved_model.load(str(trained[0] / "saved_model"))


@pytest.fixture(scope="module")
def files(scenes):
    return sorted((scenes / "val").iterdir())


@pytest.fixture(scope="module")
def images(files):
    return [path.read_bytes() for path in files]


@pytest.fixture(scope="module")
def wanted(saved, images):
    outputs = saved.signatures["serving_default"](image_bytes=tf.constant(images))
    assert outputs["num_detections"].numpy().min() > 0
    return {name: value.numpy() for name, value in outputs.items()}


# -------------------------------------------------------------------------- compose


def test_the_compose_file_serves_where_the_clients_ask():
    """The server's image: 8500 for gRPC, 8501 for REST, /models/<name>/<version>."""
    text = (EXAMPLES / "compose.yaml").read_text()
    (service,) = yaml.safe_load(text)["services"].values()
    assert service["ports"] == ["8500:8500", "8501:8501"]
    name = service["environment"]["MODEL_NAME"]
    (volume,) = service["volumes"]
    assert volume["target"] == f"/models/{name}/1"
    # Unlike the short form, it takes no relative path for the name of a volume.
    assert volume["type"] == "bind" and volume["read_only"]
    assert f"localhost:8501/v1/models/{name}" in inspect.getsource(rest_client.main)
    assert "localhost:8500" in inspect.getsource(grpc_client.main)


# ----------------------------------------------------------------------------- gRPC


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, saved):
        self._saved = saved

    def Predict(self, request, context):  # noqa: N802
        assert request.model_spec.name == "ehsod"
        serve = self._saved.signatures[request.model_spec.signature_name]
        inputs = {
            name: tf.make_ndarray(value) for name, value in request.inputs.items()
        }
        try:
            outputs = serve(**{k: tf.constant(v) for k, v in inputs.items()})
        except tf.errors.InvalidArgumentError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message[:200])
        response = predict_pb2.PredictResponse(model_spec=request.model_spec)
        for name, value in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return response


@pytest.fixture(scope="module")
def grpc_address(saved):
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionService(saved), server
    )
    port = server.add_insecure_port("localhost:0")
    server.start()
    yield f"localhost:{port}"
    server.stop(None)


def test_grpc_client_gets_what_the_model_gives(grpc_address, images, wanted):
    answer = grpc_client.detect(grpc_address, images)
    assert set(answer) == set(wanted)
    for name, values in wanted.items():
        np.testing.assert_array_equal(answer[name], values)


def test_grpc_client_says_why_a_request_was_refused(grpc_address):
    with pytest.raises(grpc.RpcError) as caught:
        grpc_client.detect(grpc_address, [b"no image"])
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


# ----------------------------------------------------------------------------- REST


def read_json_tensors(body):
    """Inputs by name, from TensorFlow Serving's row format: an object an image.

    "a JSON object that maps the key b64 to base64-encoded bytes" stands for a string.
    """
    rows = body["instances"]
    return {
        name: tf.constant([base64.b64decode(row[name]["b64"]) for row in rows])
        for name in rows[0]
    }


def write_json_rows(outputs):
    """The answer in the same format: an object an image, all outputs in it."""
    columns = {name: value.numpy().tolist() for name, value in outputs.items()}
    rows = zip(*columns.values(), strict=True)
    return {"predictions": [dict(zip(columns, row, strict=True)) for row in rows]}


@pytest.fixture(scope="module")
def rest_url(saved):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):  # noqa: N802
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path == "/v1/models/ehsod:predict"
            serve = saved.signatures[body.get("signature_name", "serving_default")]
            try:
                status, answer = 200, write_json_rows(serve(**read_json_tensors(body)))
            except tf.errors.InvalidArgumentError as error:
                status, answer = 400, {"error": error.message}
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *arguments):
            pass

    server = http.server.HTTPServer(("localhost", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}/v1/models/ehsod"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_json_body_stands_for_the_images(images):
    body = json.loads(json.dumps(rest_client.make_body(images)))
    assert body["signature_name"] == "serving_default"
    assert read_json_tensors(body)["image_bytes"].numpy().tolist() == images


def test_rest_client_gets_what_the_model_gives(rest_url, images, wanted):
    found = rest_client.detect(rest_url, images)
    assert len(found) == len(images)
    for row, detections in enumerate(found):
        count = wanted["num_detections"][row]
        assert len(detections) == count
        classes, scores, boxes = zip(*detections, strict=True)
        assert list(classes) == wanted["detection_classes"][row, :count].tolist()
        np.testing.assert_allclose(scores, wanted["detection_scores"][row, :count])
        np.testing.assert_allclose(boxes, wanted["detection_boxes"][row, :count])


def test_rest_client_prints_names_or_the_servers_word(
    rest_url, trained, files, tmp_path
):
    def run(path):
        return subprocess.run(
            [
                *(sys.executable, EXAMPLES / "rest_client.py", path),
                *("--url", rest_url, "--score_threshold", "0.0"),
                *("--labels", trained[0] / "saved_model/assets/labels.txt"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )

    done = run(files[0])
    assert done.returncode == 0, done.stderr
    first = done.stdout.splitlines()[0].split()
    assert first[0] == str(files[0])
    assert first[1] in ("disc", "square", "triangle", "star", "ring", "cross")
    text = tmp_path / "text.jpg"
    text.write_text("no image")
    assert "neither JPEG, PNG" in run(text).stderr


def test_rest_client_says_that_no_server_is_there(files):
    with socket.socket() as taken:
        # Bound but not listening, so nobody else answers there either.
        taken.bind(("localhost", 0))
        url = f"http://localhost:{taken.getsockname()[1]}/v1/models/ehsod"
        done = subprocess.run(
            [sys.executable, EXAMPLES / "rest_client.py", files[0], "--url", url],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith(f"{url}: ") and "refused" in done.stderr
    assert done.stderr.count("\n") == 1
