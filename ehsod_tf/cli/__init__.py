"""What the commands do: `train.py`, `evaluate.py` and `ehsod <verb>`.

A user's mistake ends in one message on standard error and exit status 2, never in a
traceback. The library is imported inside the commands, so that `--help` and a misspelt
flag do not wait for TensorFlow.
"""

from ehsod_tf.cli.data_sets import convert as convert
from ehsod_tf.cli.data_sets import download as download
from ehsod_tf.cli.data_sets import inspect as inspect
from ehsod_tf.cli.data_sets import split as split
from ehsod_tf.cli.exports import export as export
from ehsod_tf.cli.machine import doctor as doctor
from ehsod_tf.cli.main import main as main
from ehsod_tf.cli.main import make_parser as make_parser
from ehsod_tf.cli.main import run_script as run_script
from ehsod_tf.cli.predict import predict as predict
from ehsod_tf.cli.runs import evaluate as evaluate
from ehsod_tf.cli.runs import report as report
from ehsod_tf.cli.runs import train as train
from ehsod_tf.cli.session import USER_ERROR_STATUS as USER_ERROR_STATUS
