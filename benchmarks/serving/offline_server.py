"""Builds `offline_server.cc` and asks it, as a client of TensorFlow Serving would.

    python benchmarks/serving/offline_server.py build/offline_server [--native]

builds the program, with the sources of our operations in it if it is to be native. It
links TensorFlow's C++ libraries out of the installed wheel, and needs g++ (or the
compiler in CXX) and nothing else.
"""

import argparse
import json
import os
import pathlib
import subprocess
import tempfile
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

SOURCE = pathlib.Path(__file__).parent / "offline_server.cc"
OPS = pathlib.Path(__file__).parent.parent.parent / "ops"
LIBRARIES = ("libtensorflow_cc.so.2", "libtensorflow_framework.so.2")


class Answer(NamedTuple):
    """What the server said to one request.

    Attributes:
        status: "OK" or the name of an error, such as "INVALID_ARGUMENT".
        message: of the error.
        milliseconds: that the request took.
        resident_mib: memory of the server after it.
        outputs: arrays by name; {} of an error.
    """

    status: str
    message: str
    milliseconds: float
    resident_mib: float
    outputs: dict[str, np.ndarray]


class ServerDied(Exception):
    """The server ended before it had answered everything; says how."""


def build(
    program: str | os.PathLike,
    source: pathlib.Path = SOURCE,
    *,
    is_native: bool = False,
) -> None:
    """Compiles the server, or another program on TensorFlow's C++ libraries.

    Args:
        program: the file to write.
        source: of the program.
        is_native: compile our operations into it, those for the CPU.

    Raises:
        subprocess.CalledProcessError: the compiler failed; it has printed why.
    """
    folder = tf.sysconfig.get_lib()
    subprocess.run(
        [
            os.environ.get("CXX", "g++"),
            # Warnings of TensorFlow's own headers are not ours to remove.
            *(k.replace("-I", "-isystem", 1) for k in tf.sysconfig.get_compile_flags()),
            "-O1",
            str(source),
            *(_list_native_arguments() if is_native else []),
            *("-o", str(program)),
            # The kernels register themselves: nothing refers to their library.
            *(f"-L{folder}", f"-Wl,-rpath,{folder}", "-Wl,--no-as-needed"),
            *(f"-l:{name}" for name in LIBRARIES),
        ],
        check=True,
    )


def _list_native_arguments():
    files = json.loads((OPS / "sources.json").read_text())
    names = [*files["kernels"], *files["cpu_kernels"], *files["ops"]]
    # One file's flag, harmless to the others, so that one command will do.
    exact = "-ffp-contract=off"
    return [f"-I{OPS / 'include'}", *files["flags"], exact, *(OPS / k for k in names)]


def make_request(signature: str, **inputs) -> predict_pb2.PredictRequest:
    """A request; values of inputs are arrays, or lists of bytes for strings."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "ehsod"
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def make_file_request(*encoded: bytes) -> predict_pb2.PredictRequest:
    """A request about encoded images."""
    value = np.array(encoded, object) if encoded else tf.zeros([0], tf.string)
    return make_request("serving_default", image_bytes=value)


def ask(
    program: str | os.PathLike,
    model_dir: str | os.PathLike,
    requests: Iterable[predict_pb2.PredictRequest | bytes],
    repeats: int = 1,
    preload: str | os.PathLike = "",
) -> tuple[Answer, list[Answer], list[predict_pb2.PredictResponse]]:
    """Starts the server, which answers all requests and ends.

    Args:
        program: of `build`.
        model_dir: a SavedModel.
        requests: messages, or bytes that claim to be one.
        repeats: how often all are asked.
        preload: a library that the dynamic linker adds to the program, such as that of
            our operations.

    Returns:
        What it said of loading and warming up, its answers, and the responses as
        messages, empty ones for errors.

    Raises:
        ServerDied: it did not answer all of them.
    """
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = (os.path.join(folder, name) for name in ("asked", "answered"))
        count = _write_records(asked, requests)
        done = subprocess.run(
            [program, str(model_dir), asked, answered, str(repeats)],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2", "LD_PRELOAD": str(preload)},
        )
        answers = [_read_answer(line) for line in done.stdout.splitlines()]
        # The first line is that of the start.
        if done.returncode != 0 or len(answers) != 1 + count * repeats:
            raise ServerDied(
                f"exit status {done.returncode} after {len(answers)} of "
                f"{1 + count * repeats} lines: {done.stderr[-2000:]}"
            )
        responses = [
            predict_pb2.PredictResponse.FromString(record.numpy())
            for record in tf.data.TFRecordDataset(answered)
        ]
    return answers[0], answers[1:], responses


def _write_records(path, requests):
    count = 0
    with tf.io.TFRecordWriter(path) as writer:
        for request in requests:
            is_message = not isinstance(request, bytes)
            writer.write(request.SerializeToString() if is_message else request)
            count += 1
    return count


def _read_answer(line):
    content = json.loads(line)
    content["outputs"] = {
        name: np.array(output["values"]).reshape(output["shape"])
        for name, output in content["outputs"].items()
    }
    return Answer(**content)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("program", help="the file to write")
    parser.add_argument("--native", action="store_true", help="with our operations")
    flags = parser.parse_args()
    build(flags.program, is_native=flags.native)


if __name__ == "__main__":
    main()
