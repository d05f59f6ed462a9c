"""Settings of all tests; its place also lets every test folder import `oracles`."""

import os
import signal

import pytest

# Before the first import of TensorFlow, whose start-up notes would bury a failure.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Shells start background jobs deaf to Ctrl-C, and their children would be so too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def scenes(tmp_path_factory):
    """The folder of 12 training and 5 evaluation images of 64 x 64 pixels."""
    from ehsod_tf import data

    folder = tmp_path_factory.mktemp("data") / "scenes"
    data.ensure_synthetic_scenes(folder, num_train=12, num_val=5, seed=0, size=64)
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory, scenes):
    """The folder of a run of four steps on `scenes`, and its finished process."""
    import tiny_run

    model_dir = tmp_path_factory.mktemp("runs") / "tiny"
    bindings = [f"--gin_bindings={line}" for line in tiny_run.TINY]
    done = tiny_run.run(
        "train.py",
        f"--config={tiny_run.QUICKSTART}",
        f"--data_dir={scenes}",
        f"--model_dir={model_dir}",
        *bindings,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return model_dir, done
