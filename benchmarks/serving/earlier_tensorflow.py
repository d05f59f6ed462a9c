"""Whether another TensorFlow loads an export and gives the same answers.

    python benchmarks/serving/earlier_tensorflow.py runs/quickstart/saved_model \
        datasets/quickstart/val --version 2.20.0

installs that version into an environment of its own, without this package, and compares
the answers to the first files of a folder with those of the TensorFlow that is here.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import venv

import numpy as np

SCRIPT = pathlib.Path(__file__).parent / "answer_files.py"
NUM_FILES = 20


def install(folder: pathlib.Path, version: str) -> str:
    """Makes the environment, unless it is there; returns its Python."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        wanted = f"tensorflow=={version}"
        subprocess.run([python, "-m", "pip", "install", "-q", wanted], check=True)
    return str(python)


def answer(python: str, saved_model: str, files: list[str]) -> dict:
    """The outputs for the files, and the version of TensorFlow that gave them."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "answers.npz")
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        environment["TF_CPP_MIN_LOG_LEVEL"] = "2"
        command = [python, str(SCRIPT), saved_model, path, *files]
        subprocess.run(command, check=True, env=environment)
        with np.load(path) as content:
            return dict(content)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("saved_model")
    parser.add_argument("images", type=pathlib.Path, help="a folder of images")
    parser.add_argument("--version", default="2.20.0")
    parser.add_argument("--environment", type=pathlib.Path, help="where to make it")
    flags = parser.parse_args()
    files = [str(path) for path in sorted(flags.images.iterdir())[:NUM_FILES]]
    with tempfile.TemporaryDirectory() as folder:
        environment = flags.environment or pathlib.Path(folder) / "environment"
        other = answer(install(environment, flags.version), flags.saved_model, files)
        here = answer(sys.executable, flags.saved_model, files)
    versions = [str(answers.pop("version")) for answers in (here, other)]
    gaps = {name: float(np.abs(here[name] - other[name]).max()) for name in here}
    report = {"versions": versions, "images": len(files), "largest_gaps": gaps}
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
