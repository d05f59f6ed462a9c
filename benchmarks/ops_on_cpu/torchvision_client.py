"""Talks to `torchvision_worker.py`, which runs in another environment's Python."""

import json
import pathlib
import subprocess

import numpy as np

WORKER = pathlib.Path(__file__).with_name("torchvision_worker.py")


class Torchvision:
    """A worker process; `folder` holds the files that pass between the two."""

    def __init__(self, python, folder):
        self._folder = pathlib.Path(folder)
        self._process = subprocess.Popen(
            [python, str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.version = self._read()["torchvision"]

    def store(self, name, arrays):
        """Writes an op's inputs; returns the path that `run` and `time` take."""
        path = str(self._folder / f"{name}.npz")
        np.savez(path, **arrays)
        return path

    def run(self, op, inputs):
        """Returns the op's results as a dict of arrays, channels last."""
        output = str(self._folder / "output.npz")
        self._ask({"op": op, "inputs": inputs, "output": output})
        return dict(np.load(output))

    def time(self, op, inputs):
        """Returns milliseconds."""
        answer = self._ask({"op": op, "inputs": inputs, "output": None})
        return answer["milliseconds"]

    def close(self):
        self._process.stdin.close()
        self._process.wait()

    def _ask(self, request):
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return self._read()

    def _read(self):
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("torchvision_worker.py ended; its message is above.")
        return json.loads(line)
