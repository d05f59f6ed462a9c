"""Talks to a worker: a process that answers each JSON line with one of its own.

TensorFlow and PyTorch want different CUDA libraries, so each has a process, and the
one for PyTorch starts without what the other's environment has set.
"""

import json
import os
import pathlib
import subprocess
import sys

FOLDER = pathlib.Path(__file__).parent
# What PyTorch may inherit: enough for a shell, a home for caches, and which GPU.
PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "USER", "CUDA_VISIBLE_DEVICES")


class Peer:
    """A worker process; `facts` is what it says of itself at its start."""

    def __init__(self, command, env=None):
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )
        self._name = pathlib.Path(command[1]).name
        self.facts = self._read()

    def ask(self, **request):
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return self._read()

    def close(self):
        self._process.stdin.close()
        self._process.wait()

    def _read(self):
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._name} ended; its message is above.")
        return json.loads(line)


def clean_environment():
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}


def serve(answers, facts):
    """A worker's side: calls ``answers[request["do"]](**rest)`` for each line.

    Standard output carries answers alone: whatever libraries print goes to the error
    stream.
    """
    answer_stream = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    print(json.dumps(facts), file=answer_stream, flush=True)
    while line := sys.stdin.readline():
        request = json.loads(line)
        answer = answers[request.pop("do")](**request)
        print(json.dumps(answer), file=answer_stream, flush=True)
