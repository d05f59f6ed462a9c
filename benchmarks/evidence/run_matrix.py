"""Trains and measures every run of a matrix, in the background if wished; resumable.

    python benchmarks/evidence/run_matrix.py quickstart --data_dir datasets/quickstart
    python benchmarks/evidence/tabulate.py quickstart

A run that is done is passed over, one that was cut off goes on. Needs the package
installed with its extra, `pip install -e '.[evidence]'`.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from matrices import MATRICES, Run, list_runs

_FOLDER = pathlib.Path(__file__).parent
_ROOT = _FOLDER.parents[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("matrix", choices=MATRICES)
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--runs_dir", default="runs/evidence")
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side")
    parser.add_argument("--only", default="", help="runs whose name holds this")
    parser.add_argument("--gin_bindings", action="append", default=[])
    parser.add_argument(
        "--detections_only", action="store_true", help="see measure_run.py"
    )
    arguments = parser.parse_args()
    folder = os.path.abspath(os.path.join(arguments.runs_dir, arguments.matrix))
    os.makedirs(folder, exist_ok=True)
    runs = [
        run
        for run in list_runs(MATRICES[arguments.matrix])
        if arguments.only in run.name
    ]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        outcomes = pool.map(lambda run: _make(run, folder, arguments), runs)
        try:
            failed = [
                run.name for run, done in zip(runs, outcomes, strict=True) if not done
            ]
        except KeyboardInterrupt:
            # The runs under way get the signal too; they save their state and end.
            pool.shutdown(wait=False, cancel_futures=True)
            sys.exit("stopped; the same command goes on from here")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}; see the logs in {folder}")


def _make(run: Run, folder: str, arguments: argparse.Namespace) -> bool:
    model_dir = os.path.join(folder, run.name)
    if os.path.exists(os.path.join(model_dir, "evidence.json")):
        return True
    start = time.monotonic()
    train = [
        *("train.py", f"--config={run.config}"),
        f"--data_dir={os.path.abspath(arguments.data_dir)}",
        f"--model_dir={model_dir}",
        *(f"--gin_bindings={b}" for b in (*run.bindings, *arguments.gin_bindings)),
    ]
    measure = [str(_FOLDER / "measure_run.py"), model_dir]
    if arguments.detections_only:
        measure.append("--detections_only")
    with open(f"{model_dir}.log", "a", encoding="utf-8") as log:
        done = all(
            subprocess.run(
                [sys.executable, *command], cwd=_ROOT, stdout=log, stderr=log
            ).returncode
            == 0
            for command in (train, measure)
        )
    minutes = (time.monotonic() - start) / 60
    print(f"{run.name}: {'done' if done else 'FAILED'}, {minutes:.1f} min", flush=True)
    return done


if __name__ == "__main__":
    main()
