"""N replicas of b images train the detector as one replica of N * b does."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest

PROGRAM = pathlib.Path(__file__).with_name("detector_replicas.py")
TESTS = PROGRAM.parents[1]


def start(output, num_devices, tf_config=None):
    """Starts the program; returns the process."""
    paths = [TESTS.parent, TESTS, TESTS / "modeling"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    if tf_config:
        environment["TF_CONFIG"] = json.dumps(tf_config)
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(output), str(num_devices)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )


def finish(*processes):
    for process in processes:
        printed, _ = process.communicate(timeout=600)
        assert process.returncode == 0, printed[-3000:]


def find_free_ports(count):
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    output = tmp_path_factory.mktemp("replicas") / "one.json"
    finish(start(output, 1))
    return json.loads(output.read_text())


def check_equal(actual, wanted):
    assert len(actual["history"]) == 10
    for step, expected in zip(actual["history"], wanted["history"], strict=True):
        assert step == pytest.approx(expected, rel=1e-5, abs=1e-6)
        assert expected["stage1_positives"] > 0
    for weights, expected in zip(actual["weights"], wanted["weights"], strict=True):
        np.testing.assert_allclose(weights, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("num_devices", [2, 4])
def test_replicas_of_one_machine(num_devices, one, tmp_path):
    """Also where a replica holds no strong image."""
    output = tmp_path / "result.json"
    finish(start(output, num_devices))
    check_equal(json.loads(output.read_text()), one)


def test_two_workers(one, tmp_path):
    addresses = [f"localhost:{port}" for port in find_free_ports(2)]
    workers = [
        start(
            tmp_path / "result.json",
            1,
            {
                "cluster": {"worker": addresses},
                "task": {"type": "worker", "index": index},
            },
        )
        for index in range(2)
    ]
    finish(*workers)
    check_equal(json.loads((tmp_path / "result.json").read_text()), one)
