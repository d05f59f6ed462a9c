"""Memory and time of a SavedModel over many requests, in the offline server.

    python benchmarks/serving/many_requests.py runs/quickstart/saved_model \
        datasets/quickstart/val --requests 2000

`--native` compiles our operations into the server, for an export of `--ops native`.
"""

import argparse
import json
import pathlib
import tempfile

import numpy as np
from offline_server import ask, build, make_file_request


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("saved_model")
    parser.add_argument("images", type=pathlib.Path, help="a folder of images")
    parser.add_argument("--files", type=int, default=50, help="how many of them")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--native", action="store_true")
    flags = parser.parse_args()
    paths = sorted(flags.images.iterdir())[: flags.files]
    files = [path.read_bytes() for path in paths]
    requests = [
        make_file_request(*files[k : k + flags.batch])
        for k in range(0, len(files), flags.batch)
    ]
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/offline_server"
        build(program, is_native=flags.native)
        repeats = -(-flags.requests // len(requests))
        start, answers, _ = ask(program, flags.saved_model, requests, repeats)
    assert all(answer.status == "OK" for answer in answers)
    milliseconds = [answer.milliseconds for answer in answers[len(requests) :]]
    report = {
        "requests": len(answers),
        "images_a_request": flags.batch,
        "load_and_warmup_seconds": start.milliseconds / 1000,
        "milliseconds": {
            f"{q} %": float(np.percentile(milliseconds, q)) for q in (10, 50, 90)
        },
        "resident_mib": {
            f"after {n}": answers[n - 1].resident_mib
            for n in (1, 100, 200, 500, 1000, 1500, 2000)
            if n <= len(answers)
        },
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
