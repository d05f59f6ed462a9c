"""Settings of all tests; its place also lets every test folder import `oracles`."""

import os

# Before the first import of TensorFlow, whose start-up notes would bury a failure.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
