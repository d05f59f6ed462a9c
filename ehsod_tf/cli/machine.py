"""`ehsod doctor`: what this machine offers."""

import sys

from ehsod_tf.cli.session import report_user_errors

_WHY_NO_GPU = "  (why: TF_CPP_MIN_LOG_LEVEL=0 ehsod doctor)"


def doctor() -> None:
    """Prints what this machine offers, and tests each compiled op on each device.

    Exit status 1 where a test fails: the library still works then, on stock operations.
    """
    with report_user_errors():
        import keras
        import tensorflow as tf

        from ehsod_tf.ops.self_test import describe_build, run_self_tests

        gpus = tf.config.list_physical_devices("GPU")
        cuda = tf.sysconfig.get_build_info().get("cuda_version", "none")
        print(f"TensorFlow {tf.__version__} (built for CUDA {cuda})")
        print(f"Keras      {keras.__version__}")
        print(f"GPUs       {len(gpus)}{'' if gpus else _WHY_NO_GPU}")
        print(f"ops        {describe_build()}")
        checks = run_self_tests()
    for check in checks:
        print(f"{check.device:6} {check.op:22} {check.result}")
        if not check.passed:
            print(f"{'':6} -> {check.remedy}")
    if not all(check.passed for check in checks):
        sys.exit(1)
