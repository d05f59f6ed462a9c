"""What the commands do: `train.py`, `evaluate.py` and `ehsod <verb>`.

A user's mistake ends in one line on standard error and exit status 2, never in a
traceback. The library is imported inside the commands, so that `--help` and a misspelt
flag do not wait for TensorFlow.
"""

import argparse
import contextlib
import logging
import os
import sys
from collections.abc import Sequence

from absl import logging as absl_logging

USER_ERROR_STATUS = 2


def train(
    config: str,
    gin_bindings: Sequence[str] = (),
    model_dir: str | None = None,
    data_dir: str | None = None,
) -> None:
    """Trains, evaluates, exports and reports into the run folder.

    Args:
        config: a `.gin` file.
        gin_bindings: further gin lines.
        model_dir: the run folder; ``runs/<name of the config>`` by default.
        data_dir: sets the config's DATA_DIR.
    """
    with _report_user_errors():
        from ehsod_tf.config import format_operative_config, load_config

        experiment = load_config(config, _add_data_dir(gin_bindings, data_dir))
        model_dir = model_dir or os.path.join("runs", _stem(config))
        experiment.train(model_dir, format_operative_config)
    for name, what in (
        ("report.html", "figures, curves and sample detections"),
        ("metrics.json", "final figures"),
        ("saved_model", "the detector, for TF Serving"),
    ):
        print(f"{os.path.join(model_dir, name)}: {what}")


def evaluate(
    model_dir: str,
    *,
    config: str | None = None,
    gin_bindings: Sequence[str] = (),
    data_dir: str | None = None,
    checkpoint: str | None = None,
    output_dir: str | None = None,
    export: str | None = None,
    ops: str = "stock",
) -> None:
    """Evaluates a checkpoint, prints the figures, and writes what was asked for.

    Args:
        model_dir: the run folder.
        config: the run's ``operative_config.gin`` by default.
        gin_bindings: further gin lines.
        data_dir: sets the config's DATA_DIR.
        checkpoint: the run's newest by default.
        output_dir: folder for ``metrics.json`` and ``detections.json``.
        export: folder for a SavedModel.
        ops: "stock" or "native" operations in that SavedModel.
    """
    with _report_user_errors():
        from ehsod_tf import evaluation

        experiment = _load_run(model_dir, config, gin_bindings, data_dir)
        image_set = experiment.load_evaluation_set()
        model = experiment.restore_model(
            checkpoint or model_dir, len(image_set.class_names)
        )
        figures, results = experiment.evaluate(model, image_set)
        print(evaluation.format_figures(figures))
        if output_dir:
            experiment.write_evaluation(output_dir, figures, results, image_set)
            print(f"{output_dir}: metrics.json and detections.json")
        if export:
            experiment.export(model, image_set.class_names, export, ops)
            print(f"{export}: SavedModel")


def export(
    model_dir: str,
    output: str,
    checkpoint: str | None = None,
    gin_bindings: Sequence[str] = (),
    ops: str = "stock",
) -> None:
    """Writes a run's newest checkpoint, or another one, as a SavedModel."""
    with _report_user_errors():
        experiment = _load_run(model_dir, None, gin_bindings, None)
        class_names = experiment.load_evaluation_set().class_names
        model = experiment.restore_model(checkpoint or model_dir, len(class_names))
        experiment.export(model, class_names, output, ops)
        print(f"{output}: SavedModel")


def doctor() -> None:
    """Prints what this machine offers, and tests each compiled op on each device.

    Exit status 1 where a test fails: the library still works then, on stock operations.
    """
    with _report_user_errors():
        import keras
        import tensorflow as tf

        from ehsod_tf.ops.self_test import describe_build, run_self_tests

        gpus = tf.config.list_physical_devices("GPU")
        cuda = tf.sysconfig.get_build_info().get("cuda_version", "none")
        print(f"TensorFlow {tf.__version__} (built for CUDA {cuda})")
        print(f"Keras      {keras.__version__}")
        print(f"GPUs       {len(gpus)}")
        print(f"ops        {describe_build()}")
        checks = run_self_tests()
    for check in checks:
        print(f"{check.device:6} {check.op:22} {check.result}")
        if not check.passed:
            print(f"{'':6} -> {check.remedy}")
    if not all(check.passed for check in checks):
        sys.exit(1)


def main() -> None:
    """The `ehsod` command."""
    parser = argparse.ArgumentParser(prog="ehsod", description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("export", help="write a SavedModel from a run")
    verb.add_argument("--model_dir", required=True, help="run folder of train.py")
    verb.add_argument("--output", required=True, help="folder of the SavedModel")
    verb.add_argument("--checkpoint", help="default: the run's newest")
    verb.add_argument("--gin_bindings", action="append", default=[])
    verb.add_argument("--ops", choices=("stock", "native"), default="stock")
    verbs.add_parser("doctor", help="check TensorFlow, CUDA and the compiled ops")
    arguments = vars(parser.parse_args())
    {"export": export, "doctor": doctor}[arguments.pop("verb")](**arguments)


@contextlib.contextmanager
def _report_user_errors():
    """Turns an `EhsodError` into one line and an exit status."""
    _quieten_logs()
    from ehsod_tf.errors import EhsodError

    try:
        yield
    except EhsodError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(USER_ERROR_STATUS)


def _quieten_logs():
    """Leaves warnings on, and the libraries' chatter about their own progress off."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    absl_logging.get_absl_handler().addFilter(_is_worth_showing)


def _is_worth_showing(record):
    return record.levelno > logging.INFO or "ehsod_tf" in record.pathname


def _load_run(model_dir, config, gin_bindings, data_dir):
    from ehsod_tf.config import load_config

    config = config or os.path.join(model_dir, "operative_config.gin")
    return load_config(config, _add_data_dir(gin_bindings, data_dir))


def _add_data_dir(gin_bindings, data_dir):
    if data_dir is None:
        return gin_bindings
    return [*gin_bindings, f"DATA_DIR = {data_dir!r}"]


def _stem(path):
    return os.path.splitext(os.path.basename(path))[0]
