"""What test programs do with processes and devices, before TensorFlow is first used."""

import json
import os
import signal
import socket
import time
import traceback

import tensorflow as tf


def divide_cpu(replicas):
    """Makes as many devices of the CPU; call it before TensorFlow first uses it."""
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * replicas,
    )


def fork(function, *arguments):
    """Calls a function in a copy of this process and returns the copy's id.

    TensorFlow, imported but not yet used here, need not be imported again.
    """
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        function(*arguments)
        status = 0
    except SystemExit as leave:
        status = leave.code
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(status)


def finish(*processes, patience=600):
    """Returns the exit statuses; who is still there after `patience` s is killed."""
    deadline = time.monotonic() + patience
    statuses = []
    for process in processes:
        while not (done := os.waitpid(process, os.WNOHANG))[0]:
            if time.monotonic() > deadline:
                os.kill(process, signal.SIGKILL)
            time.sleep(0.01)
        statuses.append(os.waitstatus_to_exitcode(done[1]))
    return statuses


def make_tf_configs(workers):
    """The contents of ``TF_CONFIG`` for as many workers on free ports of this host."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(workers)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    cluster = {"worker": [f"localhost:{port}" for port in ports]}
    return [
        json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        for index in range(workers)
    ]
