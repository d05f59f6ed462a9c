"""Settings of all tests; its place also lets every test folder import `oracles`."""

import os
import signal

# Before the first import of TensorFlow, whose start-up notes would bury a failure.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Shells start background jobs deaf to Ctrl-C, and their children would be so too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
